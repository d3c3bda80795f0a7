import * as z from "zod/mini";
import type { Milliseconds } from "./clock.ts";
import { formatDuration } from "./duration.ts";
import { AuthError, TokenExpiredError, type AuthErrorCode } from "./errors.ts";
import { parseScope, tsgScope } from "./scope.ts";

/** The claims of a token (RFC 7519 section 4.1). Times are in seconds since 1970 UTC. */
export interface JWTClaims {
  /** Audience: the client ID. */
  readonly aud: string | readonly string[];
  /** Expiration time. */
  readonly exp: number;
  /** Issued at. */
  readonly iat: number;
  /** Not before. */
  readonly nbf?: number | undefined;
  /** Issuer. SCM's contains a port: `https://auth.apps.paloaltonetworks.com:443/am/oauth2`. */
  readonly iss?: string | undefined;
  /** The granted scope (RFC 9068 section 2.2.3); an array in SCM's tokens. */
  readonly scope?: string | readonly string[] | undefined;
  readonly [claim: string]: unknown;
}

/** What the claims must contain. */
export interface ExpectedClaims {
  /** Must be in `aud`. */
  readonly clientId: string;
  /** Tenants that must all be granted. */
  readonly tsgIds: readonly string[];
  /** If set, must be `iss`. */
  readonly issuer: string | undefined;
}

/** The time against which claims are validated. */
export interface ClockInfo {
  /** Wall-clock time of this machine. */
  readonly now: Milliseconds;
  /** The server's clock (`Date` header) minus ours; undefined if unknown. */
  readonly skew: Milliseconds | undefined;
}

/** The end of the year 9999. Later dates are probably in milliseconds. */
const MAX_NUMERIC_DATE = 253_402_300_799;
/** How far `iat` and `nbf` may be ahead. `exp` has no tolerance. */
const CLOCK_TOLERANCE: Milliseconds = 30_000;
/** A larger difference between the clocks is reported as the cause. */
const MAX_CLOCK_SKEW: Milliseconds = 30_000;

const numericDate = () => z.number().check(z.gte(0), z.lte(MAX_NUMERIC_DATE));
const claimsSchema = () =>
  z.looseObject({
    aud: z.union([z.string(), z.array(z.string())]),
    exp: numericDate(),
    iat: numericDate(),
    nbf: z.optional(numericDate()),
    iss: z.optional(z.string()),
    scope: z.optional(z.union([z.string(), z.array(z.string())])),
  });

/** The scope-tokens of the `scope` claim. */
export const getScope = ({ scope }: JWTClaims): readonly string[] =>
  typeof scope === "string" ? parseScope(scope) : (scope ?? []);

const claimError = (code: AuthErrorCode, description: string): AuthError =>
  new AuthError(description, { kind: "verification", code });

/**
 * Validates the claims of a token. The signature is verified elsewhere.
 *
 * @throws AuthError of kind `verification` that names the claim; TokenExpiredError if the token has expired
 */
export function validateClaims(payload: unknown, expected: ExpectedClaims, clockInfo: ClockInfo): JWTClaims {
  const parsed = claimsSchema().safeParse(payload);
  if (!parsed.success) {
    const name = parsed.error.issues[0]?.path[0];
    if (typeof name !== "string") throw claimError("malformed_token", "the JWT payload is not a JSON object.");
    throw name in (payload as object)
      ? claimError("invalid_claim", `the ${name} claim is invalid.`)
      : claimError("missing_claim", `the ${name} claim is missing.`);
  }
  const claims: JWTClaims = parsed.data;
  const audience = typeof claims.aud === "string" ? [claims.aud] : claims.aud;
  if (!audience.includes(expected.clientId))
    throw claimError("audience_mismatch", "the aud claim does not contain the client ID.");
  if (expected.issuer !== undefined && claims.iss !== expected.issuer)
    throw claimError("issuer_mismatch", "the iss claim is not the expected issuer.");
  validateTimes(claims, clockInfo);
  validateTenants(getScope(claims), expected.tsgIds);
  return claims;
}

/** @throws AuthError unless each tenant is granted by a whole scope-token */
export function validateTenants(granted: readonly string[], tsgIds: readonly string[]): void {
  const missing = tsgIds.filter((id) => !granted.includes(tsgScope(id)));
  if (missing.length > 0)
    throw claimError("tenant_mismatch", `the scope of the token does not grant tenant ${missing.join(", ")}.`);
}

function validateTimes({ exp, iat, nbf }: JWTClaims, { now, skew = 0 }: ClockInfo): void {
  const start = Math.max(iat, nbf ?? 0) * 1000;
  const end = exp * 1000;
  if (end <= start) throw claimError("invalid_claim", "the exp claim is not after iat and nbf.");
  const isExpired = (time: Milliseconds): boolean => end <= time;
  const isEarly = (time: Milliseconds): boolean => start > time + CLOCK_TOLERANCE;
  if (!isExpired(now) && !isEarly(now)) return;
  // Valid by the server's clock but not by ours: the clocks are the cause.
  if (Math.abs(skew) > MAX_CLOCK_SKEW && !isExpired(now + skew) && !isEarly(now + skew)) {
    const direction = skew < 0 ? "ahead of" : "behind";
    const difference = formatDuration(Math.abs(skew));
    throw claimError(
      "clock_skew",
      `the clock of this machine is ${difference} ${direction} the server's (clock skew).`,
    );
  }
  if (isExpired(now)) throw new TokenExpiredError(`the token expired ${formatDuration(now - end)} ago (exp).`);
  throw claimError(
    "token_not_yet_valid",
    `the token is not valid for another ${formatDuration(start - now)} (iat, nbf).`,
  );
}
