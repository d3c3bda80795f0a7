import type { TokenServerAddress } from "../shared/auth-file/format.ts";
import type { AccessToken } from "../shared/access-token.ts";
import type { AuthRequest } from "../shared/auth-request.ts";
import { systemClock } from "../shared/clock.ts";
import { formatDuration } from "../shared/duration.ts";
import type { Environment } from "../shared/environment.ts";
import { AuthError } from "../shared/errors.ts";
import type { AuthEvent } from "../shared/events.ts";
import { describeIgnoredEntries, describeProxy } from "../shared/http/proxy.ts";
import { REQUEST_LABELS } from "../shared/http/retry.ts";
import { looksLikeJwt } from "../shared/jwt.ts";
import { INPUT_NAMES } from "./inputs.ts";
import type { Runner } from "./runner.ts";

/** The maximum number of annotations of each level that GitHub shows for a step. */
const MAX_ANNOTATIONS = 10;

/** Reports why the step failed: one annotation for each issue, with a hint. The last one links to the documentation. */
export function reportFailure(runner: Runner, error: unknown): void {
  const failure = AuthError.isAuthError(error) ? error : internalError(runner, error);
  const issues = failure.issues.map(({ field, message, hint }) => [`${toInputName(field)} ${message}.`, hint] as const);
  const messages = issues.length === 0 ? [[failure.message, failure.hint] as const] : issues;
  const annotated = messages.length > MAX_ANNOTATIONS ? MAX_ANNOTATIONS - 1 : messages.length;
  const rest = messages.slice(annotated);
  const summary = [`${rest.length} more errors.`, "Read the lines below in the log."] as const;
  const annotations = [...messages.slice(0, annotated), ...(rest.length > 0 ? [summary] : [])];
  for (const [index, [cause, hint]] of annotations.entries())
    runner.error(cause, hint, index === annotations.length - 1 ? failure.docs : undefined);
  for (const [cause, hint] of rest) runner.info(`${cause} ${hint}`);
}

/**
 * Converts an unexpected error to an AuthError. The original message is quoted, because it may contain anything. The
 * stack is not shown.
 */
function internalError(runner: Runner, cause: unknown): AuthError {
  const description = `unexpected failure: ${runner.redactor.quote(describe(cause))}`;
  return new AuthError(description, { kind: "protocol", code: "internal_error", cause });
}

/** Describes a thrown value. It can be anything, even an object that cannot be converted to a string. */
function describe(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  } catch {
    return "unknown error";
  }
}

const toInputName = (field: string): string =>
  Object.hasOwn(INPUT_NAMES, field) ? INPUT_NAMES[field as keyof typeof INPUT_NAMES] : field;

/**
 * Logs assumptions about the inputs, and settings in the job's environment that are ignored, or that decide which server
 * gets the secret. An earlier step can have set them.
 */
export function logWarnings(runner: Runner, request: AuthRequest, env: Environment): void {
  for (const warning of request.warnings) runner.info(warning);
  const ignored = describeIgnoredEntries(request.tokenUrl) ?? describeIgnoredEntries(request.jwksUrl);
  if (ignored !== undefined) runner.info(ignored);
  const proxy = describeProxy(request.tokenUrl) ?? describeProxy(request.jwksUrl);
  if (proxy !== undefined) runner.info(`Connecting through ${proxy}.`);
  if ((env["NODE_EXTRA_CA_CERTS"] ?? "") !== "") runner.info("NODE_EXTRA_CA_CERTS adds trusted CA certificates.");
  if (env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0")
    runner.warning("NODE_TLS_REJECT_UNAUTHORIZED=0 is ignored: certificates are always verified.");
}

/** Logs a sign-in event: retries as log lines, all other events as debug messages. */
export function logEvent(runner: Runner, event: AuthEvent): void {
  // The summary lines and the error annotation report these.
  if (event.type === "token" || event.type === "error") return;
  const label = REQUEST_LABELS[event.request];
  if (event.type === "request")
    runner.debug(`${label}: ${event.method} ${event.url}, attempt ${event.attempt} of ${event.maxAttempts}`);
  else if (event.type === "connection")
    runner.debug(`${label}: ${event.step} in ${Math.round(event.durationMs)} ms: ${event.detail}`);
  else if (event.type === "response")
    runner.debug(`${label}: status ${event.status} in ${Math.round(event.durationMs)} ms`);
  else {
    // The message names the request.
    const attempt = `Attempt ${event.attempt} of ${event.maxAttempts} failed`;
    runner.info(`${event.error.message} ${attempt}; retrying in ${formatDuration(event.delayMs)}.`);
  }
}

/** The origin of the token that a step provides. */
export type Source = "new" | "auth-file" | "sealed";

const SOURCES: Readonly<Record<Source, string>> = {
  new: "a new token",
  "auth-file": "the token from the auth file",
  sealed: "the sealed token",
};

/** What a successful step produced. */
export interface StepResult {
  readonly token: AccessToken;
  readonly source: Source;
  /** The path of the auth file, if there is one. */
  readonly path?: string | undefined;
  /** Whether the auth file is refreshed while the job runs. */
  readonly isRefreshed?: boolean | undefined;
  /** The token server of the auth file. Its secret is masked. */
  readonly server?: TokenServerAddress | undefined;
  readonly sealedToken?: string | undefined;
}

/** Returns the last log lines of a successful step. @param verify - whether the signature was verified */
export function summaryLines({ token, source, path, isRefreshed }: StepResult, verify: boolean): readonly string[] {
  // The tenant of an opaque token is only the one that was requested.
  const isOpaque = !verify && !looksLikeJwt(token.value);
  const tenant = token.tsgId === undefined || isOpaque ? "" : ` to tenant ${token.tsgId}`;
  const remaining = token.remaining(systemClock);
  const validity = remaining === undefined ? "an unknown time" : formatDuration(remaining);
  const signature = verify
    ? "signature verified"
    : isOpaque
      ? "not verified: the token is opaque"
      : "signature not verified: verify is false";
  const signedIn = `Signed in${tenant} with ${SOURCES[source]}, valid for ${validity} (${signature}).`;
  if (path === undefined) return [signedIn];
  return [signedIn, `Auth file: ${path}, ${isRefreshed ? "refreshed until the job ends" : "not refreshed"}.`];
}
