import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { backgroundClock, createElapsedClock, sleep, systemClock } from "../../shared/clock.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { runProcess } from "../support/processes.ts";

const countListeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

test("ends a sleep after its delay or when it is aborted, and leaves no timers or listeners behind", async () => {
  for (const abortAt of [undefined, 3000]) {
    const clock = createFakeClock();
    const abort = new AbortController();
    if (abortAt !== undefined) {
      clock.setTimeout(() => {
        abort.abort();
      }, abortAt);
    }
    await clock.runUntil(sleep(clock, 5000, abort.signal));
    assert.deepEqual([clock.passed(), clock.pendingTimers()], [abortAt ?? 5000, 0]);
    assert.equal(countListeners(abort.signal), 0);
  }
  const clock = createFakeClock();
  await clock.runUntil(sleep(clock, 5000, AbortSignal.abort()));
  assert.deepEqual([clock.passed(), clock.pendingTimers()], [0, 0]);
});

test("does not end a sleep early, and does not fire a system timer after it is canceled", async () => {
  const start = systemClock.monotonic();
  let fired = 0;
  const cancel = systemClock.setTimeout(() => fired++, 5);
  cancel();
  await sleep(systemClock, 20.5);
  // Node's timers truncate delays to whole milliseconds.
  assert.ok(systemClock.monotonic() - start >= 19.5);
  assert.equal(fired, 0);
});

test("does not fire a timer immediately if its delay exceeds Node's maximum delay", async () => {
  let fired = 0;
  const cancel = systemClock.setTimeout(() => fired++, 2 ** 32);
  await sleep(systemClock, 20);
  cancel();
  assert.equal(fired, 0);
});

test("reads Date and performance at call time so that fake timers work", (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 86_400_000 });
  assert.equal(systemClock.now(), 86_400_000);
  t.mock.method(performance, "now", () => 42);
  assert.equal(systemClock.monotonic(), 42);
});

test("does not keep the process alive with a timer of the background clock", async () => {
  const url = new URL("../../shared/clock.ts", import.meta.url).href;
  const script = `const { backgroundClock } = await import("${url}"); backgroundClock.setTimeout(() => {}, 60_000);`;
  const { exitCode, durationMs } = await runProcess(process.execPath, ["--input-type=module", "-e", script]);
  assert.equal(exitCode, 0);
  assert.ok(durationMs < 30_000);
  assert.equal(backgroundClock.elapsed, systemClock.elapsed);
});

// Each step advances the wall clock and the monotonic clock. A suspend or an adjustment changes only the wall clock.
const ELAPSED: readonly (readonly [what: string, steps: readonly (readonly [number, number])[], elapsed: number])[] = [
  ["both clocks run", [[1000, 1000], [1000, 1000]], 2000],
  ["the machine is suspended", [[1000, 1000], [3_600_000, 0], [1000, 1000]], 3_602_000],
  ["the wall clock is set back before the machine is suspended", [[1000, 1000], [-86_400_000, 0], [60_000, 0]], 61_000],
  ["the wall clock is adjusted by a second or two", [[2500, 1000], [-500, 1000], [1900, 1000], [100, 1000]], 4000],
  ["the wall clock jumps by 2 s, which may be an adjustment", [[2000, 0]], 0],
  ["the machine is suspended for more than 2 s", [[2001, 0]], 2001],
  ["several short suspensions add up", Array.from({ length: 3 }, () => [1700, 1000] as const), 5100],
]; // prettier-ignore
for (const [what, steps, expected] of ELAPSED) {
  test(`returns ${expected} ms of elapsed time if ${what}`, () => {
    const time = { now: 1_700_000_000_000, monotonic: 5000 };
    const elapsed = createElapsedClock(
      () => time.now,
      () => time.monotonic,
    );
    const start = elapsed();
    for (const [now, monotonic] of steps) {
      time.now += now;
      time.monotonic += monotonic;
      elapsed();
    }
    assert.equal(elapsed() - start, expected);
  });
}

test("never decreases the elapsed time", () => {
  let last = systemClock.elapsed();
  for (let n = 0; n < 20_000; n++) {
    const now = systemClock.elapsed();
    assert.ok(now >= last);
    last = now;
  }
});
