import { FIELD_NAMES, nameFields, nameProblem, type FieldNames, type Problem } from "./fields.ts";
import { hints, type Hints } from "./hints.ts";

/**
 * What went wrong, coarsely: the branch a program takes.
 *
 * - `config`: what the program gave (fields, options, proxy variables), before anything is sent
 * - `network`, `timeout`: no answer, or none that was complete in time
 * - `rate_limited`, `server`: HTTP 429; HTTP 408 and the 5xx that are worth a repeat
 * - `rejected`: any other answer that refuses, with `oauthError` when it is one of RFC 6749 section 5.2
 * - `protocol`: an answer that is not as the RFCs write it
 * - `verification`: a token that does not prove itself
 * - `aborted`: the caller's signal
 */
export type AuthErrorKind =
  "config" | "network" | "timeout" | "aborted" | "rate_limited" | "server" | "rejected" | "protocol" | "verification";

/** What went wrong, exactly. A key of the table of hints. */
export type AuthErrorCode = keyof Hints;

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
  /** What the server asked for in `Retry-After`, in milliseconds. */
  readonly retryAfterMs?: number;
  /** Replaces the hint that belongs to the code, or is it where the table lies elsewhere. May name fields as `{tsgId}`. */
  readonly hint?: string;
  /** What is wrong with what the user gave. May name fields as `{tsgId}`. */
  readonly problems?: readonly Problem[];
  /** What the reader calls the fields. Default: as the library does. @internal */
  readonly names?: FieldNames;
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
/** Codes that do not, whatever their kind. */
const FINAL: ReadonlySet<AuthErrorCode> = new Set(["unknown_host", "untrusted_certificate", "proxy_auth_required"]);
/** Codes that may, whatever their kind. */
const PASSING: ReadonlySet<AuthErrorCode> = new Set(["not_json"]);

const BRAND = Symbol.for("scm-auth.AuthError");

/** How the tries of a request ended. */
export interface AttemptsEnd {
  /** Why they ended early. */
  readonly because?: string;
  /** What the server asked for at the last one, in milliseconds. */
  readonly retryAfterMs?: number;
}

/**
 * Every failure of a sign-in. `message` says what happened and `hint` what to do; neither holds a secret, and
 * `cause` is a copy of name and code alone. The message begins with `Network error:` (kinds `network`, `timeout`),
 * `HTTP error:` (`rate_limited`, `server`, `rejected` without an OAuth error) or `Authentication error:` (all else).
 *
 * @example
 * ```ts
 * try {
 *   await client.refreshToken();
 * } catch (error) {
 *   if (!AuthError.isAuthError(error)) throw error;
 *   console.error(error.message, error.hint);
 *   if (error.code === "invalid_client") await askForAnotherSecret();
 * }
 * ```
 */
export class AuthError extends Error {
  override readonly name: string = "AuthError";
  /** What went wrong, coarsely. */
  readonly kind: AuthErrorKind;
  /** What went wrong, exactly. */
  readonly code: AuthErrorCode;
  /** Whether the same sign-in may succeed later, with nothing changed. */
  readonly retryable: boolean;
  /** Tries that were made of the request that failed, the first included; 0 when none was. */
  readonly attempts: number;
  /** HTTP status of the answer that decided; undefined when there was none. */
  readonly status: number | undefined;
  /** The `error` of RFC 6749 section 5.2, as `invalid_client`; undefined when the server gave none. */
  readonly oauthError: string | undefined;
  /** What the server asked to wait in `Retry-After` (RFC 9110 section 10.2.3), in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** Of kind `config`: everything that is wrong with what was given, in the reader's names. Otherwise empty. */
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
    this.problems = this.problemsWith(details.names ?? FIELD_NAMES);
    this.requestSent = details.requestSent ?? true;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** What to do: a sentence for the person who reads the log. */
  get hint(): string {
    return this.hintWith(this.#details.names ?? FIELD_NAMES);
  }

  /** What to do, in the words of one front door. @internal */
  hintWith(names: FieldNames): string {
    return nameFields(this.#details.hint ?? hintOf(this.code), names);
  }

  /** The problems, in the words of one front door. @internal */
  problemsWith(names: FieldNames): readonly Problem[] {
    return (this.#details.problems ?? []).map((problem) => nameProblem(problem, names));
  }

  /** The same failure, told with the number of tries made and, if they ended early, why. @internal */
  after(attempts: number, { because, retryAfterMs = this.retryAfterMs }: AttemptsEnd = {}): AuthError {
    const tries = attempts > 1 ? [`${String(attempts)} tries`] : [];
    const told = [...tries, ...(because === undefined ? [] : [because])].join("; ");
    const what = told === "" ? this.#what : `${this.#what.replace(/\.$/, "")} (${told}).`;
    const details = { ...this.#details, attempts, ...(retryAfterMs !== undefined && { retryAfterMs }) };
    return new AuthError(what, { ...details, ...(this.cause !== undefined && { cause: this.cause }) });
  }

  /** The same failure, told with what it happened to. @internal */
  during(name: string): AuthError {
    const { cause } = this;
    return new AuthError(`${name}: ${this.#what}`, { ...this.#details, ...(cause !== undefined && { cause }) });
  }

  /** Whether `value` is an AuthError, also one of another copy of this package (ESM beside CommonJS). */
  static isAuthError(value: unknown): value is AuthError {
    return typeof value === "object" && value !== null && BRAND in value;
  }
}

/** Errors of handing a token on bring their hint along: their table is not part of every bundle. */
const hintOf = (code: AuthErrorCode): string => (hints as Readonly<Record<string, string>>)[code] ?? "";

/** A config error made of all `problems`, told in the names of one front door. */
export function configError(problems: readonly Problem[], names: FieldNames = FIELD_NAMES): AuthError {
  const told = problems.map((problem) => nameProblem(problem, names));
  const what = told.map(({ field, reason }) => `${field} ${reason}`).join("; ");
  return new AuthError(`${what}.`, { kind: "config", code: "invalid_config", problems, names });
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

/** A token that has ended: of kind `verification` with the code `token_expired`, by which copies tell it too. */
export class TokenExpiredError extends AuthError {
  override readonly name = "TokenExpiredError";

  /** @param error - what found it out */
  constructor(error: AuthError) {
    super(error.message.replace(/^[^:]+: /, ""), { kind: "verification", code: "token_expired" });
  }
}
