import type { AuthEvent } from "../shared/report/events.ts";
import { timeSpan } from "../shared/report/time-span.ts";
import type { AccessToken } from "../shared/token/access-token.ts";
import type { AuthRequest } from "../shared/token/auth-request.ts";
import { inputNames } from "./inputs.ts";
import type { Runner } from "./runner.ts";

/** Tells what was assumed, and what of the job's surroundings is ignored. */
export function tellNotices(runner: Runner, request: AuthRequest): void {
  for (const notice of request.noticesWith(inputNames)) runner.say(notice);
  if (process.env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0") {
    runner.warning(
      "NODE_TLS_REJECT_UNAUTHORIZED=0 is set in this job; it is ignored here, certificates are verified all the same.",
    );
  }
}

/** Tells an event of the sign-in. Waits are for everybody, the rest is for who debugs. */
export function tellEvent(runner: Runner, event: AuthEvent): void {
  switch (event.type) {
    case "token":
    case "failure":
      // Told by the closing line, or as the error.
      return;
    case "wait":
      runner.say(`${event.error.message} Try ${event.tries} of ${event.of}; the next in ${timeSpan(event.wait)}.`);
      return;
    case "answer":
      runner.debug(`The ${event.request} was answered with status ${event.status} after ${Math.round(event.took)} ms.`);
  }
}

/** Where a step's token comes from. */
export type Source = "minted" | "file" | "sealed";

const SOURCES: Readonly<Record<Source, string>> = {
  minted: "a new token",
  file: "the auth file's token,",
  sealed: "the sealed token of another job,",
};

/** What came of a step beside its token. */
export interface StepOutcome {
  readonly source: Source;
  /** Of the auth file, if there is one. */
  readonly path?: string;
  /** Whether it is kept fresh. */
  readonly kept?: boolean;
}

/** The last lines of a step that went well. */
export function closingLines(
  token: AccessToken,
  { verify }: { readonly verify: boolean },
  { source, path, kept = false }: StepOutcome,
): readonly string[] {
  const tenant = token.tsgId === undefined ? "no single tenant" : `tenant ${token.tsgId}`;
  const life = token.lifetime === undefined ? "for an unknown time" : `for ${timeSpan(token.lifetime)}`;
  const proof = verify ? "proved" : "NOT proved, as verify: false says";
  const signedIn = `Signed in: ${tenant}, ${SOURCES[source]} good ${life}, ${proof}.`;
  if (path === undefined) return [signedIn];
  return [signedIn, `Auth file: ${path}, ${kept ? "kept fresh until the job ends" : "good as long as its token"}.`];
}
