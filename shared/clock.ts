/** A duration or a timestamp in milliseconds. */
export type Milliseconds = number;
/** A duration in seconds, as options and inputs use it. */
export type Seconds = number;
/** Returns a number in [0, 1), like `Math.random`. Spreads load; never used for secrets. */
export type RandomSource = () => number;

/** The time source. Tests inject their own. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970 UTC. It may be wrong and may jump. */
  readonly now: () => Milliseconds;
  /** Monotonic time from an arbitrary origin. Use it for timeouts and deadlines. */
  readonly monotonic: () => Milliseconds;
  /** Monotonic time that also counts suspends of the machine. Use it for token lifetimes. */
  readonly elapsed: () => Milliseconds;
  /** Calls `callback` once after `delay`. Returns a function that cancels the timer. */
  readonly setTimeout: (callback: () => void, delay: Milliseconds) => () => void;
}

/** A smaller jump of the wall clock is an adjustment by NTP, not a suspend. */
const MAX_CLOCK_ADJUSTMENT: Milliseconds = 2000;

/**
 * Makes a monotonic clock that counts suspends. On Linux, Node's monotonic clock stops while the machine is suspended
 * (CLOCK_MONOTONIC in clock_gettime(2)), but tokens still age. Where the wall clock has run ahead, the difference counts
 * as elapsed. A wall clock that was set forward looks the same and costs one early renewal.
 */
export function createElapsedClock(now: () => Milliseconds, monotonic: () => Milliseconds): () => Milliseconds {
  let offset = now() - monotonic();
  let suspended: Milliseconds = 0;
  return () => {
    const time = monotonic();
    const drift = now() - time - offset;
    if (drift > MAX_CLOCK_ADJUSTMENT) suspended += drift;
    if (drift > MAX_CLOCK_ADJUSTMENT || drift < 0) offset += drift;
    return time + suspended;
  };
}

// Both read the globals at call time, so that fake timers which replace them take effect.
const now = (): Milliseconds => Date.now();
const monotonic = (): Milliseconds => performance.now();

const createTimer =
  (keepsAlive: boolean): Clock["setTimeout"] =>
  (callback, delay) => {
    // Node truncates fractions, which would fire early, and fires at once for delays beyond 31 bits.
    const timer = setTimeout(callback, Math.min(2 ** 31 - 1, Math.ceil(delay)));
    if (!keepsAlive) timer.unref();
    return () => {
      clearTimeout(timer);
    };
  };

/** The clock of this machine. */
export const systemClock: Clock = {
  now,
  monotonic,
  elapsed: createElapsedClock(now, monotonic),
  setTimeout: createTimer(true),
};

/** Like {@link systemClock}, but its timers do not keep the process alive. For background work. */
export const backgroundClock: Clock = { ...systemClock, setTimeout: createTimer(false) };

/** Resolves after `delay`, or as soon as `signal` aborts. The caller checks the signal. */
export function sleep(clock: Clock, delay: Milliseconds, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.setTimeout(done, delay);
    signal?.addEventListener("abort", done, { once: true });
  });
}

/** Keeps the process alive until `work` settles, although timers and sockets of background work do not. */
export async function holdProcess<T>(work: Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, 2 ** 31 - 1);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}
