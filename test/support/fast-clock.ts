import type { Clock, Milliseconds } from "../../shared/clock.ts";

/**
 * A clock that runs faster than the machine's, for tests where time passes while disks and processes work: a clock that
 * stands still until nothing is left to do can't know of their work.
 *
 * @param speed - how many milliseconds pass in one
 * @param offset - how far its wall clock is ahead of the machine's, at first
 */
export const makeFastClock = (speed: number, offset: Milliseconds = 0): Clock => {
  const origin = performance.now();
  const wallOrigin = Date.now() + offset;
  const passed = (): Milliseconds => (performance.now() - origin) * speed;
  return {
    wall: () => wallOrigin + passed(),
    monotonic: () => 7_777_777 + passed(),
    after: (delay, wake) => {
      const timer = setTimeout(wake, Math.ceil(delay / speed));
      return () => {
        clearTimeout(timer);
      };
    },
  };
};
