import assert from "node:assert/strict";
import { test } from "node:test";

import { timeSpan } from "../../../shared/report/time-span.ts";
import * as fc from "../../support/fuzzing.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UNITS: Readonly<Record<string, number>> = { s: SECOND, min: MINUTE, h: HOUR, d: DAY };

const scenes: readonly (readonly [time: number, said: string])[] = [
  [-5, "0 s"],
  [0, "0 s"],
  [49, "0 s"],
  [50, "0.1 s"],
  [300, "0.3 s"],
  [1000, "1 s"],
  [9_949, "9.9 s"],
  [9_999, "10 s"],
  [10_499, "10 s"],
  [10_500, "11 s"],
  [59_499, "59 s"],
  [59_500, "1 min"],
  [MINUTE + SECOND, "1 min 1 s"],
  [HOUR - 1, "1 h"],
  [2 * HOUR + 3 * MINUTE + 4 * SECOND, "2 h 3 min"],
  [HOUR + 4 * SECOND, "1 h"],
  [DAY + HOUR, "1 d 1 h"],
  [400 * DAY + MINUTE, "400 d"],
];
for (const [time, said] of scenes) {
  test(`${time} ms are said as ${said}`, () => {
    assert.equal(timeSpan(time), said);
  });
}

/** Reads a time span back: its length, and that of the smallest unit in it. */
function read(said: string): readonly [length: number, smallest: number] {
  assert.match(said, /^\d+(\.\d)? s$|^\d+ (d|h|min)( \d+ (h|min|s))?$/);
  const parts = [...said.matchAll(/([\d.]+) (\w+)/g)].map(([, count, unit = ""]) => [Number(count), UNITS[unit]]);
  const length = parts.reduce((sum, [count = 0, unit = 0]) => sum + count * unit, 0);
  return [length, Math.max(...parts.map(([, unit = 0]) => unit))];
}

test("what is said is right to a tenth of a second below ten, and to the second unit above", () => {
  const time = fc.oneof(fc.double({ min: 0, max: 20_000, noNaN: true }), fc.integer({ min: 0, max: 1000 * DAY }));
  fc.assert(
    fc.property(time, (length) => {
      const [told, largest] = read(timeSpan(length));
      if (length < 10_000) assert.ok(Math.abs(told - length) <= 50 + 1e-9);
      // The unit under the largest is told, the rest is left out.
      else assert.ok(told - length <= 500 && length - told < largest, `${length}: ${told}`);
    }),
  );
});
