import type { Clock, Milliseconds } from "../../shared/clock.ts";

/** A clock that only a test moves. */
export interface FakeClock extends Clock {
  /** Milliseconds that have passed since the clock was created. */
  readonly passed: () => Milliseconds;
  /** Timers that are neither fired nor cancelled. */
  readonly pendingTimers: () => number;
  /**
   * Lets time pass, from timer to timer, until `work` settles.
   *
   * @throws Error if no timer is left and `work` is still pending
   */
  readonly runUntil: <T>(work: Promise<T>) => Promise<T>;
  /** Lets `duration` pass and fires the timers that are due, in order. */
  readonly advance: (duration: Milliseconds) => Promise<void>;
  /** The machine is suspended: wall clock and `elapsed` move on, `monotonic` and the timers do not. */
  readonly suspend: (duration: Milliseconds) => void;
  /** Sets the wall clock forward, or back if negative. */
  readonly adjustWallClock: (change: Milliseconds) => void;
}

interface Timer {
  readonly due: Milliseconds;
  readonly callback: () => void;
}

/** Far from 0, so that a monotonic timestamp cannot pass for a duration. */
const MONOTONIC_ORIGIN = 7_777_777;
const ELAPSED_ORIGIN = 333_333;

/** Creates a clock on which hours pass in no time. `start` is the first wall-clock time, in milliseconds since 1970. */
export function createFakeClock(start: Milliseconds = Date.UTC(2026, 0, 31, 12)): FakeClock {
  let passed = 0;
  let suspended = 0;
  let adjustment = 0;
  const timers = new Set<Timer>();

  const getNextTimer = (): Timer | undefined => {
    let next: Timer | undefined;
    for (const timer of timers) if (next === undefined || timer.due < next.due) next = timer;
    return next;
  };
  const fire = (timer: Timer): void => {
    timers.delete(timer);
    passed = Math.max(passed, timer.due);
    timer.callback();
  };

  return {
    now: () => start + passed + suspended + adjustment,
    monotonic: () => MONOTONIC_ORIGIN + passed,
    elapsed: () => ELAPSED_ORIGIN + passed + suspended,
    setTimeout: (callback, delay) => {
      const timer = { due: passed + delay, callback };
      timers.add(timer);
      return () => {
        timers.delete(timer);
      };
    },
    passed: () => passed,
    pendingTimers: () => timers.size,
    runUntil: async (work) => {
      const state = { settled: false };
      const settle = (): void => {
        state.settled = true;
      };
      work.then(settle, settle);
      for (;;) {
        await settlePromises();
        if (state.settled) return work;
        const timer = getNextTimer();
        if (timer === undefined) throw new Error("no timer is pending and the work is not done");
        fire(timer);
      }
    },
    advance: async (duration) => {
      const end = passed + duration;
      for (;;) {
        await settlePromises();
        const timer = getNextTimer();
        if (timer === undefined || timer.due > end) break;
        fire(timer);
      }
      passed = end;
    },
    suspend: (duration) => {
      suspended += duration;
    },
    adjustWallClock: (change) => {
      adjustment += change;
    },
  };
}

/** Resolves when all promises that can settle without time passing have settled. */
const settlePromises = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
