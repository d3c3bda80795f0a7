import type { Milliseconds } from "../clock.ts";
import type { AuthError } from "../report/errors.ts";
import { printable } from "../report/printable.ts";

/** An answer of the endpoint, ready to be sent. */
export interface LoopbackAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** On every answer: nobody keeps it, and no connection is used twice. */
const ALWAYS = {
  "content-type": "application/json",
  "cache-control": "no-store",
  pragma: "no-cache",
  connection: "close",
} as const;

/** An answer with this JSON. */
export function jsonAnswer(
  status: number,
  content: object,
  headers: Readonly<Record<string, string>> = {},
): LoopbackAnswer {
  const body = JSON.stringify(content);
  return { status, headers: { ...ALWAYS, "content-length": String(Buffer.byteLength(body)), ...headers }, body };
}

/** What a token answer tells. */
export interface ServedToken {
  readonly token: string;
  readonly left: Milliseconds;
  readonly scope: string;
  readonly job: string;
}

/**
 * A token (RFC 6749 section 5.1), and the digest of the job that it belongs to. `expires_in` is a whole number,
 * since Go's reader refuses any other.
 */
export const tokenAnswer = ({ token, left, scope, job }: ServedToken): LoopbackAnswer =>
  jsonAnswer(200, { access_token: token, token_type: "Bearer", expires_in: Math.floor(left / 1000), scope, job });

/** Why a request gets no token (RFC 6749 section 5.2). */
export const errorAnswer = (
  status: number,
  error: string,
  description: string,
  headers?: Readonly<Record<string, string>>,
): LoopbackAnswer =>
  jsonAnswer(status, { error: oauthText(error, 60), error_description: oauthText(description, 1200) }, headers);

/** The server's own refusal, passed on: whoever runs the client reads there what to do. */
export const refusalAnswer = (refusal: AuthError, hint: string): LoopbackAnswer =>
  errorAnswer(401, refusal.oauthError ?? "invalid_client", `${refusal.message} hint: ${hint}`, CHALLENGE);

/** What a 401 to a token request must say (RFC 6749 section 5.2, RFC 7617 section 2). */
export const CHALLENGE = Object.freeze({ "www-authenticate": 'Basic realm="scm-auth", charset="UTF-8"' });

/** Text in the characters of RFC 6749 section 5.2: ASCII that is seen, without `"` and `\`. */
const oauthText = (text: string, longest: number): string =>
  printable(text, longest)
    .replaceAll('"', "'")
    .replaceAll("\\", "/")
    .replace(/[^\x20-\x7e]/g, "?");
