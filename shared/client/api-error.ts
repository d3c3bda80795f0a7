/** What the SCM API says of a call that failed. No text in it holds a secret. */
export interface ApiErrorDetails {
  /** HTTP status of its answer. */
  readonly status: number;
  /** The API's own code, as `E003`; undefined when the answer was none of its errors. */
  readonly code?: string | undefined;
  /** The API's id of this request, for its support. */
  readonly requestId?: string | undefined;
  /** What the API adds, as it came: any JSON. */
  readonly details?: unknown;
}

const BRAND = Symbol.for("scm-auth.ApiError");

/**
 * A call to the SCM API that was answered with an error. Its answers look like
 * `{"_errors": [{"code", "message", "details"}], "_request_id"}` (pan.dev, SCM API reference). Its message begins with
 * `the API answered` and tells status, code and what the API says.
 */
export class ApiError extends Error implements ApiErrorDetails {
  override readonly name = "ApiError";
  /** HTTP status of its answer; a success when the answer itself was not as it must be. */
  readonly status: number;
  /** The API's own code, as `E003`; undefined when the answer was none of its errors. */
  readonly code: string | undefined;
  /** The API's id of this request, for its support; undefined when it gave none. */
  readonly requestId: string | undefined;
  /** What the API adds, any JSON; undefined when it adds nothing. */
  readonly details: unknown;

  constructor(message: string, { status, code, requestId, details }: ApiErrorDetails) {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
    this.details = details;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Whether `value` is an ApiError, also one of another copy of this package. */
  static isApiError(value: unknown): value is ApiError {
    return typeof value === "object" && value !== null && BRAND in value;
  }
}
