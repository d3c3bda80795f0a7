import * as z from "zod/mini";
import type { Seconds } from "../clock.ts";
import { judgeJson, parseJson } from "../http/json-answer.ts";
import { RETRIED_STATUS, type Verdict } from "../http/retry.ts";
import type { HttpAnswer, HttpRequest } from "../http/send.ts";
import { AuthError, type AuthErrorCode } from "../report/errors.ts";
import type { Quote } from "../report/redactor.ts";
import type { AuthRequest } from "./auth-request.ts";

/** A token answer (RFC 6749 section 5.1), proved in nothing yet. */
export interface TokenAnswer {
  readonly accessToken: string;
  /** The life that the server gave the token; undefined when it did not say. */
  readonly expiresIn: Seconds | undefined;
  /** What the answer says of the scope beside the token; undefined when it is as requested. */
  readonly scope: string | undefined;
}

/** The client credentials request (RFC 6749 section 4.4.2), the credentials in the body (section 2.3.1). */
export function tokenRequest(request: AuthRequest): HttpRequest {
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: request.clientId,
    client_secret: request.clientSecret,
    scope: request.scope,
  });
  return {
    method: "POST",
    url: request.tokenUrl,
    headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
    body: form.toString(),
  };
}

/**
 * b64token of RFC 6750 section 2.1. Longer ones fit into no environment variable, and a shorter one could not be
 * masked without hiding half of the log.
 */
const B64TOKEN = /^[A-Za-z0-9._~+/-]{8,65536}={0,2}$/;
const A_DAY: Seconds = 86_400;

const expiresIn = z.pipe(z.union([z.number(), z.string().check(z.regex(/^\d{1,9}$/))]), z.transform(Number));
const tokenAnswer = z.object({
  access_token: z.string().check(z.regex(B64TOKEN)),
  token_type: z.string().check(z.regex(/^bearer$/i)),
  expires_in: z.optional(z.pipe(expiresIn, z.number().check(z.gt(0), z.lte(A_DAY)))),
  scope: z.optional(z.string()),
});
const oauthError = z.object({ error: z.string().check(z.minLength(1)), error_description: z.optional(z.unknown()) });
/** What in an ill-made answer may still be a token: its words, as many and as long as can be masked. */
const anyToken = z.object({ access_token: z.string() });
const tokensIn = (text: string): readonly string[] =>
  text
    .split(/\s/)
    .filter(({ length }) => length >= 8 && length <= 65_536)
    .slice(0, 4);

/** What each field of the answer must be, as the rest of a sentence. */
const EXPECTED: Readonly<Record<keyof z.infer<typeof tokenAnswer>, string>> = {
  access_token: "access_token is missing or is no token (RFC 6750 section 2.1)",
  token_type: "token_type is not Bearer",
  expires_in: "expires_in is not a number of seconds from 1 to a day",
  scope: "scope is no text",
};

/** OAuth errors that pass by themselves (RFC 6749 section 4.1.2.1 names them, servers send them here too). */
const PASSING: Readonly<Record<string, "overload" | "fault">> = Object.freeze({
  temporarily_unavailable: "overload",
  server_error: "fault",
});

/** OAuth errors with a hint of their own. */
const KNOWN = [
  "invalid_client",
  "invalid_scope",
  "unauthorized_client",
  "access_denied",
] as const satisfies AuthErrorCode[];

/**
 * What an answer to {@link tokenRequest} means.
 *
 * @param asked - the scope that was asked for
 * @param onToken - gets any token that the body holds, before anything is said about the answer
 */
export function judgeTokenAnswer(
  answer: HttpAnswer,
  quote: Quote,
  onToken: (token: string) => void,
  asked = "",
): Verdict<TokenAnswer> {
  const body = parseJson(answer.body);
  const anywhere = anyToken.safeParse(body);
  if (anywhere.success) tokensIn(anywhere.data.access_token).forEach(onToken);
  const refusal = oauthError.safeParse(body);
  const statusDecides =
    answer.status in RETRIED_STATUS || (answer.status >= 300 && answer.status < 400) || answer.status >= 500;
  if (refusal.success && !statusDecides) return judgeRefusal(refusal.data, answer.status, quote, asked);
  const detail = refusal.success ? describe(refusal.data, quote) : undefined;
  const failed = judgeJson("token request", answer, quote, detail);
  if (failed) return failed;
  const parsed = tokenAnswer.safeParse(body);
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path[0] as keyof typeof EXPECTED | undefined;
    const what = field === undefined ? "it is no JSON object" : EXPECTED[field];
    return {
      is: "final",
      error: new AuthError(`the token answer is not as it must be: ${what}.`, {
        kind: "protocol",
        code: "bad_token_answer",
      }),
    };
  }
  const { access_token, expires_in, scope } = parsed.data;
  return { is: "done", value: { accessToken: access_token, expiresIn: expires_in, scope } };
}

type Refusal = z.infer<typeof oauthError>;

const describe = ({ error, error_description }: Refusal, quote: Quote): string =>
  [error, ...(typeof error_description === "string" ? [error_description] : [])].map((text) => quote(text)).join(": ");

function judgeRefusal(refusal: Refusal, status: number, quote: Quote, asked: string): Verdict<TokenAnswer> {
  const scope = refusal.error === "invalid_scope" && asked !== "" ? ` (asked for ${quote(asked)})` : "";
  const what = `the server refused to sign in (status ${status}): ${describe(refusal, quote)}${scope}.`;
  const passing = Object.hasOwn(PASSING, refusal.error) ? PASSING[refusal.error] : undefined;
  if (passing)
    return {
      is: passing,
      error: new AuthError(what, { kind: "server", code: "server_error", status, oauthError: refusal.error }),
    };
  const code = KNOWN.find((known) => known === refusal.error) ?? "oauth_error";
  return {
    is: "final",
    error: new AuthError(what, { kind: "rejected", code, status, oauthError: quote(refusal.error) }),
  };
}
