import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration } from "../../shared/duration.ts";
import { fc } from "../support/fuzzing.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const UNITS: Readonly<Record<string, number>> = { s: 1000, min: 60_000, h: HOUR, d: DAY };

const DURATIONS: readonly (readonly [duration: number, text: string])[] = [
  [-5, "0 s"],
  [49, "0 s"],
  [50, "0.1 s"],
  [1000, "1 s"],
  [9949, "9.9 s"],
  [9999, "10 s"],
  [10_500, "11 s"],
  [59_499, "59 s"],
  [59_500, "1 min"],
  [61_000, "1 min 1 s"],
  [HOUR - 1, "1 h"],
  [HOUR + 1000, "1 h"],
  [2 * HOUR + 184_000, "2 h 3 min"],
  [DAY + HOUR, "1 d 1 h"],
  [400 * DAY + 60_000, "400 d"],
];
for (const [duration, text] of DURATIONS) {
  test(`formats ${duration} ms as "${text}"`, () => {
    assert.equal(formatDuration(duration), text);
  });
}

test("formats durations below 10 s with a precision of 0.1 s, and others with at most two units", () => {
  const durations = fc.oneof(fc.double({ min: 0, max: 20_000, noNaN: true }), fc.integer({ min: 0, max: 1000 * DAY }));
  fc.assert(
    fc.property(durations, (duration) => {
      const text = formatDuration(duration);
      assert.match(text, /^\d+(\.\d)? s$|^\d+ (d|h|min)( \d+ (h|min|s))?$/);
      const parts = [...text.matchAll(/([\d.]+) (\w+)/g)].map(([, count, unit = ""]) => [Number(count), UNITS[unit]]);
      const length = parts.reduce((sum, [count = 0, unit = 0]) => sum + count * unit, 0);
      const largest = Math.max(...parts.map(([, unit = 0]) => unit));
      if (duration < 10_000) assert.ok(Math.abs(length - duration) <= 50 + 1e-9);
      else assert.ok(length - duration <= 500 && duration - length < largest, `${duration}: ${text}`);
    }),
  );
});
