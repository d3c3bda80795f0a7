import assert from "node:assert/strict";
import { test } from "node:test";

import { ElapsedTime } from "../../../shared/handoff/elapsed-time.ts";
import { systemClock } from "../../../shared/clock.ts";

/** Two clocks that go as a test says. */
function makeClocks() {
  const at = { wall: 1_700_000_000_000, monotonic: 5000 };
  const clock = { wall: () => at.wall, monotonic: () => at.monotonic, after: systemClock.after };
  const time = new ElapsedTime(clock);
  const start = time.now();
  return {
    pass: (both: number) => {
      at.wall += both;
      at.monotonic += both;
    },
    /** Suspended: on Linux the monotonic clock stands still. */
    sleep: (length: number) => (at.wall += length),
    setWall: (by: number) => (at.wall += by),
    elapsed: () => time.now() - start,
    slept: () => time.slept,
  };
}

test("time passes with the monotonic clock", () => {
  const { pass, elapsed, slept } = makeClocks();
  for (let n = 0; n < 100; n++) {
    pass(1000);
    assert.equal(elapsed(), (n + 1) * 1000);
  }
  assert.equal(slept(), 0);
});

test("an hour of sleep counts, once", () => {
  const { pass, sleep, elapsed, slept } = makeClocks();
  pass(1000);
  sleep(3_600_000);
  assert.equal(elapsed(), 3_601_000);
  assert.equal(elapsed(), 3_601_000);
  pass(1000);
  assert.equal(elapsed(), 3_602_000);
  assert.equal(slept(), 3_600_000);
});

test("many naps are noticed as one long one is", () => {
  const { pass, sleep, elapsed } = makeClocks();
  for (let n = 0; n < 100; n++) {
    pass(1000);
    sleep(700);
    elapsed();
  }
  assert.ok(elapsed() >= 170_000 - 2000, `${elapsed()}`);
});

test("a wall clock set back changes nothing, and a sleep after that still counts", () => {
  const { pass, sleep, setWall, elapsed } = makeClocks();
  pass(1000);
  setWall(-86_400_000);
  assert.equal(elapsed(), 1000);
  pass(1000);
  assert.equal(elapsed(), 2000);
  sleep(60_000);
  assert.equal(elapsed(), 62_000);
});

test("a wall clock that is put right by a second is no sleep", () => {
  const { pass, setWall, elapsed } = makeClocks();
  for (const by of [1500, -1500, 900, -900]) {
    setWall(by);
    pass(1000);
    elapsed();
  }
  assert.equal(elapsed(), 4000);
});

test("a sleep counts from the beginning on, and from two seconds on", () => {
  const at = { wall: 1_700_000_000_000, monotonic: 5000 };
  const clock = { wall: () => at.wall, monotonic: () => at.monotonic, after: systemClock.after };
  const time = new ElapsedTime(clock);
  at.wall += 2000;
  assert.deepEqual([time.now(), time.slept], [5000, 0]);
  at.wall += 1;
  assert.deepEqual([time.now(), time.slept], [7001, 2001]);
});

test("time never goes back, on the machine's own clocks too", () => {
  const time = new ElapsedTime(systemClock);
  let last = time.now();
  for (let n = 0; n < 20_000; n++) {
    const now = time.now();
    assert.ok(now >= last);
    last = now;
  }
  assert.equal(time.slept, 0);
});
