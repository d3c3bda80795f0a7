import type { Clock, Milliseconds, Seconds } from "../clock.ts";
import type { ProvedToken } from "./found-auth-file.ts";

/** A token that is used again must have so much left, unless the caller wants otherwise, and no more than this share of its life. */
const MIN_TTL: Milliseconds = 300_000;
const MIN_SHARE = 1 / 3;

/**
 * What a token must have left to be used again.
 *
 * @param minTtl - what the caller wants
 * @param life - from its making to its end
 */
export const leastLeft = (minTtl: Seconds | undefined, life: Milliseconds): Milliseconds =>
  minTtl === undefined ? Math.min(MIN_TTL, life * MIN_SHARE) : minTtl * 1000;

/** Whether enough of a token's life is left to use it again. One whose life nobody knows is not. */
export function livesLongEnough({ token, monotonic }: ProvedToken, minTtl: Seconds | undefined, clock: Clock): boolean {
  if (token.lifetime === undefined || token.life === undefined) return false;
  const left = token.lifetime - (clock.monotonic() - monotonic);
  return left > 0 && left >= leastLeft(minTtl, token.life);
}
