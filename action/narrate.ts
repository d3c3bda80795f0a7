import type { AuthEvent } from "../shared/report/events.ts";
import { nameFields } from "../shared/report/fields.ts";
import { timeSpan } from "../shared/report/time-span.ts";
import type { AccessToken } from "../shared/token/access-token.ts";
import type { AuthRequest } from "../shared/token/auth-request.ts";
import { inputNames } from "./inputs.ts";
import type { Runner } from "./runner.ts";

/** Tells what was assumed, and what of the job's surroundings is ignored. */
export function tellNotices(runner: Runner, { notices }: AuthRequest): void {
  for (const notice of notices) runner.say(nameFields(notice, inputNames));
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

/** The last line of a step that went well. */
export function closingLine(token: AccessToken, { verify }: { readonly verify: boolean }): string {
  const tenant = token.tsgId === undefined ? "no single tenant" : `tenant ${token.tsgId}`;
  const life = token.lifetime === undefined ? "for an unknown time" : `for ${timeSpan(token.lifetime)}`;
  const proof = verify ? "proved" : "NOT proved, as verify: false says";
  return `Signed in: ${tenant}, a new token good ${life}, ${proof}.`;
}
