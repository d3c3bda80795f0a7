import { FIELD_NAMES, nameFields, nameOf, type FieldNames, type Problem } from "./fields.ts";
import { hints } from "./hints.ts";

/** What went wrong, coarsely: the branch a program takes. */
export type AuthErrorKind =
  "config" | "network" | "timeout" | "aborted" | "rate_limited" | "server" | "rejected" | "protocol" | "verification";

/** What went wrong, exactly. A key of the table of hints. */
export type AuthErrorCode = keyof typeof hints;

/** Everything that an AuthError tells beside its message. */
export interface AuthErrorDetails {
  readonly kind: AuthErrorKind;
  readonly code: AuthErrorCode;
  /** Tries that were made of the request, the first included. */
  readonly attempts?: number;
  /** HTTP status of the answer that decided. */
  readonly status?: number;
  /** The `error` of RFC 6749 section 5.2. */
  readonly oauthError?: string;
  /** What the server asked for in `Retry-After`. */
  readonly retryAfterMs?: number;
  /** Replaces the hint that belongs to the code. May name fields as `{tsgId}`. */
  readonly hint?: string;
  readonly problems?: readonly Problem[];
  /** Whether the request may have reached the server. Default: true. */
  readonly requestSent?: boolean;
  readonly cause?: unknown;
}

const PREFIX: Readonly<Record<AuthErrorKind, string>> = Object.freeze({
  network: "Network error",
  timeout: "Network error",
  rate_limited: "HTTP error",
  server: "HTTP error",
  rejected: "HTTP error",
  config: "Authentication error",
  aborted: "Authentication error",
  protocol: "Authentication error",
  verification: "Authentication error",
});

/** A refusal with an OAuth `error` is about who signs in, one without about HTTP. */
const prefixOf = ({ kind, oauthError }: AuthErrorDetails): string =>
  kind === "rejected" && oauthError !== undefined ? "Authentication error" : PREFIX[kind];

/** Kinds of failure that may pass by themselves. */
const RETRYABLE: ReadonlySet<AuthErrorKind> = new Set(["network", "timeout", "rate_limited", "server"]);
/** ... except these, and beside them these. */
const FINAL: ReadonlySet<AuthErrorCode> = new Set(["unknown_host", "untrusted_certificate", "proxy_auth_required"]);
const PASSING: ReadonlySet<AuthErrorCode> = new Set(["not_json"]);

const BRAND = Symbol.for("scm-auth.AuthError");

/**
 * Every failure of a sign-in. `message` says what happened and `hint` what to do; neither holds a secret, and
 * `cause` is a copy of name, code and message alone.
 */
export class AuthError extends Error {
  override readonly name: string = "AuthError";
  readonly kind: AuthErrorKind;
  readonly code: AuthErrorCode;
  readonly retryable: boolean;
  readonly attempts: number;
  readonly status: number | undefined;
  readonly oauthError: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly problems: readonly Problem[];
  /** Whether the request may have reached the server, and so have been carried out. */
  readonly requestSent: boolean;
  readonly #what: string;
  readonly #details: AuthErrorDetails;

  constructor(what: string, details: AuthErrorDetails) {
    super(`${prefixOf(details)}: ${what}`, details.cause === undefined ? {} : { cause: sanitisedCause(details.cause) });
    this.kind = details.kind;
    this.code = details.code;
    this.retryable = (RETRYABLE.has(details.kind) && !FINAL.has(details.code)) || PASSING.has(details.code);
    this.attempts = details.attempts ?? 0;
    this.status = details.status;
    this.oauthError = details.oauthError;
    this.retryAfterMs = details.retryAfterMs;
    this.#what = what;
    this.#details = { ...details, cause: undefined };
    this.problems = details.problems ?? [];
    this.requestSent = details.requestSent ?? true;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** What to do. */
  get hint(): string {
    return this.hintWith(FIELD_NAMES);
  }

  /** What to do, in the words of one front door. */
  hintWith(names: FieldNames): string {
    return nameFields(this.#details.hint ?? hints[this.code], names);
  }

  /** The same failure, told with the number of tries made and, if they ended early, why. */
  after(attempts: number, end?: { readonly because: string; readonly retryAfterMs?: number }): AuthError {
    const tries = attempts > 1 ? [`${String(attempts)} tries`] : [];
    const told = [...tries, ...(end ? [end.because] : [])].join("; ");
    const what = told === "" ? this.#what : `${this.#what.replace(/\.$/, "")} (${told}).`;
    const { retryAfterMs = this.retryAfterMs } = end ?? {};
    const details = { ...this.#details, attempts, ...(retryAfterMs !== undefined && { retryAfterMs }) };
    return new AuthError(what, { ...details, ...(this.cause !== undefined && { cause: this.cause }) });
  }

  /** The same failure, told with what it happened to. */
  during(name: string): AuthError {
    const { cause } = this;
    return new AuthError(`${name}: ${this.#what}`, { ...this.#details, ...(cause !== undefined && { cause }) });
  }

  /** Whether `value` is an AuthError, also one of another copy of this package (ESM beside CommonJS). */
  static isAuthError(value: unknown): value is AuthError {
    return typeof value === "object" && value !== null && BRAND in value;
  }
}

/** A config error made of all `problems`, told in the names of one front door. */
export function configError(problems: readonly Problem[], names: FieldNames = FIELD_NAMES): AuthError {
  const what = problems.map(({ field, reason }) => nameFields(`${nameOf(field, names)} ${reason}`, names)).join("; ");
  return new AuthError(`${what}.`, { kind: "config", code: "invalid_config", problems });
}

/** The message stays out: what libraries write there is theirs, and may quote what they were given. */
function sanitisedCause(cause: unknown): { readonly name: string; readonly code: string | undefined } {
  const named = typeof cause === "object" && cause !== null && "name" in cause && typeof cause.name === "string";
  return { name: named ? (cause.name as string) : typeof cause, code: errorCode(cause) };
}

/** The caller wants no answer any more. */
export const abortedError = (): AuthError =>
  new AuthError("the request was ended by its caller.", { kind: "aborted", code: "aborted" });

/** Node's `code` of an error (`ECONNREFUSED`), its first part's when it gathers several. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  if ("code" in error && typeof error.code === "string") return error.code;
  return error instanceof AggregateError ? errorCode(error.errors[0]) : undefined;
}

/** A token that has ended. `code` is `token_expired`. */
export class TokenExpiredError extends AuthError {
  override readonly name = "TokenExpiredError";

  /** @param error - what found it out */
  constructor(error: AuthError) {
    super(error.message.replace(/^[^:]+: /, ""), { kind: "verification", code: "token_expired" });
  }
}
