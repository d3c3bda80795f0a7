import type { Clock, Milliseconds } from "../clock.ts";
import type { HttpAnswer } from "./send.ts";

/** The three date forms of RFC 9110 section 5.6.7, loosely: a day's name first. Bare numbers are seconds. */
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /;

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
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  if (!HTTP_DATE.test(value)) return undefined;
  // The asctime form names no zone and means UTC.
  const time = Date.parse(value.endsWith(" GMT") ? value : `${value} GMT`);
  return Number.isNaN(time) ? undefined : Math.max(0, time - (clock.wall() + (clockOffset ?? 0)));
}
