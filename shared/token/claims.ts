import * as z from "zod/mini";
import type { Milliseconds } from "../clock.ts";
import { AuthError, type AuthErrorCode } from "../report/errors.ts";
import { timeSpan } from "../report/time-span.ts";
import { scopeWords, tenantScope } from "./scope.ts";

/** The end of the year 9999, in seconds since 1970: later dates are nonsense. */
const LATEST = 253_402_300_799;

const numericDate = z.number().check(z.gte(0), z.lte(LATEST));

/** The claims that are judged (RFC 7519 section 4.1, RFC 9068 section 2.2); others are carried along. */
const claimsSchema = z.looseObject({
  aud: z.union([z.string(), z.array(z.string())]),
  exp: numericDate,
  iat: numericDate,
  nbf: z.optional(numericDate),
  iss: z.optional(z.string()),
  scope: z.optional(z.union([z.string(), z.array(z.string())])),
});

/** The claims of a token (RFC 7519 section 4.1), as its server wrote them. Times are seconds since 1970 UTC. */
export interface Claims {
  /** For whom: the client id. */
  readonly aud: string | readonly string[];
  /** When it ends. */
  readonly exp: number;
  /** When it was made. */
  readonly iat: number;
  /** From when on it counts. */
  readonly nbf?: number | undefined;
  /** Who made it. SCM's has a port: `https://auth.apps.paloaltonetworks.com:443/am/oauth2`. */
  readonly iss?: string | undefined;
  /** The scope granted; SCM writes a list. */
  readonly scope?: string | readonly string[] | undefined;
  readonly [claim: string]: unknown;
}

/** What a token must say. */
export interface Expectation {
  /** Must be among `aud`. */
  readonly clientId: string;
  /** Must all be granted, as whole words of the scope. */
  readonly tenants: readonly string[];
  /** Must be `iss`, when given. */
  readonly issuer: string | undefined;
}

/** The two clocks a token is held against. */
export interface Clocks {
  /** Our wall clock, milliseconds since 1970 UTC. */
  readonly wall: Milliseconds;
  /** The server's clock less ours, by its `Date` header; unknown without one. */
  readonly offset: Milliseconds | undefined;
}

/** How far `iat` and `nbf` may lie ahead. Clocks differ a little; an end has no such grace. */
const AHEAD: Milliseconds = 30_000;
/** Clocks that differ by more than this are named as the cause. */
const SKEW: Milliseconds = 30_000;

/** The scope words that the token itself claims; undefined when it claims none. */
export const claimedScope = ({ scope }: Claims): readonly string[] | undefined =>
  typeof scope === "string" ? scopeWords(scope) : scope;

const refuse = (code: AuthErrorCode, what: string): AuthError => new AuthError(what, { kind: "verification", code });

/**
 * Judges what a token says. Who signed it is judged elsewhere.
 *
 * @throws AuthError of kind `verification`, which names the claim
 */
export function judgeClaims(payload: unknown, expected: Expectation, clocks: Clocks): Claims {
  const parsed = claimsSchema.safeParse(payload);
  if (!parsed.success) {
    const name = String(parsed.error.issues[0]?.path[0] ?? "");
    if (name === "") throw refuse("malformed_token", "the token's claims are no JSON object.");
    // What has a path by name is an object.
    throw name in (payload as object)
      ? refuse("bad_claim", `the token's claim ${name} is not as it must be.`)
      : refuse("missing_claim", `the token has no claim ${name}.`);
  }
  const claims: Claims = parsed.data;
  const audience = typeof claims.aud === "string" ? [claims.aud] : claims.aud;
  if (!audience.includes(expected.clientId))
    throw refuse("wrong_audience", "the token's audience (aud) is not this client id.");
  if (expected.issuer !== undefined && claims.iss !== expected.issuer)
    throw refuse("wrong_issuer", "the token's issuer (iss) is not the one configured.");
  judgeTimes(claims, clocks);
  judgeTenants(claimedScope(claims) ?? [], expected.tenants);
  return claims;
}

/** @throws AuthError unless each of `tenants` is granted by a whole word of `granted` */
export function judgeTenants(granted: readonly string[], tenants: readonly string[]): void {
  const missing = tenants.filter((tenant) => !granted.includes(tenantScope(tenant)));
  if (missing.length > 0)
    throw refuse("wrong_tenant", `the token's scope does not grant tenant ${missing.join(", ")}.`);
}

function judgeTimes({ exp, iat, nbf }: Claims, { wall, offset = 0 }: Clocks): void {
  if (exp <= iat || (nbf !== undefined && exp <= nbf))
    throw refuse("bad_claim", "the token ends (exp) before it begins (iat, nbf).");
  const begin = Math.max(iat, nbf ?? 0) * 1000;
  const fault = timeFault(begin, exp * 1000, wall);
  if (fault === undefined) return;
  // Right by the server's clock and wrong by ours: the clocks are the story.
  if (Math.abs(offset) > SKEW && timeFault(begin, exp * 1000, wall + offset) === undefined) {
    const direction = offset < 0 ? "ahead of" : "behind";
    throw refuse(
      "clock_skew",
      `this machine's clock is ${timeSpan(Math.abs(offset))} ${direction} the server's, so the token's times can't be right (clock skew).`,
    );
  }
  throw refuse(
    fault,
    fault === "token_expired"
      ? `the token ended (exp) ${timeSpan(wall - exp * 1000)} ago.`
      : `the token begins (iat, nbf) ${timeSpan(begin - wall)} from now.`,
  );
}

function timeFault(
  begin: Milliseconds,
  end: Milliseconds,
  now: Milliseconds,
): "token_expired" | "token_from_the_future" | undefined {
  if (end <= now) return "token_expired";
  return begin > now + AHEAD ? "token_from_the_future" : undefined;
}
