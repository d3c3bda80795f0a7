import assert from "node:assert/strict";
import { test } from "node:test";

import type { Milliseconds } from "../../../shared/clock.ts";
import { retryAfter } from "../../../shared/http/retry-after.ts";
import { makeFakeClock } from "../../support/fake-clock.ts";
import * as fc from "../../support/fuzzing.ts";
import { foreignText } from "../../support/texts.ts";
import { setVariables } from "../../support/variables.ts";

const NOW = Date.UTC(2026, 0, 31, 12);
const clock = makeFakeClock(NOW);
const asked = (value: string | undefined, clockOffset?: Milliseconds): Milliseconds | undefined =>
  retryAfter({ headers: value === undefined ? {} : { "retry-after": value }, clockOffset }, clock);

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (value: number, pad = "0"): string => String(value).padStart(2, pad);

/** The three forms of a date that RFC 9110 section 5.6.7 has: one in use, two that are obsolete. */
const FORMS: Readonly<Record<string, (date: Date) => string>> = {
  "IMF-fixdate": (date) => date.toUTCString(),
  "RFC 850": (date) => {
    const day = `${DAYS[date.getUTCDay()] ?? ""}, ${two(date.getUTCDate())}`;
    return `${day}-${MONTHS[date.getUTCMonth()] ?? ""}-${two(date.getUTCFullYear() % 100)} ${timeOf(date)} GMT`;
  },
  asctime: (date) => {
    const day = `${(DAYS[date.getUTCDay()] ?? "").slice(0, 3)} ${MONTHS[date.getUTCMonth()] ?? ""}`;
    return `${day} ${two(date.getUTCDate(), " ")} ${timeOf(date)} ${date.getUTCFullYear()}`;
  },
};
const timeOf = (date: Date): string => date.toISOString().slice(11, 19);

const seconds = (max: number): fc.Arbitrary<number> => fc.nat(max);

test("a number is seconds", () => {
  fc.assert(
    fc.property(seconds(1e9), fc.constantFrom("", " ", "\t"), (count, space) => {
      assert.equal(asked(`${space}${count}${space}`), count * 1000);
    }),
  );
});

for (const [name, write] of Object.entries(FORMS)) {
  test(`a date is counted from now, on the server's own clock where it is known: ${name}`, () => {
    const tenYears = 10 * 365 * 86_400;
    fc.assert(
      fc.property(
        seconds(tenYears),
        fc.option(fc.integer({ min: -1e8, max: 1e8 }), { nil: undefined }),
        (ahead, offset) => {
          const date = new Date(NOW + ahead * 1000);
          assert.equal(asked(write(date), offset), Math.max(0, ahead * 1000 - (offset ?? 0)));
        },
      ),
    );
  });

  test(`a date that is past asks for no wait: ${name}`, () => {
    fc.assert(
      fc.property(seconds(20 * 365 * 86_400), (ago) => {
        assert.equal(asked(write(new Date(NOW - ago * 1000))), 0);
      }),
    );
  });
}

test("a date without a zone means UTC, wherever this machine is", (t) => {
  setVariables(t, { TZ: "Asia/Tokyo" });
  assert.notEqual(new Date(NOW).getTimezoneOffset(), 0);
  for (const write of Object.values(FORMS)) assert.equal(asked(write(new Date(NOW + 5000))), 5000);
});

const UNREADABLE = [
  undefined, "", " ", "-1", "1.5", "1e3", "0x10", "1,2", "5 s", "five", "NaN", "Infinity", "2026-02-01T00:00:00Z",
  "Feb 1", "Sun", "Sun,", "Sun, foo", "Mon 2099", "Tue, 2099", "Wed Thu Fri", "Sun, 99 Feb 2026 00:00:00 GMT",
  "Sat Apr  1 009:0060 2028", "Sat, 01 Apr 2028 ::1:2:3: GMT",
  "on Sun, 01 Feb 2026 00:00:00 GMT", "Sun, 01 Feb 2026 00:00:00 GMT (or so)",
]; // prettier-ignore
for (const value of UNREADABLE) {
  test(`${value === undefined ? "no header" : JSON.stringify(value)} asks for nothing`, () => {
    assert.equal(asked(value), undefined);
  });
}

test("whatever a server writes, the answer is a length of time or none", () => {
  const value = fc.oneof(
    foreignText,
    fc.nat().map((digits) => `${digits}${digits}${digits}${digits}`.repeat(20)),
    fc.tuple(fc.constantFrom(...DAYS), foreignText).map(([day, text]) => `${day}, ${text}`),
  );
  fc.assert(
    fc.property(value, (text) => {
      const wait = asked(text);
      assert.ok(wait === undefined || (Number.isFinite(wait) && wait >= 0), `${text}: ${String(wait)}`);
    }),
  );
});
