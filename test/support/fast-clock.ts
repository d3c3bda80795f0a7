import type { Clock, Milliseconds } from "../../shared/clock.ts";

/**
 * Creates a clock that runs faster than real time, for tests that use real files and processes.
 *
 * @param speed - milliseconds of this clock per real millisecond
 * @param offset - how far its wall clock is initially ahead of the machine's
 */
export function createFastClock(speed: number, offset: Milliseconds = 0): Clock {
  const origin = performance.now();
  const start = Date.now() + offset;
  const getPassed = (): Milliseconds => (performance.now() - origin) * speed;
  return {
    now: () => start + getPassed(),
    monotonic: () => 7_777_777 + getPassed(),
    elapsed: () => 333_333 + getPassed(),
    setTimeout: (callback, delay) => {
      const timer = setTimeout(callback, Math.ceil(delay / speed));
      return () => {
        clearTimeout(timer);
      };
    },
  };
}
