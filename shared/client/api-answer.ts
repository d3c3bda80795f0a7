import * as z from "zod/mini";
import { parseJson, passingError } from "../http/json-answer.ts";
import { RETRIED_STATUS, type RetryFailure, type Verdict } from "../http/retry.ts";
import type { HttpAnswer, HttpMethod } from "../http/send.ts";
import type { AuthError } from "../report/errors.ts";
import type { Redactor } from "../report/redactor.ts";
import { ApiError } from "./api-error.ts";

/** Methods that may be repeated, since twice is as once (RFC 9110 section 9.2.2). */
export const IDEMPOTENT: ReadonlySet<HttpMethod> = new Set(["GET", "HEAD", "PUT", "DELETE"]);

/**
 * What an answer of the API means for repeats. A call that might have been carried out is repeated only when its
 * method allows it; a 429, and a 503 that says when to come again, were not carried out.
 */
export function judgeApi(answer: HttpAnswer, method: HttpMethod): Verdict<HttpAnswer> {
  const { status, headers } = answer;
  const retried = RETRIED_STATUS[status];
  const untouched = status === 429 || (status === 503 && headers["retry-after"] !== undefined);
  if (retried === undefined || !(IDEMPOTENT.has(method) || untouched)) return { is: "done", value: answer };
  return { is: retried, error: passingError(`the API answered with status ${status}.`, status) };
}

/** Whether a call that got no answer is repeated. */
export function repeatFailure(error: AuthError, method: HttpMethod): RetryFailure {
  if (!error.retryable || !(IDEMPOTENT.has(method) || !error.requestSent)) return "final";
  return error.code === "no_answer" ? "overload" : "fault";
}

/**
 * @param redactor - hides the secrets of the call in what the API says of it; made when that is to be told
 * @throws ApiError unless the answer is a success; its JSON body, undefined when it has none
 */
export function readApiBody(answer: HttpAnswer, method: HttpMethod, redactor: () => Redactor): unknown {
  const { status, body } = answer;
  if (status < 200 || status > 299) throw apiErrorOf(answer, redactor());
  if (status === 204 || method === "HEAD" || body === "") return undefined;
  const json = parseJson(body);
  if (json === undefined) throw new ApiError(`the API answered ${status} with a text that is no JSON.`, { status });
  return json;
}

const apiErrors = z.object({
  _errors: z.array(
    z.object({ code: z.optional(z.string()), message: z.optional(z.string()), details: z.optional(z.unknown()) }),
  ),
  _request_id: z.optional(z.string()),
});

/** The error that an answer tells of. */
function apiErrorOf({ status, body }: HttpAnswer, redactor: Redactor): ApiError {
  const parsed = apiErrors.safeParse(parseJson(body));
  const { quote } = redactor;
  const [first, ...more] = parsed.success ? parsed.data._errors : [];
  const said = [first?.code, first?.message]
    .filter((part) => part !== undefined)
    .map((part) => quote(part).replace(/\.$/, ""))
    .join(": ");
  const others = more.length > 0 ? ` (and ${more.length} more)` : "";
  return new ApiError(`the API answered ${status}${said === "" ? "" : `: ${said}`}${others}.`, {
    status,
    code: first?.code === undefined ? undefined : quote(first.code),
    requestId: parsed.success && parsed.data._request_id !== undefined ? quote(parsed.data._request_id) : undefined,
    details: first?.details === undefined ? undefined : parseJson(redactor.redact(JSON.stringify(first.details))),
  });
}
