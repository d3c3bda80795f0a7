import type { Milliseconds, Random } from "../clock.ts";

/** What is known of a token's age, and a source of chance. */
export interface TokenAge {
  /** From its making to its end. */
  readonly life: Milliseconds;
  /** From now to its end; none or negative once it has ended. */
  readonly left: Milliseconds;
  readonly random: Random;
}

/** The part of a token's life in which it is renewed: late enough to be rare, early enough to sit out an outage. */
const EARLIEST = 1 / 3;
const LATEST = 2 / 3;
/** A wait after a failed try takes no more than this share of what is left. */
const SHARE_OF_REST = 1 / 8;
/** No wait is shorter or longer. */
const SHORTEST: Milliseconds = 250;
const LONGEST: Milliseconds = 30_000;
/** What a try that hangs may cost: this share of what is left, within these bounds. */
const TRY_SHARE = 1 / 2;
const SHORTEST_TRY: Milliseconds = 2000;
const LONGEST_TRY: Milliseconds = 30_000;
/** What the server asks to wait takes no more than this share of what is left: it may ask for too much. */
const ASKED_SHARE = 3 / 4;
/** ... and no more than this after the token's end, when nobody has one that lives. */
const LONGEST_ASKED: Milliseconds = 300_000;

const between = (from: Milliseconds, to: Milliseconds, random: Random): Milliseconds =>
  from + random() * Math.max(0, to - from);

/** How wide the waits may be, so that several of them fit into what is left. */
const widest = (left: Milliseconds): Milliseconds =>
  left <= 0 ? LONGEST : Math.max(SHORTEST, Math.min(LONGEST, left * SHARE_OF_REST));

/**
 * How long to wait before a new token is renewed: uniform in the middle third of its life, so that the many who
 * share one don't renew in the same second. Who gets it later draws from what is left of that third, and past it
 * from an eighth of its rest. A token that has ended already is waited for as after a failed try.
 */
export function renewalDelay({ life, left, random }: TokenAge): Milliseconds {
  const age = Math.max(0, life - left);
  const from = Math.max(SHORTEST, life * EARLIEST - age);
  return between(from, Math.max(life * LATEST - age, widest(left)), random);
}

/**
 * How long to wait after a try that failed: at random, at most an eighth of what is left, so that the next tries
 * come closer together as the end comes closer; after it spread over half a minute.
 */
export const retryDelay = ({ left, random }: Pick<TokenAge, "left" | "random">): Milliseconds =>
  between(SHORTEST, widest(left), random);

/** How much is waited, before anything else, of what the server asked for at a try that failed (`Retry-After`). */
export const heeded = (asked: Milliseconds, left: Milliseconds): Milliseconds =>
  Math.min(asked, left <= 0 ? LONGEST_ASKED : left * ASKED_SHARE);

/** How long one try may take: one that hangs must leave time for others before the token ends. */
export const tryTime = (left: Milliseconds): Milliseconds =>
  left <= 0 ? LONGEST_TRY : Math.max(SHORTEST_TRY, Math.min(LONGEST_TRY, left * TRY_SHARE));
