import type { Clock, Milliseconds, Seconds } from "../clock.ts";
import type { Problem } from "../report/fields.ts";
import { timeSpan } from "../report/time-span.ts";
import { AccessToken } from "../token/access-token.ts";
import type { AuthRequest } from "../token/auth-request.ts";
import { scopeWords } from "../token/scope.ts";
import { handoffError } from "./handoff-error.ts";
import { livesLongEnough } from "./life-left.ts";
import { openSealed } from "./sealed-token.ts";

/** What the use of a sealed token needs. */
export interface UseOptions {
  /** Life that the token must have left. Default: 300, at most a third of its life. */
  readonly minTtl?: Seconds | undefined;
  readonly clock: Clock;
  /** Proves a stranger's token. */
  readonly prove: (raw: string) => Promise<AccessToken>;
}

/** What is wrong with sealing or opening where signatures are not proved: whoever opens a token has nothing but that. */
export const UNPROVED: Problem = Object.freeze({
  field: "verify",
  reason: "is false, and a token is sealed and opened only where it is proved",
  hint: "Leave {verify} at true, or let each job sign in by itself.",
});

/**
 * Opens a sealed token and proves it. It ends when the sealed text says, or earlier.
 *
 * @throws AuthError of kind `verification` when it can't be used, as {@link openSealed}, with `sealed_stale` also when
 * too little of its life is left; or what `prove` throws
 */
export async function useSealed(request: AuthRequest, sealed: string, options: UseOptions): Promise<AccessToken> {
  const { minTtl, clock, prove } = options;
  const opened = await openSealed(request, sealed, clock.wall());
  const token = endAt(await prove(opened.token), opened.expiresAt, clock.wall(), request);
  const enough = livesLongEnough({ token, wall: clock.wall(), monotonic: clock.monotonic() }, minTtl, clock);
  if (!enough)
    throw handoffError(
      `the token that is sealed lives for ${timeSpan(token.lifetime ?? 0)} more, which is less than is wanted.`,
      "sealed_stale",
      { kind: "verification" },
    );
  return token;
}

/** A token that ends at `end`, if not before. */
function endAt(token: AccessToken, end: Milliseconds, wall: Milliseconds, { tenants }: AuthRequest): AccessToken {
  const { expiresAt, lifetime = Infinity, life, scope, key } = token;
  return new AccessToken(token.value, {
    expiresAt: new Date(Math.min(expiresAt?.getTime() ?? Infinity, end)),
    lifetime: Math.max(0, Math.min(lifetime, end - wall)),
    life,
    scope: scopeWords(scope),
    tenants,
    ...(key !== undefined && { key }),
  });
}
