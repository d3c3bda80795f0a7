import type { Clock, Milliseconds } from "../clock.ts";

/** Less than this the wall clock may run ahead without a sleep being the reason: it is set right now and then. */
const SLACK: Milliseconds = 2000;

/**
 * Time as it passes for a token. Node's monotonic clock stands still on Linux while the machine sleeps
 * (CLOCK_MONOTONIC in clock_gettime(2)), the token grows older all the same. So wherever the wall clock has run
 * ahead of the monotonic one, the difference has passed, too. A wall clock that was merely set forward looks the
 * same, and costs a renewal too early; one that was set back changes nothing.
 */
export class ElapsedTime {
  readonly #clock: Clock;
  #slept: Milliseconds = 0;
  /** The wall clock less the monotonic one, as it last was when nothing had been missed. */
  #offset: Milliseconds;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offset = clock.wall() - clock.monotonic();
  }

  /** Milliseconds at an arbitrary origin; only goes forward. */
  now(): Milliseconds {
    const monotonic = this.#clock.monotonic();
    const offset = this.#clock.wall() - monotonic;
    const ahead = offset - this.#offset;
    if (ahead > SLACK) this.#slept += ahead;
    if (ahead > SLACK || ahead < 0) this.#offset = offset;
    return monotonic + this.#slept;
  }

  /** How much of it the machine slept through, as far as {@link now} has seen. */
  get slept(): Milliseconds {
    return this.#slept;
  }
}
