import type { Clock, Milliseconds } from "../../shared/clock.ts";

/** A clock that advances only when a test advances it. */
export interface FakeClock extends Clock {
  /** Returns the number of milliseconds that have passed since the clock was created. */
  readonly passed: () => Milliseconds;
  /** Returns the number of timers that have neither fired nor been canceled. */
  readonly pendingTimers: () => number;
  /**
   * Advances from timer to timer until `work` settles.
   *
   * @throws Error if `work` is still pending but there are no more timers
   */
  readonly runUntil: <T>(work: Promise<T>) => Promise<T>;
  /** Advances by `duration` and fires the timers that become due, in order. */
  readonly advance: (duration: Milliseconds) => Promise<void>;
  /** Simulates a suspended machine: the wall clock and `elapsed` advance, but `monotonic` and the timers do not. */
  readonly suspend: (duration: Milliseconds) => void;
  /** Sets the wall clock forward, or back if `change` is negative. */
  readonly adjustWallClock: (change: Milliseconds) => void;
}

interface Timer {
  readonly due: Milliseconds;
  readonly callback: () => void;
}

/** This value is far from 0, so that a monotonic timestamp cannot be mistaken for a duration. */
const MONOTONIC_ORIGIN = 7_777_777;
const ELAPSED_ORIGIN = 333_333;

/** Creates a clock on which hours pass instantly. `start` is the initial wall-clock time in milliseconds since 1970. */
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

/** Resolves when all promises that do not depend on timers have settled. */
const settlePromises = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
