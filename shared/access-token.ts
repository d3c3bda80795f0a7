import type { Clock, Milliseconds, Seconds } from "./clock.ts";
import { defineInspect } from "./inspect.ts";
import type { SigningKey } from "./jwks.ts";
import { getTsgIds } from "./scope.ts";

/** The properties of a token other than its value. */
export interface AccessTokenProps extends Pick<AccessToken, "expiresAt" | "lifetime"> {
  /** When the token expires, as a `clock.elapsed()` time, which wall clock changes do not affect. */
  readonly deadline: Milliseconds | undefined;
  /** The granted scope-tokens. */
  readonly scope: readonly string[];
  /** The requested tenants, all of which were granted. */
  readonly tsgIds: readonly string[];
  readonly signingKey?: SigningKey | undefined;
}

/** A validated access token. Printing it does not show its value. */
export class AccessToken {
  /** The expiration time; undefined if neither the token nor the server specifies it. */
  readonly expiresAt: Date | undefined;
  /** The total lifetime, from the token or the server, whichever is shorter; undefined if neither specifies it. */
  readonly lifetime: Milliseconds | undefined;
  /** The granted scope-tokens, separated by spaces. */
  readonly scope: string;
  /**
   * The TSG ID in the requested scope or, if it has none, in the granted scope; undefined unless there is exactly one.
   */
  readonly tsgId: string | undefined;
  /** The key that verified the signature; undefined if the signature was not verified. */
  readonly signingKey: SigningKey | undefined;
  readonly #value: string;
  readonly #deadline: Milliseconds | undefined;

  constructor(value: string, props: AccessTokenProps) {
    this.#value = value;
    this.#deadline = props.deadline;
    this.expiresAt = props.expiresAt;
    this.lifetime = props.lifetime;
    this.scope = props.scope.join(" ");
    this.tsgId = single(props.tsgIds) ?? single(getTsgIds(props.scope));
    this.signingKey = props.signingKey;
  }

  /** The string to send as `Authorization: Bearer <value>` (RFC 6750 section 2.1). */
  get value(): string {
    return this.#value;
  }

  /** The time until the token expires, negative once it has expired; undefined if the lifetime is unknown. */
  remaining(clock: Clock): Milliseconds | undefined {
    return this.#deadline === undefined ? undefined : this.#deadline - clock.elapsed();
  }
}
defineInspect(
  AccessToken.prototype,
  (token) => `AccessToken { ${token.scope}, expires ${token.expiresAt?.toISOString() ?? "unknown"} }`,
);

const single = (ids: readonly string[]): string | undefined => (ids.length === 1 ? ids[0] : undefined);

/**
 * By default, a token is reused only if it is valid for at least this long, or for this fraction of its lifetime if
 * that is shorter.
 */
const DEFAULT_MIN_TTL: Milliseconds = 300_000;
const DEFAULT_MIN_TTL_RATIO = 1 / 3;

/** The minimum remaining lifetime required to reuse a token. `minTtl` is the caller's requirement, in seconds. */
export const getMinRemaining = (minTtl: Seconds | undefined, lifetime: Milliseconds): Milliseconds =>
  minTtl === undefined ? Math.min(DEFAULT_MIN_TTL, lifetime * DEFAULT_MIN_TTL_RATIO) : minTtl * 1000;

/** Whether a token remains valid long enough to be reused. A token with an unknown lifetime is never reused. */
export function hasMinRemaining(token: AccessToken, minTtl: Seconds | undefined, clock: Clock): boolean {
  const remaining = token.remaining(clock);
  if (remaining === undefined || token.lifetime === undefined) return false;
  return remaining > 0 && remaining >= getMinRemaining(minTtl, token.lifetime);
}
