import type { Clock, Milliseconds } from "../../shared/clock.ts";

/** A clock that stands still until a test lets time pass. */
export interface FakeClock extends Clock {
  /** Milliseconds since the clock was made. */
  readonly now: () => Milliseconds;
  /** Sleepers that have not been woken or called off. */
  readonly sleepers: () => number;
  /**
   * Lets time pass, from wake to wake, until `work` settles.
   *
   * @throws Error when nothing is left to wait for and `work` still hangs
   */
  readonly runUntil: <T>(work: Promise<T>) => Promise<T>;
}

interface Sleeper {
  readonly due: Milliseconds;
  readonly wake: () => void;
}

/**
 * Makes a clock on which hours pass in no time.
 *
 * @param wallStart - what the wall clock shows at first, in milliseconds since 1970 UTC
 */
export function makeFakeClock(wallStart: Milliseconds = Date.UTC(2026, 0, 31, 12)): FakeClock {
  // Some way off 0, so that nobody takes the monotonic clock for a time since the start.
  const origin = 7_777_777;
  let now = 0;
  const sleepers = new Set<Sleeper>();

  /** The one who wakes next; of several at once, who lay down first. */
  const next = (): Sleeper | undefined =>
    [...sleepers].reduce<Sleeper | undefined>(
      (first, sleeper) => (first === undefined || sleeper.due < first.due ? sleeper : first),
      undefined,
    );

  return {
    wall: () => wallStart + now,
    monotonic: () => origin + now,
    after: (delay, wake) => {
      const sleeper = { due: now + delay, wake };
      sleepers.add(sleeper);
      return () => {
        sleepers.delete(sleeper);
      };
    },
    now: () => now,
    sleepers: () => sleepers.size,
    runUntil: async (work) => {
      const state = { settled: false };
      const settle = (): void => {
        state.settled = true;
      };
      work.then(settle, settle);
      for (;;) {
        await everyPromise();
        // The promise alone tells what became of it.
        if (state.settled) return work;
        const sleeper = next();
        if (sleeper === undefined) throw new Error("time stands still: nobody sleeps, and the work is not done");
        sleepers.delete(sleeper);
        now = Math.max(now, sleeper.due);
        sleeper.wake();
      }
    },
  };
}

/** Resolves when all promises that could settle without time passing have done so. */
const everyPromise = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
