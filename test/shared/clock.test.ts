import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";

import { sleep, systemClock } from "../../shared/clock.ts";
import { makeFakeClock } from "../support/fake-clock.ts";

const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

test("a sleep lasts as long as asked for and leaves nothing behind", async () => {
  const clock = makeFakeClock();
  const { signal } = new AbortController();
  await clock.runUntil(sleep(clock, 5000, signal));
  assert.equal(clock.now(), 5000);
  assert.deepEqual([clock.sleepers(), listeners(signal)], [0, 0]);
});

test("an abort ends a sleep at once and calls its alarm off", async () => {
  const clock = makeFakeClock();
  const abort = new AbortController();
  clock.after(3000, () => {
    abort.abort();
  });
  await clock.runUntil(sleep(clock, 5000, abort.signal));
  assert.equal(clock.now(), 3000);
  assert.deepEqual([clock.sleepers(), listeners(abort.signal)], [0, 0]);
});

test("who was ended before does not sleep at all", async () => {
  const clock = makeFakeClock();
  await clock.runUntil(sleep(clock, 5000, AbortSignal.abort()));
  assert.deepEqual([clock.now(), clock.sleepers()], [0, 0]);
});

test("the machine's clock wakes once, not early, and not after it was called off", async () => {
  const { signal } = new AbortController();
  const start = systemClock.monotonic();
  let woken = 0;
  const callOff = systemClock.after(5, () => woken++);
  callOff();
  await sleep(systemClock, 20, signal);
  // Node's timers count whole milliseconds.
  assert.ok(systemClock.monotonic() - start >= 19);
  assert.equal(woken, 0);
  assert.ok(Math.abs(systemClock.wall() - Date.now()) < 1000);
  assert.ok(Math.abs(systemClock.monotonic() - Number(process.hrtime.bigint() / 1_000_000n)) < 1000);
});
