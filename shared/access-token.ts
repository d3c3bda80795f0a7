import type { Clock, Milliseconds, Seconds } from "./clock.ts";
import { defineInspect } from "./inspect.ts";
import type { SigningKey } from "./jwks.ts";
import { getTsgIds } from "./scope.ts";

/** What is known about a token besides its value. */
export interface AccessTokenProps extends Pick<AccessToken, "expiresAt" | "lifetime"> {
  /** When it expires, on `clock.elapsed()`: not affected by changes of the wall clock. */
  readonly deadline: Milliseconds | undefined;
  /** The granted scope-tokens. */
  readonly scope: readonly string[];
  /** The tenants that were requested and granted. */
  readonly tsgIds: readonly string[];
  readonly signingKey?: SigningKey | undefined;
}

/** An access token that passed its checks. It prints without its value. */
export class AccessToken {
  /** When the token expires; undefined if neither the token nor the server says. */
  readonly expiresAt: Date | undefined;
  /** The whole lifetime, by the shorter of token and server; undefined like `expiresAt`. */
  readonly lifetime: Milliseconds | undefined;
  /** The granted scope, separated by spaces. */
  readonly scope: string;
  /** The tenant: the requested one, otherwise the one in the granted scope; undefined if there are several or none. */
  readonly tsgId: string | undefined;
  /** The key that verified the signature; undefined if it was not verified. */
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

  /** The time until the token expires, negative afterwards; undefined if the lifetime is not known. */
  remaining(clock: Clock): Milliseconds | undefined {
    return this.#deadline === undefined ? undefined : this.#deadline - clock.elapsed();
  }
}
defineInspect(
  AccessToken.prototype,
  (token) => `AccessToken { ${token.scope}, expires ${token.expiresAt?.toISOString() ?? "unknown"} }`,
);

const single = (ids: readonly string[]): string | undefined => (ids.length === 1 ? ids[0] : undefined);

/** By default a token is reused only with this much left, or this share of its lifetime if that is less. */
const DEFAULT_MIN_TTL: Milliseconds = 300_000;
const DEFAULT_MIN_TTL_RATIO = 1 / 3;

/** The minimum remaining lifetime for reusing a token. `minTtl` is what the caller asked for, in seconds. */
export const getMinRemaining = (minTtl: Seconds | undefined, lifetime: Milliseconds): Milliseconds =>
  minTtl === undefined ? Math.min(DEFAULT_MIN_TTL, lifetime * DEFAULT_MIN_TTL_RATIO) : minTtl * 1000;

/** Whether a token is valid for long enough to be reused. One with an unknown lifetime is not. */
export function hasMinRemaining(token: AccessToken, minTtl: Seconds | undefined, clock: Clock): boolean {
  const remaining = token.remaining(clock);
  if (remaining === undefined || token.lifetime === undefined) return false;
  return remaining > 0 && remaining >= getMinRemaining(minTtl, token.lifetime);
}
