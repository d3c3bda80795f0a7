import assert from "node:assert/strict";
import { test } from "node:test";

import { retryAfter } from "../../shared/http/retry-after.ts";
import { makeFakeClock } from "../support/fake-clock.ts";
import * as fc from "../support/fuzzing.ts";
import { nearlyText } from "../support/nearly.ts";

/** Values of Retry-After that are nearly right. */

// A date without a zone means UTC, wherever the machine stands.
process.env["TZ"] = "Asia/Kolkata";

const NOW = Date.UTC(2026, 0, 31, 12);
const clock = makeFakeClock(NOW);

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The three forms of RFC 9110 section 5.6.7, from the date's parts. */
const FORMS: readonly ((date: Date) => string)[] = [
  (date) => date.toUTCString(),
  (date) => {
    const [, day = "", month = "", year = "", time = ""] = date.toUTCString().split(" ");
    return `${DAYS[date.getUTCDay()] ?? ""}, ${day}-${month}-${year.slice(2)} ${time} GMT`;
  },
  (date) => {
    const [name = "", day = "", month = "", year = "", time = ""] = date.toUTCString().split(" ");
    return `${name.slice(0, 3)} ${month} ${day.replace(/^0/, " ")} ${time} ${year}`;
  },
];
const dates = fc
  .tuple(fc.integer({ min: -86_400, max: 10 * 365 * 86_400 }), fc.constantFrom(...FORMS))
  .map(([ahead, write]) => write(new Date(NOW + ahead * 1000)));
const values = nearlyText(
  fc.oneof({ weight: 2, arbitrary: dates }, { weight: 1, arbitrary: fc.nat(1e9).map(String) }),
  2,
);

/**
 * The moment that a date of any of the forms names, its parts read one by one; undefined for anything else, and for
 * a year of two digits in all that is far from now, whose century readers take differently.
 */
function momentByHand(text: string): number | undefined {
  const [, day = "", month = "", year = "", time = ""] =
    /^[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) ([1-9]\d{3}) (\d\d:\d\d:\d\d) GMT$/.exec(text) ??
    /^[A-Z][a-z]{5,8}, (\d\d)-([A-Z][a-z]{2})-([0-4]\d) (\d\d:\d\d:\d\d) GMT$/.exec(text) ??
    [];
  const [, ascMonth = "", ascDay = "", ascTime = "", ascYear = ""] =
    /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d\d:\d\d:\d\d) ([1-9]\d{3})$/.exec(text) ?? [];
  const [hours = 99, minutes = 99, seconds = 99] = (time || ascTime).split(":").map(Number);
  const inMonth = MONTHS.indexOf(month || ascMonth);
  const inYear = Number(year.length === 2 ? `20${year}` : year || ascYear);
  const onDay = Number(day || ascDay);
  if (inMonth < 0 || hours > 23 || minutes > 59 || seconds > 59 || onDay < 1) return undefined;
  const moment = new Date(Date.UTC(inYear, inMonth, onDay, hours, minutes, seconds));
  return moment.getUTCDate() === onDay ? moment.getTime() : undefined;
}

test("a value that is nearly right asks for the wait that it names, for none in the past, or for nothing", () => {
  const seen: Record<string, number> = {};
  fc.assert(
    fc.property(values, fc.option(fc.integer({ min: -1e8, max: 1e8 }), { nil: undefined }), (value, clockOffset) => {
      const wait = retryAfter({ headers: { "retry-after": value }, clockOffset }, clock);
      assert.ok(wait === undefined || (wait >= 0 && Number.isFinite(wait)), `${value}: ${String(wait)}`);
      const text = value.trim();
      const moment = momentByHand(text);
      seen[/^\d+$/.test(text) ? "a number" : moment === undefined ? "neither" : "a date"] = 1;
      if (/^\d+$/.test(text)) assert.equal(wait, Math.min(Number(text) * 1000, Number.MAX_SAFE_INTEGER));
      else if (moment !== undefined) assert.equal(wait, Math.max(0, moment - NOW - (clockOffset ?? 0)), value);
      else if (wait !== undefined) assert.match(text, /^[A-Z][a-z]+,? .*\d\d:\d\d:\d\d/, value);
    }),
    { numRuns: 1000 },
  );
  assert.deepEqual(Object.keys(seen).sort(), ["a date", "a number", "neither"]);
});
