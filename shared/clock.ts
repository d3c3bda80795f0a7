/** A length of time in milliseconds. */
export type Milliseconds = number;
/** A length of time in seconds, as the options and inputs count it. */
export type Seconds = number;
/** Uniform in [0, 1), as `Math.random`. Used for spreading load, never for secrets. */
export type Random = () => number;

/** All that this project knows of time. Tests bring their own. */
export interface Clock {
  /** The wall clock, in milliseconds since 1970 UTC. It may be wrong and may jump. */
  readonly wall: () => Milliseconds;
  /** A clock that only goes forward, at an arbitrary origin. */
  readonly monotonic: () => Milliseconds;
  /** Calls `wake` once after `delay`. Returns what calls it off. */
  readonly after: (delay: Milliseconds, wake: () => void) => () => void;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  wall: Date.now,
  // Not performance.now(): its seven modules, which node loads at the first use, cost a short process a millisecond.
  monotonic: () => {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1000 + nanoseconds / 1e6;
  },
  after: (delay, wake) => {
    // Node cuts fractions off, and nobody may wake early.
    const timer = setTimeout(wake, Math.ceil(delay));
    return () => {
      clearTimeout(timer);
    };
  },
};

/** Resolves after `delay`, or at once when `signal` aborts: whoever waits looks at the signal then. */
export function sleep(clock: Clock, delay: Milliseconds, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const wake = (): void => {
      callOff();
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const callOff = clock.after(delay, wake);
    signal.addEventListener("abort", wake);
  });
}
