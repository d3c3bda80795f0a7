/** A duration or a timestamp in milliseconds. */
export type Milliseconds = number;
/** A duration in seconds, the unit of options and inputs. */
export type Seconds = number;
/** Returns a number in [0, 1), like `Math.random`. Used to spread load, never for secrets. */
export type RandomSource = () => number;

/** The time source. Tests inject their own. */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch. It may be wrong, and it may jump. */
  readonly now: () => Milliseconds;
  /** Monotonic time from an arbitrary origin. Use it for timeouts and deadlines. */
  readonly monotonic: () => Milliseconds;
  /** Monotonic time that includes time during which the machine is suspended. Use it for token lifetimes. */
  readonly elapsed: () => Milliseconds;
  /** Calls `callback` once after `delay`. Returns a function that cancels the timer. */
  readonly setTimeout: (callback: () => void, delay: Milliseconds) => () => void;
}

/** A wall clock jump of at most this length is attributed to NTP, not to suspension. */
const MAX_CLOCK_ADJUSTMENT: Milliseconds = 2000;

/**
 * Creates a monotonic clock that includes time during which the machine is suspended. On Linux, Node's monotonic clock
 * stops while the machine is suspended (CLOCK_MONOTONIC in clock_gettime(2)), but tokens continue to age. If the wall
 * clock has moved ahead of the monotonic clock, the difference is treated as elapsed time. Setting the wall clock
 * forward has the same effect and causes one early renewal.
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

// Both look up the globals when called, so that fake timers can replace them.
const now = (): Milliseconds => Date.now();
const monotonic = (): Milliseconds => performance.now();

const createTimer =
  (keepsAlive: boolean): Clock["setTimeout"] =>
  (callback, delay) => {
    // Node truncates fractional delays, which would fire early. It fires immediately for delays beyond 31 bits.
    const timer = setTimeout(callback, Math.min(2 ** 31 - 1, Math.ceil(delay)));
    if (!keepsAlive) timer.unref();
    return () => {
      clearTimeout(timer);
    };
  };

/** This machine's clock. */
export const systemClock: Clock = {
  now,
  monotonic,
  elapsed: createElapsedClock(now, monotonic),
  setTimeout: createTimer(true),
};

/** Like {@link systemClock}, but its timers do not keep the process alive. For background work. */
export const backgroundClock: Clock = { ...systemClock, setTimeout: createTimer(false) };

/** Resolves after `delay`, or as soon as `signal` is aborted. The caller must check the signal. */
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

/** Keeps the process alive until `work` settles, even if it uses only background timers and sockets. */
export async function holdProcess<T>(work: Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, 2 ** 31 - 1);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}
