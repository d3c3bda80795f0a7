import { HINTS } from "./hints.ts";

/**
 * The class of a failure, for programs to branch on.
 *
 * - `config`: invalid fields, options or proxy variables; nothing was sent
 * - `file`: the auth file or its directory cannot be used
 * - `network`, `timeout`: no response, or no complete response in time
 * - `rate_limited`, `server`: HTTP 429; HTTP 408 and the 5xx that are retried
 * - `rejected`: any other error response, with `oauthError` if it is an error of RFC 6749 section 5.2
 * - `protocol`: a response that violates the RFCs
 * - `verification`: a token that failed verification
 * - `aborted`: the caller's signal
 */
export type AuthErrorKind =
  | "config"
  | "file"
  | "network"
  | "timeout"
  | "aborted"
  | "rate_limited"
  | "server"
  | "rejected"
  | "protocol"
  | "verification";

/** What failed, exactly. Each code has a hint that says what to do. */
export type AuthErrorCode =
  | "invalid_config"
  | "not_signed_in"
  | "host_not_found"
  | "dns_lookup_failed"
  | "connection_refused"
  | "connection_lost"
  | "connect_timeout"
  | "response_timeout"
  | "response_truncated"
  | "untrusted_certificate"
  | "tls_handshake_failed"
  | "proxy_url_invalid"
  | "proxy_auth_required"
  | "proxy_refused"
  | "proxy_unreachable"
  | "rate_limited"
  | "server_error"
  | "unexpected_redirect"
  | "http_error"
  | "invalid_client"
  | "invalid_scope"
  | "unauthorized_client"
  | "access_denied"
  | "oauth_error"
  | "html_response"
  | "invalid_json"
  | "response_too_large"
  | "invalid_token_response"
  | "invalid_jwks"
  | "opaque_token"
  | "malformed_token"
  | "algorithm_not_allowed"
  | "signing_key_not_found"
  | "invalid_signature"
  | "missing_claim"
  | "invalid_claim"
  | "audience_mismatch"
  | "issuer_mismatch"
  | "tenant_mismatch"
  | "token_expired"
  | "token_not_yet_valid"
  | "clock_skew"
  | "token_lifetime_unknown"
  | "auth_file_invalid_path"
  | "auth_file_not_managed"
  | "auth_file_in_use"
  | "auth_file_insecure"
  | "auth_file_dir_insecure"
  | "auth_file_permission_denied"
  | "auth_file_disk_full"
  | "auth_file_io_error"
  | "refresher_failed"
  | "sealed_token_expired"
  | "sealed_token_malformed"
  | "sealed_token_decryption_failed"
  | "sealed_token_too_large"
  | "sealed_token_not_jwt"
  | "aborted"
  | "output_write_failed"
  | "internal_error";

/** One thing wrong with the configuration. No text contains a secret. */
export interface ConfigIssue {
  /** The option, environment variable or argument, in the caller's spelling. */
  readonly field: string;
  /** The rest of a sentence that starts with the field: "is required". */
  readonly message: string;
  /** What to write instead. */
  readonly hint: string;
  /** The field is required and missing or blank. */
  readonly code?: "required";
}

/** Properties of an AuthError. Default: 0 attempts, no issues, `requestSent` unless the kind is `config` or `file`. */
export interface AuthErrorOptions extends Partial<
  Pick<AuthError, "attempts" | "status" | "oauthError" | "retryAfterMs" | "issues" | "requestSent">
> {
  readonly kind: AuthErrorKind;
  readonly code: AuthErrorCode;
  /** Default: the hint of the code. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

const PREFIX: Readonly<Record<AuthErrorKind, string>> = Object.freeze({
  config: "Configuration error",
  file: "File error",
  network: "Network error",
  timeout: "Network error",
  rate_limited: "HTTP error",
  server: "HTTP error",
  rejected: "HTTP error",
  aborted: "Authentication error",
  protocol: "Authentication error",
  verification: "Authentication error",
});

const RETRYABLE_KINDS: ReadonlySet<AuthErrorKind> = new Set(["network", "timeout", "rate_limited", "server"]);
const NEVER_RETRYABLE: ReadonlySet<AuthErrorCode> = new Set([
  "host_not_found",
  "untrusted_certificate",
  "proxy_auth_required",
]);
const ALWAYS_RETRYABLE: ReadonlySet<AuthErrorCode> = new Set(["invalid_json"]);

const BRAND = Symbol.for("scm-auth.AuthError");

/**
 * Any failure of this package except errors of the SCM API. `message` says what happened and `hint` what to do; neither
 * contains a secret, and `cause` only has the name and code of the underlying error, or is the reason of an aborted signal. The
 * message starts with `Network error:` (`network`, `timeout`), `HTTP error:` (`rate_limited`, `server`, `rejected`
 * without an OAuth error), `Configuration error:`, `File error:` or `Authentication error:` (all others).
 *
 * @example
 * ```ts
 * try {
 *   await client.refreshToken();
 * } catch (error) {
 *   if (!AuthError.isAuthError(error)) throw error;
 *   console.error(error.message, error.hint);
 *   if (error.code === "invalid_client") await rotateSecret();
 * }
 * ```
 */
export class AuthError extends Error {
  override readonly name: string = "AuthError";
  readonly kind: AuthErrorKind;
  readonly code: AuthErrorCode;
  /** What to do about it. */
  readonly hint: string;
  /** Whether the same call may succeed later with nothing changed. */
  readonly retryable: boolean;
  /** Attempts of the request that failed, including the first; 0 if there was none. */
  readonly attempts: number;
  /** HTTP status of the response that decided; undefined if there was none. */
  readonly status: number | undefined;
  /** The `error` of RFC 6749 section 5.2, for example `invalid_client`. */
  readonly oauthError: string | undefined;
  /** The delay that the server asked for with `Retry-After` (RFC 9110 section 10.2.3), in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** For kind `config`: everything that is wrong. Otherwise empty. */
  readonly issues: readonly ConfigIssue[];
  /** Whether the request may have reached the server and been processed. */
  readonly requestSent: boolean;
  /** The message without its prefix. @internal */
  readonly description: string;

  constructor(description: string, options: AuthErrorOptions) {
    const { kind, code, cause, oauthError } = options;
    // An OAuth error response is about the identity, any other rejection about HTTP.
    const prefix = kind === "rejected" && oauthError !== undefined ? "Authentication error" : PREFIX[kind];
    // The reason of an aborted signal is the caller's own and is kept as it is.
    const shownCause = kind === "aborted" || cause === undefined ? cause : sanitizeCause(cause);
    super(`${prefix}: ${description}`, cause === undefined ? {} : { cause: shownCause });
    this.kind = kind;
    this.code = code;
    this.hint = options.hint ?? HINTS[code];
    this.retryable = (RETRYABLE_KINDS.has(kind) && !NEVER_RETRYABLE.has(code)) || ALWAYS_RETRYABLE.has(code);
    this.attempts = options.attempts ?? 0;
    this.status = options.status;
    this.oauthError = oauthError;
    this.retryAfterMs = options.retryAfterMs;
    this.issues = options.issues ?? [];
    this.requestSent = options.requestSent ?? (kind !== "config" && kind !== "file");
    this.description = description;
    Object.defineProperty(this, "description", { enumerable: false });
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** The same error with another description or other options. @internal */
  with(description: string, changes: Partial<AuthErrorOptions> = {}): AuthError {
    return new AuthError(description, { ...this, cause: this.cause, ...changes });
  }

  /** Whether `value` is an AuthError, including one of another copy of this package (ESM and CommonJS). */
  static isAuthError(value: unknown): value is AuthError {
    return typeof value === "object" && value !== null && BRAND in value;
  }
}

/** The messages of other libraries stay out: they may quote what they were given. */
function sanitizeCause(cause: unknown): { readonly name: string; readonly code: string | undefined } {
  const hasName = typeof cause === "object" && cause !== null && "name" in cause && typeof cause.name === "string";
  return { name: hasName ? (cause.name as string) : typeof cause, code: getErrorCode(cause) };
}

/** The `code` of a Node error, for example `ECONNREFUSED`; the first one of an AggregateError. */
export function getErrorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  if ("code" in error && typeof error.code === "string") return error.code;
  return error instanceof AggregateError ? getErrorCode(error.errors[0]) : undefined;
}

/** One error for all configuration issues. */
export function configError(issues: readonly ConfigIssue[]): AuthError {
  const description = `${issues.map(({ field, message }) => `${field} ${message}`).join("; ")}.`;
  const hint = [...new Set(issues.map((issue) => issue.hint))].join(" ");
  return new AuthError(description, { kind: "config", code: "invalid_config", issues, hint });
}

/** A token that must not be used. */
export const verificationError = (code: AuthErrorCode, description: string): AuthError =>
  new AuthError(description, { kind: "verification", code });

/** The caller's signal was aborted; `cause` is its reason. */
export const abortedError = (cause?: unknown): AuthError =>
  new AuthError("the request was aborted.", { kind: "aborted", code: "aborted", cause });

/** The access token expired: an AuthError of kind `verification` with the code `token_expired`. */
export class TokenExpiredError extends AuthError {
  override readonly name = "TokenExpiredError";

  constructor(description = "the access token has expired.") {
    super(description, { kind: "verification", code: "token_expired" });
  }
}
