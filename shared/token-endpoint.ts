import * as z from "zod/mini";
import type { AuthRequest } from "./auth-request.ts";
import type { Seconds } from "./clock.ts";
import { AuthError, type AuthErrorCode, type AuthErrorOptions } from "./errors.ts";
import { HINTS } from "./hints.ts";
import { classifyJsonResponse, parseJson } from "./http/json-response.ts";
import type { HttpRequest, HttpResponse } from "./http/request.ts";
import { RETRYABLE_STATUS, type Failure, type FailureType, type Outcome } from "./http/retry.ts";
import type { Redactor } from "./redact.ts";

/** A successful token response (RFC 6749 section 5.1). The token is not verified. */
export interface TokenResponse {
  readonly accessToken: string;
  /** The lifetime of the token; undefined if the response does not specify it. */
  readonly expiresIn: Seconds | undefined;
  /** The granted scope; undefined if the response omits it, which means that the requested scope was granted. */
  readonly scope: string | undefined;
}

/** Creates a client credentials request (RFC 6749 section 4.4.2) with the credentials in the body (section 2.3.1). */
export function createTokenRequest(request: AuthRequest): HttpRequest {
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
 * The length of a token in characters. Longer tokens do not fit in an environment variable; shorter tokens cannot be
 * masked.
 */
const MIN_TOKEN_LENGTH = 8;
const MAX_TOKEN_LENGTH = 65_536;
/** `b64token` (RFC 6750 section 2.1). */
const B64TOKEN = /^[A-Za-z0-9._~+/-]+={0,2}$/;
const DAY: Seconds = 86_400;

const seconds = () => z.pipe(z.union([z.number(), z.string().check(z.regex(/^\d{1,9}$/))]), z.transform(Number));
const responseSchema = () =>
  z.object({
    access_token: z
      .string("access_token is missing or not a string")
      .check(
        z.minLength(MIN_TOKEN_LENGTH, `access_token is shorter than ${MIN_TOKEN_LENGTH} characters`),
        z.maxLength(MAX_TOKEN_LENGTH, `access_token is longer than ${MAX_TOKEN_LENGTH} characters`),
        z.regex(
          B64TOKEN,
          "access_token contains a character that RFC 6750 section 2.1 does not allow: only A-Z, a-z, 0-9, and -._~+/ are, and = at the end",
        ),
      ),
    token_type: z.string().check(z.regex(/^bearer$/i)),
    expires_in: z.optional(z.pipe(seconds(), z.number().check(z.gt(0), z.lte(DAY)))),
    scope: z.optional(z.string()),
  });

/** Replace the messages of the schema for all fields except `access_token`. */
const FIELD_ERRORS: Readonly<Partial<Record<PropertyKey, string>>> = {
  token_type: "token_type is not Bearer",
  expires_in: "expires_in is not a positive number of seconds up to one day",
  scope: "scope is not a string",
};

const errorSchema = () =>
  z.object({ error: z.string().check(z.minLength(1)), error_description: z.optional(z.unknown()) });
type OAuthErrorResponse = z.infer<ReturnType<typeof errorSchema>>;

/** The error codes of RFC 6749, sections 4.1.2.1 and 5.2. Only these are shown verbatim. */
export const OAUTH_ERRORS: ReadonlySet<string> = new Set([
  "invalid_request",
  "invalid_client",
  "invalid_grant",
  "unauthorized_client",
  "unsupported_grant_type",
  "unsupported_response_type",
  "invalid_scope",
  "access_denied",
  "server_error",
  "temporarily_unavailable",
]);
/** The OAuth error codes that have their own hint. */
const ERROR_CODES = ["invalid_client", "invalid_scope", "unauthorized_client", "access_denied"] as const;
/** Errors defined in RFC 6749 section 4.1.2.1 that servers also return from the token endpoint. */
const RETRYABLE_ERRORS: ReadonlyMap<string, FailureType> = new Map([
  ["server_error", "transient"],
  ["temporarily_unavailable", "overloaded"],
]);

/** Options of {@link parseTokenResponse}. */
export interface TokenResponseOptions {
  readonly quote: Redactor["quote"];
  /** Receives all tokens in the body before any text is quoted, so that they are redacted. */
  readonly onToken: (token: string) => void;
  readonly clientId: string;
  readonly requestedScope: string;
  /** A possible reason why the client secret is wrong, for the hint. */
  readonly secretWarning?: string | undefined;
}

/** Parses the response from the token endpoint. */
export function parseTokenResponse(response: HttpResponse, options: TokenResponseOptions): Outcome<TokenResponse> {
  const { status } = response;
  const body = parseJson(response.body);
  for (const token of findTokens(body)) options.onToken(token);
  const { data: oauthError } = errorSchema().safeParse(body);
  const statusDecides = status in RETRYABLE_STATUS || (status >= 300 && status < 400) || status >= 500;
  if (oauthError && !statusDecides) return parseOAuthError(oauthError, status, options);
  const detail = oauthError && describeError(oauthError, options.quote);
  const failure = classifyJsonResponse("token", response, options.quote, detail);
  // A 401 without an OAuth error also means that client authentication failed (RFC 6749 section 5.2), unless a proxy
  // sent an HTML page.
  if (failure && status === 401 && (body !== undefined || response.body.trim() === ""))
    return permanent(failure.error.description, {
      ...{ kind: "rejected", code: "invalid_client", status },
      hint: getHint("invalid_client", options),
    });
  if (failure) return failure;
  const parsed = responseSchema().safeParse(body);
  if (parsed.success) {
    const { access_token: accessToken, expires_in: expiresIn, scope } = parsed.data;
    return { type: "success", value: { accessToken, expiresIn, scope } };
  }
  const { path: [field] = [], message } = parsed.error.issues[0] ?? {};
  const reason = field === undefined ? "not a JSON object" : (FIELD_ERRORS[field] ?? message ?? "");
  return permanent(`invalid token response: ${reason}.`, { kind: "protocol", code: "invalid_token_response" });
}

const permanent = (description: string, options: AuthErrorOptions): Failure => ({
  type: "permanent",
  error: new AuthError(description, options),
});

const getHint = (code: AuthErrorCode, { secretWarning }: TokenResponseOptions): string =>
  code === "invalid_client" && secretWarning !== undefined ? `${secretWarning} ${HINTS[code]}` : HINTS[code];

function parseOAuthError(response: OAuthErrorResponse, status: number, options: TokenResponseOptions): Failure {
  const { quote, clientId, requestedScope } = options;
  const { error } = response;
  const value = { invalid_scope: `requested ${quote(requestedScope)}`, invalid_client: `client ID ${quote(clientId)}` };
  const detail = error === "invalid_scope" || error === "invalid_client" ? ` (${value[error]})` : "";
  const description = `token request rejected (status ${status}): ${describeError(response, quote)}${detail}.`;
  const oauthError = quoteErrorCode(error, quote);
  const type = RETRYABLE_ERRORS.get(error);
  if (type)
    return { type, error: new AuthError(description, { kind: "server", code: "server_error", status, oauthError }) };
  const code = ERROR_CODES.find((known) => known === error) ?? "oauth_error";
  return permanent(description, { kind: "rejected", code, status, oauthError, hint: getHint(code, options) });
}

function describeError({ error, error_description: text }: OAuthErrorResponse, quote: Redactor["quote"]): string {
  return [quoteErrorCode(error, quote), ...(typeof text === "string" && text !== "" ? [quote(text)] : [])].join(": ");
}

/** Maximum length of a quoted error code, in characters. All registered codes are shorter. */
const MAX_ERROR_CODE_LENGTH = 60;
const quoteErrorCode = (error: string, quote: Redactor["quote"]): string =>
  OAUTH_ERRORS.has(error) ? error : quote(error, MAX_ERROR_CODE_LENGTH);

const MAX_TOKENS = 4;

/** Finds possible tokens in a response of any shape: the words in `access_token`. */
function findTokens(body: unknown): readonly string[] {
  const { data } = z.object({ access_token: z.string() }).safeParse(body);
  const words = data?.access_token.split(/\s/) ?? [];
  return words.filter(({ length }) => length >= MIN_TOKEN_LENGTH && length <= MAX_TOKEN_LENGTH).slice(0, MAX_TOKENS);
}
