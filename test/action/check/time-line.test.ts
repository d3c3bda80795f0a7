import assert from "node:assert/strict";
import { test } from "node:test";

import { bar, EMPTY_BAR, wholeOf, type Span } from "../../../action/check/time-line.ts";
import * as fc from "../../support/fuzzing.ts";

const span: fc.Arbitrary<Span> = fc
  .tuple(fc.double({ min: 0, max: 1e9, noNaN: true }), fc.double({ min: 0, max: 1e6, noNaN: true }))
  .map(([start, length]) => ({ start, end: start + length }));

test("a bar shows where a stretch lies on the line, and how long it is", () => {
  const whole = { start: 1000, end: 1240 };
  assert.equal(bar({ start: 1000, end: 1240 }, whole), "█".repeat(24));
  assert.equal(bar({ start: 1000, end: 1120 }, whole), "█".repeat(12) + "░".repeat(12));
  assert.equal(bar({ start: 1120, end: 1180 }, whole), "░".repeat(12) + "█".repeat(6) + "░".repeat(6));
  assert.equal(bar({ start: 1240, end: 1240 }, whole), `${"░".repeat(23)}█`, "the very end is still on the line");
});

test("every bar is as wide as the others, in one piece, and seen however short its stretch is", () => {
  fc.assert(
    fc.property(fc.array(span, { minLength: 1, maxLength: 7 }), (spans) => {
      const whole = wholeOf(spans);
      assert.ok(whole);
      for (const one of spans) {
        const shown = bar(one, whole);
        assert.match(shown, /^░*█+░*$/);
        assert.equal(shown.length, EMPTY_BAR.length);
      }
    }),
  );
});

test("of no stretches there is no whole", () => {
  assert.equal(wholeOf([]), undefined);
});
