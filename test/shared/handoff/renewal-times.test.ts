import assert from "node:assert/strict";
import { test } from "node:test";

import { heeded, renewalDelay, retryDelay, tryTime } from "../../../shared/handoff/renewal-times.ts";
import * as fc from "../../support/fuzzing.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const SHORTEST = 250;
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const length = fc.oneof(
  fc.constantFrom(1000, 20_000, 60_000, 900_000, 3_600_000, 86_400_000),
  fc.integer({ min: 1000, max: 1e8 }),
);

test("a new token is renewed in the middle third of its life, uniformly", () => {
  const random = seededRandom(1);
  const life = 900_000;
  const drawn = Array.from({ length: 3000 }, () => renewalDelay({ life, left: life, random }));
  assert.ok(drawn.every((delay) => delay >= life / 3 && delay <= (life * 2) / 3));
  const tenths = Array.from(
    { length: 10 },
    (_, n) => drawn.filter((d) => Math.floor((d - 300_000) / 30_000) === n).length,
  );
  assert.ok(
    tenths.every((count) => count > 230 && count < 370),
    tenths.join(" "),
  );
});

test("a token of fifteen minutes or longer is never renewed later than five minutes before its end", () => {
  fc.assert(
    fc.property(fc.integer({ min: 900_000, max: 86_400_000 }), chance, (life, drawn) => {
      assert.ok(life - renewalDelay({ life, left: life, random: () => drawn }) >= 300_000 - 1);
    }),
  );
});

test("whoever gets a token later draws from what is left of the third, and past it from an eighth of the rest", () => {
  fc.assert(
    fc.property(length, chance, chance, (life, share, drawn) => {
      const left = life * (1 - share);
      const delay = renewalDelay({ life, left, random: () => drawn });
      const age = life - left;
      assert.ok(delay >= SHORTEST, `${delay}`);
      assert.ok(delay >= life / 3 - age - 1);
      const latest = Math.max((life * 2) / 3 - age, left / 8, SHORTEST);
      assert.ok(delay <= latest + 1, `${delay} > ${latest}`);
    }),
  );
});

test("a token that came dead is not asked for again at once", () => {
  fc.assert(
    fc.property(length, chance, fc.integer({ min: -1e9, max: 0 }), (life, drawn, left) => {
      const delay = renewalDelay({ life, left, random: () => drawn });
      assert.ok(delay >= SHORTEST && delay <= 30_000);
    }),
  );
  const random = seededRandom(2);
  const mean =
    Array.from({ length: 1000 }, () => renewalDelay({ life: 0, left: 0, random })).reduce((a, b) => a + b) / 1000;
  assert.ok(mean > 13_000 && mean < 17_000, `${mean}`);
});

test("after a failed try the wait is at most an eighth of what is left, a quarter second to half a minute", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e8 }), chance, (left, drawn) => {
      const delay = retryDelay({ left, random: () => drawn });
      assert.ok(delay >= SHORTEST && delay <= 30_000);
      assert.ok(delay <= Math.max(SHORTEST, left / 8) + 1e-6);
    }),
  );
});

test("the waits after failed tries spread over the whole of what they may take", () => {
  assert.equal(retryDelay({ left: 80_000, random: () => 0 }), SHORTEST);
  assert.equal(retryDelay({ left: 80_000, random: () => 0.5 }), (SHORTEST + 10_000) / 2);
  assert.equal(retryDelay({ left: 1000, random: () => 0.5 }), SHORTEST);
});

test("after the token's end the waits spread over half a minute", () => {
  const random = seededRandom(3);
  const drawn = Array.from({ length: 1000 }, () => retryDelay({ left: -1, random }));
  assert.ok(Math.min(...drawn) < 1000 && Math.max(...drawn) > 29_000);
});

test("what the server asks to wait is heeded up to three quarters of what is left, and five minutes after the end", () => {
  assert.equal(heeded(0, 600_000), 0);
  assert.equal(heeded(450_000, 600_000), 450_000);
  assert.equal(heeded(450_001, 600_000), 450_000);
  assert.equal(heeded(3_600_000, 4000), 3000);
  for (const left of [0, -1, -600_000]) {
    assert.equal(heeded(120_000, left), 120_000);
    assert.equal(heeded(Number.MAX_SAFE_INTEGER, left), 300_000);
  }
});

test("a try that hangs leaves time for another before the end, whatever is left", () => {
  for (const left of [4500, 20_000, 60_000, 300_000]) assert.ok(tryTime(left) <= left / 2, `${left}`);
  assert.equal(tryTime(900_000), 30_000);
  assert.equal(tryTime(100), 2000, "an honest server needs some time");
  for (const left of [0, -5]) assert.equal(tryTime(left), 30_000, "after the end there is nothing to leave time for");
});
