import type { Milliseconds } from "../clock.ts";
import { showAs } from "../report/show-as.ts";
import { claimedScope, type Claims } from "./claims.ts";
import { tenantsOf } from "./scope.ts";
import type { SigningKey } from "./signing-keys.ts";

/** A token that may be handed out. It prints without its value. */
export class AccessToken {
  /** The token's own end; unknown for an opaque token whose server did not say. */
  readonly expiresAt: Date | undefined;
  /** How long it lives from now, by the shorter of what server and token say; unknown as `expiresAt`. */
  readonly lifetime: Milliseconds | undefined;
  /** Its whole life, by the shorter of what server and token say; unknown as `expiresAt`. */
  readonly life: Milliseconds | undefined;
  /** The scope granted, its words separated by spaces. */
  readonly scope: string;
  /** The tenant: the one asked for, else the one that the scope grants; undefined when it is none or several. */
  readonly tsgId: string | undefined;
  /** The key that proved it; undefined where it was not proved. */
  readonly key: SigningKey | undefined;
  readonly #value: string;

  constructor(value: string, facts: Facts) {
    this.#value = value;
    this.expiresAt = facts.expiresAt;
    this.lifetime = facts.lifetime;
    this.life = facts.life;
    this.scope = facts.scope.join(" ");
    this.key = facts.key;
    this.tsgId = onlyOne(facts.tenants) ?? onlyOne(tenantsOf(facts.scope));
  }

  /** What goes behind `Bearer` (RFC 6750 section 2.1). */
  get value(): string {
    return this.#value;
  }
}
showAs(
  AccessToken.prototype,
  (token) => `AccessToken { ${token.scope}, until ${token.expiresAt?.toISOString() ?? "unknown"} }`,
);

/** What is known of a token beside its value. */
export interface Facts {
  readonly expiresAt: Date | undefined;
  readonly lifetime: Milliseconds | undefined;
  /** See {@link AccessToken.life}. */
  readonly life?: Milliseconds | undefined;
  readonly scope: readonly string[];
  /** The tenants that were asked for and are granted. */
  readonly tenants: readonly string[];
  readonly key?: SigningKey;
}

const onlyOne = (ids: readonly string[]): string | undefined => (ids.length === 1 ? ids[0] : undefined);

/** When a token was asked for, and what the server said of its life. */
export interface Issue {
  /** `expires_in` of RFC 6749 section 5.1, in milliseconds. */
  readonly life: Milliseconds | undefined;
  /** How long ago the request was sent: the life counts from before then at the latest. */
  readonly age: Milliseconds;
  /** Our wall clock now. */
  readonly wall: Milliseconds;
}

/** The life of a token: what is left of it, and its end. `exp` is in seconds since 1970 UTC. */
export function lifeOf({ life, age, wall }: Issue, exp: number | undefined): Pick<Facts, "expiresAt" | "lifetime"> {
  const byServer = life === undefined ? undefined : life - age;
  const byToken = exp === undefined ? undefined : exp * 1000 - wall;
  const known = [byServer, byToken].filter((left) => left !== undefined);
  const end = exp === undefined ? (byServer === undefined ? undefined : wall + byServer) : exp * 1000;
  return {
    expiresAt: end === undefined ? undefined : new Date(end),
    lifetime: known.length === 0 ? undefined : Math.max(0, Math.min(...known)),
  };
}

/** The facts of a JWT, by its own claims. */
export const factsOf = (claims: Claims, issue: Issue, tenants: readonly string[]): Facts => ({
  ...lifeOf(issue, claims.exp),
  life: Math.min(issue.life ?? Infinity, (claims.exp - claims.iat) * 1000),
  scope: claimedScope(claims) ?? [],
  tenants,
});
