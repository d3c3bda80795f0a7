import { AuthError, type AuthErrorOptions } from "../errors.ts";
import type { RequestName } from "../events.ts";
import { HINTS } from "../hints.ts";
import type { Redactor } from "../redact.ts";
import type { HttpResponse } from "./request.ts";
import { REQUEST_LABELS, RETRYABLE_STATUS, type Failure, type FailureType } from "./retry.ts";

/** Parses `body`; returns undefined if it is not JSON. */
export function parseJson(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}

/** Whether the response is an HTML page, for example from a captive portal, a proxy, or a firewall. */
const isHtml = ({ headers, body }: HttpResponse): boolean =>
  /^text\/html\b/i.test(headers["content-type"] ?? "") || /^\s*<(!doctype|html|head|body)\b/i.test(body);

/**
 * The error for a retryable status, thrown if the last attempt fails.
 *
 * @param help - replaces the hint and the link for the code
 */
export const retryableStatusError = (
  description: string,
  status: number,
  help: Pick<AuthErrorOptions, "hint" | "docs"> = {},
): AuthError =>
  new AuthError(
    description,
    status === 429
      ? { kind: "rate_limited", code: "rate_limited", status, ...help }
      : { kind: "server", code: "server_error", status, ...help },
  );

/**
 * Performs the checks that apply to all JSON responses, starting with the status.
 *
 * @param quote - quotes text from the server
 * @param detail - the server's own description, already quoted
 * @returns undefined for a 2xx response with JSON
 */
export function classifyJsonResponse(
  name: RequestName,
  response: HttpResponse,
  quote: Redactor["quote"],
  detail?: string,
): Failure | undefined {
  const { status } = response;
  const label = `the ${REQUEST_LABELS[name]}`;
  const failed = `${label} failed with status ${status}`;
  const fail = (type: FailureType, description: string, options: AuthErrorOptions): Failure => ({
    type,
    error: new AuthError(description, { status, ...options }),
  });
  const description = detail === undefined || detail === "" ? `${failed}.` : `${failed}: ${detail.replace(/\.$/, "")}.`;
  const retryable = RETRYABLE_STATUS[status];
  if (retryable) return { type: retryable.type, error: retryableStatusError(description, status) };
  if (status >= 300 && status < 400) {
    const redirect = `${failed} (redirect to ${quote(response.headers.location ?? "an unknown URL")}).`;
    return fail("permanent", redirect, { kind: "rejected", code: "unexpected_redirect" });
  }
  const isPage = isHtml(response);
  if (status < 200 || status > 299) {
    const hint = isPage ? HINTS.html_response : undefined;
    return fail("permanent", description, { kind: "rejected", code: "http_error", hint });
  }
  if (isPage) return fail("permanent", `${label} returned an HTML page.`, { kind: "protocol", code: "html_response" });
  if (parseJson(response.body) === undefined)
    return fail("transient", `${label} did not return JSON.`, { kind: "protocol", code: "invalid_json" });
  return undefined;
}
