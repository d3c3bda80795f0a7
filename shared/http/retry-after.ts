import type { Clock, Milliseconds } from "../clock.ts";
import type { HttpAnswer } from "./send.ts";

/** The three date forms of RFC 9110 section 5.6.7: IMF-fixdate, RFC 850, asctime. */
const HTTP_DATE =
  /^[A-Z][a-z]{2,8}(, \d\d[ -][A-Z][a-z]{2}[ -](\d\d)?\d\d \d\d:\d\d:\d\d GMT| [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})$/;

/**
 * How long the server asks to wait, never negative; `undefined` when it asks for nothing that can be read.
 * A date is counted on the server's own clock where the answer tells it. (RFC 9110 section 10.2.3)
 */
export function retryAfter(
  { headers, clockOffset }: Pick<HttpAnswer, "headers" | "clockOffset">,
  clock: Clock,
): Milliseconds | undefined {
  const value = headers["retry-after"]?.trim();
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Math.min(Number(value) * 1000, Number.MAX_SAFE_INTEGER);
  if (!HTTP_DATE.test(value)) return undefined;
  // The asctime form names no zone and means UTC.
  const time = Date.parse(value.endsWith(" GMT") ? value : `${value} GMT`);
  return Number.isNaN(time) ? undefined : Math.max(0, time - (clock.wall() + (clockOffset ?? 0)));
}
