import * as z from "zod/mini";
import type { Clock } from "./clock.ts";
import { parseJson } from "./http/json-response.ts";
import type { HttpResponse } from "./http/request.ts";
import { parseRetryAfter, RETRYABLE_STATUS, toRetryAfterMs } from "./http/retry.ts";
import { HINTS } from "./hints.ts";
import type { Redactor } from "./redact.ts";
import { getErrorPage } from "./version.ts";

/** Details of a failed SCM API request. No property contains a secret. */
export interface ApiErrorOptions {
  readonly status: number;
  readonly code?: string | undefined;
  readonly requestId?: string | undefined;
  readonly details?: unknown;
  readonly retryAfterMs?: number | undefined;
  /** Default: the hint for the status. */
  readonly hint?: string | undefined;
}

const BRAND = Symbol.for("scm-auth.ApiError");

/** The hint for a status, or for a class of statuses. The key is part of the anchor in the documentation. */
export const STATUS_HINTS = {
  "2xx": "Use session.send() for responses that are not JSON.",
  "3xx": "Redirects are not followed. Check the path and apiUrl.",
  400: "Fix the request according to the API's error code and details.",
  401: "The API rejected a token that the authorization server issued. Check that apiUrl belongs to the same service.",
  403: "Assign the service account a role in this tenant that permits the request (Identity & Access in Strata Cloud Manager).",
  404: "Check the path, the ID, and the folder, snippet, or device in the query.",
  409: "Another object has the same name, or other objects refer to this one.",
  429: "The API limits requests. Send fewer at a time, or raise maxRetries and timeout.",
  "5xx": HINTS.server_error,
} as const;

/** A status with its own hint, or a class of statuses. */
export type ApiErrorGroup = `${keyof typeof STATUS_HINTS}`;

function getGroup(status: number): keyof typeof STATUS_HINTS {
  if (status >= 500) return "5xx";
  if (status < 400) return status < 300 ? "2xx" : "3xx";
  if (Object.hasOwn(STATUS_HINTS, status)) return status as keyof typeof STATUS_HINTS;
  return status in RETRYABLE_STATUS ? "5xx" : 400;
}

/** Returns the hint for a status and the URL of its section in the documentation. */
export function getStatusHelp(status: number): Pick<ApiError, "hint" | "docs"> {
  const group = getGroup(status);
  return { hint: STATUS_HINTS[group], docs: getErrorPage(`api_${group}`) };
}

/**
 * An error response from the SCM API: `{"_errors": [{"code", "message", "details"}], "_request_id"}` (pan.dev, SCM API
 * reference). The message starts with `the API responded with status` and contains the API's code and message.
 */
export class ApiError extends Error implements ApiErrorOptions {
  /** The HTTP status. It is a success status if the response body was not as expected. */
  readonly status: number;
  /** The API's error code, for example `E003`; undefined if the response has none. */
  readonly code: string | undefined;
  /** The API's request ID, for support cases; undefined if the response has none. */
  readonly requestId: string | undefined;
  /** The API's error details, which can be any JSON value; undefined if the response has none. */
  readonly details: unknown;
  /** Whether the same call may succeed later without any changes: after a 408, 429, 500, 502, 503, or 504. */
  readonly retryable: boolean;
  /** The delay in milliseconds that the API requested with `Retry-After` (RFC 9110 section 10.2.3). */
  readonly retryAfterMs: number | undefined;
  /** What to do about the error. */
  readonly hint: string;
  /** The URL of the section about this status in the documentation. */
  readonly docs: string;

  constructor(message: string, { status, code, requestId, details, retryAfterMs, hint }: ApiErrorOptions) {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
    this.details = details;
    this.retryable = status in RETRYABLE_STATUS;
    this.retryAfterMs = retryAfterMs;
    const help = getStatusHelp(status);
    this.hint = hint ?? help.hint;
    this.docs = help.docs;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Whether `value` is an ApiError, including one created by another copy of this package (ESM and CommonJS). */
  static isApiError(value: unknown): value is ApiError {
    return typeof value === "object" && value !== null && BRAND in value;
  }

  /** Makes `JSON.stringify` include the name and the message, which it omits for other errors. */
  toJSON(): object {
    return Object.assign({ name: this.name, message: this.message }, this);
  }
}
ApiError.prototype.name = "ApiError";

const errorResponse = z.object({
  _errors: z.array(
    z.object({ code: z.optional(z.string()), message: z.optional(z.string()), details: z.optional(z.unknown()) }),
  ),
  _request_id: z.optional(z.string()),
});

/** Creates the error for an error response. */
export function toApiError(response: HttpResponse, redactor: Redactor, clock: Clock): ApiError {
  const { status, body } = response;
  const parsed = errorResponse.safeParse(parseJson(body));
  const { _errors: errors, _request_id: requestId } = parsed.success ? parsed.data : { _errors: [] };
  const [first, ...more] = errors;
  const { code, message, details } = first ?? {};
  const quoted = [code, message].flatMap((text) =>
    text === undefined ? [] : [redactor.quote(text).replace(/\.$/, "")],
  );
  const suffix = more.length > 0 ? ` (and ${more.length} more)` : "";
  return new ApiError(
    `the API responded with status ${status}${quoted.map((text) => `: ${text}`).join("")}${suffix}.`,
    {
      status,
      code: code === undefined ? undefined : redactor.quote(code),
      requestId: requestId === undefined ? undefined : redactor.quote(requestId),
      details: redactDetails(details, redactor),
      ...toRetryAfterMs(parseRetryAfter(response, clock)),
    },
  );
}

/** Returns undefined if the details are nested too deeply for JSON.stringify, which is recursive. */
function redactDetails(details: unknown, redactor: Redactor): unknown {
  if (details === undefined) return undefined;
  try {
    return parseJson(redactor.redact(JSON.stringify(details)));
  } catch {
    return undefined;
  }
}
