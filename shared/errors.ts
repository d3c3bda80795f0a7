import { HINTS } from "./hints.ts";
import { getErrorPage } from "./version.ts";

/**
 * The category of a failure, for programs to branch on. Versions 1.x have no other categories.
 *
 * - `config`: invalid fields, options, or proxy variables; nothing was sent
 * - `file`: the auth file or its directory cannot be used
 * - `network`, `timeout`: no response, or no complete response within the time limit
 * - `rate_limited`: HTTP 429
 * - `server`: HTTP 408, or a 5xx status that is retried
 * - `rejected`: any other error response; `oauthError` is set if it is an OAuth error (RFC 6749 section 5.2)
 * - `protocol`: a response that violates the RFCs
 * - `verification`: a token that failed verification
 * - `aborted`: the caller's signal was aborted
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

/** The exact failure. Each code has a hint that says what to do. */
export type AuthErrorCode =
  | "invalid_config"
  | "client_secret_unavailable"
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

/** One configuration problem. No property contains a secret. */
export interface ConfigIssue {
  /** The option, environment variable, or argument, as the caller spells it. */
  readonly field: string;
  /** The rest of a sentence that starts with the field, for example "is required". */
  readonly message: string;
  /** How to fix the problem. */
  readonly hint: string;
  /** Set if the field is required but is missing or blank. */
  readonly code?: "required";
}

/**
 * Properties of an AuthError. By default, `attempts` is 0, `issues` is empty, `docs` is the section about the code, and
 * `requestSent` is true unless the kind is `config` or `file`.
 */
export interface AuthErrorOptions extends Partial<
  Pick<AuthError, "attempts" | "status" | "oauthError" | "retryAfterMs" | "issues" | "requestSent" | "docs">
> {
  readonly kind: AuthErrorKind;
  readonly code: AuthErrorCode;
  /** Default: the hint for the code. */
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
  aborted: "Aborted",
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
 * Any failure in this package except an SCM API error. `message` says what happened, `hint` says what to do, and `docs`
 * is a link to more about it. None of them contains a secret.
 *
 * The message starts with `Network error:` (`network`, `timeout`), `HTTP error:` (`rate_limited`, `server`, `rejected`
 * without an OAuth error), `Configuration error:`, `File error:`, `Aborted:`, or `Authentication error:` (all others).
 *
 * `cause` contains only the name and code of the underlying error. If the caller's signal was aborted or the caller's
 * `clientSecret` function failed, it is the abort reason or the error of that function. JSON omits it.
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
  readonly kind: AuthErrorKind;
  readonly code: AuthErrorCode;
  /** What to do about the error. */
  readonly hint: string;
  /** The URL of the section about this failure in the documentation. */
  readonly docs: string;
  /** Whether the same call may succeed later without any changes. */
  readonly retryable: boolean;
  /** The number of attempts made for the failed request, including the first; 0 if none was made. */
  readonly attempts: number;
  /** The HTTP status of the response that caused the error; undefined if there was none. */
  readonly status: number | undefined;
  /** The OAuth error code (RFC 6749 section 5.2), for example `invalid_client`; undefined if there was none. */
  readonly oauthError: string | undefined;
  /** The delay in milliseconds that the server requested with `Retry-After` (RFC 9110 section 10.2.3). */
  readonly retryAfterMs: number | undefined;
  /** All configuration problems if the kind is `config`; otherwise empty. */
  readonly issues: readonly ConfigIssue[];
  /** Whether the request may have reached the server and been processed. */
  readonly requestSent: boolean;
  /** The message without its prefix. @internal */
  readonly description: string;

  constructor(description: string, options: AuthErrorOptions) {
    const { kind, code, cause, oauthError } = options;
    // An OAuth error response concerns the identity; any other rejection concerns HTTP.
    const prefix = kind === "rejected" && oauthError !== undefined ? "Authentication error" : PREFIX[kind];
    // An abort reason, and an error of the caller's own function, are kept unchanged.
    const isCallers = kind === "aborted" || code === "client_secret_unavailable";
    const shownCause = isCallers || cause === undefined ? cause : sanitizeCause(cause);
    super(`${prefix}: ${description}`, cause === undefined ? {} : { cause: shownCause });
    this.kind = kind;
    this.code = code;
    this.hint = options.hint ?? HINTS[code];
    this.docs = options.docs ?? getErrorPage(code);
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

  /** Returns a copy of this error with a different description or options. @internal */
  with(description: string, changes: Partial<AuthErrorOptions> = {}): AuthError {
    return new AuthError(description, { ...this, cause: this.cause, ...changes });
  }

  /** Whether `value` is an AuthError, including one created by another copy of this package (ESM and CommonJS). */
  static isAuthError(value: unknown): value is AuthError {
    return typeof value === "object" && value !== null && BRAND in value;
  }

  /** Makes `JSON.stringify` include the name and the message, which it omits for other errors. */
  toJSON(): object {
    return Object.assign({ name: this.name, message: this.message }, this);
  }
}
// On the prototype, so that `stack` starts with it.
AuthError.prototype.name = "AuthError";

/** Omits the message, because messages from other libraries may quote their input. */
function sanitizeCause(cause: unknown): { readonly name: string; readonly code: string | undefined } {
  const hasName = typeof cause === "object" && cause !== null && "name" in cause && typeof cause.name === "string";
  return { name: hasName ? (cause.name as string) : typeof cause, code: getErrorCode(cause) };
}

/** The `code` of a Node error, for example `ECONNREFUSED`; for an AggregateError, that of its first error. */
export function getErrorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  if ("code" in error && typeof error.code === "string") return error.code;
  return error instanceof AggregateError ? getErrorCode(error.errors[0]) : undefined;
}

/** Combines all configuration issues into one error. */
export function configError(issues: readonly ConfigIssue[]): AuthError {
  const description = `${issues.map(({ field, message }) => `${field} ${message}`).join("; ")}.`;
  const hint = [...new Set(issues.map((issue) => issue.hint))].join(" ");
  return new AuthError(description, { kind: "config", code: "invalid_config", issues, hint });
}

/** Creates the error for a token that must not be used. */
export const verificationError = (code: AuthErrorCode, description: string): AuthError =>
  new AuthError(description, { kind: "verification", code });

/** Creates the error for an aborted signal; `cause` is the abort reason. */
export const abortedError = (cause?: unknown, requestSent = true): AuthError =>
  new AuthError("the caller's signal was aborted.", { kind: "aborted", code: "aborted", cause, requestSent });

/** The access token has expired. An AuthError of kind `verification` with code `token_expired`. */
export class TokenExpiredError extends AuthError {
  constructor(description = "the access token has expired.") {
    super(description, { kind: "verification", code: "token_expired" });
  }
}
TokenExpiredError.prototype.name = "TokenExpiredError";
