import * as z from "zod/mini";
import type { Milliseconds } from "./clock.ts";
import { formatDuration } from "./duration.ts";
import { TokenExpiredError, verificationError } from "./errors.ts";
import type { SigningKey } from "./jwks.ts";
import { parseScope, tsgScope } from "./scope.ts";

/** Maximum length in characters. The characters are not restricted: SCM's key IDs contain `/` and `=`. */
const MAX_KID_LENGTH = 256;

/** Keys and key URLs in the header (`jwk`, `jku`, `x5c`, `x5u`) are ignored. */
const headerSchema = () =>
  z.looseObject({ alg: z.string(), kid: z.optional(z.string().check(z.maxLength(MAX_KID_LENGTH))) });

/** The bytes of a segment; undefined if it is not canonical base64url (RFC 4648 sections 3.5 and 5). */
export function decodeSegment(segment: string): Buffer | undefined {
  const bytes = Buffer.from(segment, "base64url");
  return segment !== "" && bytes.toString("base64url") === segment ? bytes : undefined;
}

/** The JSON value of a segment; undefined if the segment is not canonical base64url-encoded UTF-8 JSON. */
export function decodeJsonSegment(segment: string): unknown {
  const bytes = decodeSegment(segment);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown;
  } catch {
    return undefined;
  }
}

/** Whether `token` is meant to be a JWT, valid or not: three segments, the first of which decodes to a JSON object. */
export function looksLikeJwt(token: string): boolean {
  const [header = "", ...others] = token.split(".");
  if (others.length !== 2) return false;
  try {
    const value: unknown = JSON.parse(Buffer.from(header, "base64url").toString());
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/**
 * Decodes a JWT in JWS compact serialization (RFC 7515 section 7.1) without verifying it.
 *
 * @throws AuthError of kind `verification` with code `malformed_token`
 */
export function decodeJwt(token: string): {
  readonly alg: string;
  readonly kid: string | undefined;
  readonly payload: unknown;
} {
  const segments = token.split(".");
  if (segments.length !== 3 || segments.some((segment) => decodeSegment(segment) === undefined))
    throw verificationError("malformed_token", "the token is not a compact JWS.");
  const [header, payload] = segments.map(decodeJsonSegment);
  const parsed = headerSchema().safeParse(header);
  if (!parsed.success) throw verificationError("malformed_token", "the token has an invalid header (alg, kid).");
  // Extensions that are not understood must be rejected (RFC 7515 section 4.1.11), and none is supported here.
  if ("crit" in parsed.data)
    throw verificationError("malformed_token", "the token uses unsupported extensions (crit).");
  if (payload === undefined) throw verificationError("malformed_token", "the token has a payload that is not JSON.");
  return { alg: parsed.data.alg, kid: parsed.data.kid, payload };
}

/** The claims of a token (RFC 7519 section 4.1). Times are in seconds since the Unix epoch. */
export interface JWTClaims {
  /** Audience: the client ID. */
  readonly aud: string | readonly string[];
  /** Expiration time. */
  readonly exp: number;
  /** Issued at. */
  readonly iat: number;
  /** Not before. */
  readonly nbf?: number | undefined;
  /** Issuer. SCM's issuer contains a port: `https://auth.apps.paloaltonetworks.com:443/am/oauth2`. */
  readonly iss?: string | undefined;
  /** The granted scope (RFC 9068 section 2.2.3); an array in SCM's tokens. */
  readonly scope?: string | readonly string[] | undefined;
  readonly [claim: string]: unknown;
}

/** The claims that a token must have. */
export interface ExpectedClaims {
  /** Must be contained in `aud`. */
  readonly clientId: string;
  /** Tenants that must all be granted. */
  readonly tsgIds: readonly string[];
  /** If set, must equal `iss`. */
  readonly issuer: string | undefined;
}

/** The time against which claims are validated. */
export interface ClockInfo {
  /** Wall-clock time of this machine. */
  readonly now: Milliseconds;
  /** The server's clock (`Date` header) minus the local clock; undefined if unknown. */
  readonly skew: Milliseconds | undefined;
}

/** The end of the year 9999. Larger values are probably in milliseconds. */
const MAX_NUMERIC_DATE = 253_402_300_799;
/** How far `iat` and `nbf` may be in the future. No tolerance applies to `exp`. */
const CLOCK_TOLERANCE: Milliseconds = 30_000;
/** A larger clock difference is reported as the cause of a time error. */
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

/**
 * Validates the claims of a token. Does not verify the signature.
 *
 * @throws AuthError of kind `verification` that names the claim; TokenExpiredError if the token has expired
 */
export function validateClaims(payload: unknown, expected: ExpectedClaims, clockInfo: ClockInfo): JWTClaims {
  const parsed = claimsSchema().safeParse(payload);
  if (!parsed.success) {
    const name = parsed.error.issues[0]?.path[0];
    if (typeof name !== "string") throw verificationError("malformed_token", "the JWT payload is not a JSON object.");
    throw name in (payload as object)
      ? verificationError("invalid_claim", `the ${name} claim is invalid.`)
      : verificationError("missing_claim", `the ${name} claim is missing.`);
  }
  const claims: JWTClaims = parsed.data;
  const audience = typeof claims.aud === "string" ? [claims.aud] : claims.aud;
  if (!audience.includes(expected.clientId))
    throw verificationError("audience_mismatch", "the aud claim does not contain the client ID.");
  if (expected.issuer !== undefined && claims.iss !== expected.issuer)
    throw verificationError("issuer_mismatch", "the iss claim is not the expected issuer.");
  validateTimes(claims, clockInfo);
  validateTenants(getScope(claims), expected.tsgIds);
  return claims;
}

/** @throws AuthError unless the scope-token of every tenant was granted */
export function validateTenants(granted: readonly string[], tsgIds: readonly string[]): void {
  const missing = tsgIds.filter((id) => !granted.includes(tsgScope(id)));
  if (missing.length > 0)
    throw verificationError("tenant_mismatch", `the token's scope does not grant tenant ${missing.join(", ")}.`);
}

function validateTimes({ exp, iat, nbf }: JWTClaims, { now, skew = 0 }: ClockInfo): void {
  const start = Math.max(iat, nbf ?? 0) * 1000;
  const end = exp * 1000;
  if (end <= start) throw verificationError("invalid_claim", "the exp claim is not after iat and nbf.");
  const isExpired = (time: Milliseconds): boolean => end <= time;
  const isEarly = (time: Milliseconds): boolean => start > time + CLOCK_TOLERANCE;
  if (!isExpired(now) && !isEarly(now)) return;
  // The token is valid according to the server's clock but not the local clock, so the clock difference is the cause.
  if (Math.abs(skew) > MAX_CLOCK_SKEW && !isExpired(now + skew) && !isEarly(now + skew)) {
    const direction = skew < 0 ? "ahead of" : "behind";
    const difference = formatDuration(Math.abs(skew));
    throw verificationError(
      "clock_skew",
      `this machine's clock is ${difference} ${direction} the server's (clock skew).`,
    );
  }
  if (isExpired(now)) throw new TokenExpiredError(`the token expired ${formatDuration(now - end)} ago (exp).`);
  throw verificationError(
    "token_not_yet_valid",
    `the token does not become valid until ${formatDuration(start - now)} from now (iat, nbf).`,
  );
}

const ALGORITHM = "RS256";
/** Maximum number of keys tried. A key set with many keys for one `kid` must not keep the process busy. */
const MAX_KEYS = 12;

/**
 * Verifies the format, algorithm, signature, and claims of a JWT access token. Returns the key that verified the
 * signature.
 *
 * @param findKeys - resolves to the keys for a `kid`; called after the format and the algorithm have been checked
 * @param getClockInfo - called after the signature has been verified
 * @param checkDeadline - called before each key is tried; throws if the deadline has passed
 * @throws AuthError of kind `verification`, or any error thrown by the callbacks
 */
export async function verifyJwt(
  token: string,
  findKeys: (kid: string | undefined) => Promise<readonly SigningKey[]>,
  expected: ExpectedClaims,
  getClockInfo: () => ClockInfo,
  checkDeadline: () => void = () => undefined,
): Promise<{ readonly claims: JWTClaims; readonly key: SigningKey }> {
  const { alg, kid, payload } = decodeJwt(token);
  if (alg !== ALGORITHM) throw verificationError("algorithm_not_allowed", `the token is not signed with ${ALGORITHM}.`);
  const keys = await findKeys(kid);
  if (keys.length === 0)
    throw verificationError("signing_key_not_found", "no key in the JWKS matches the token's key ID (kid).");
  // jose is loaded only when it is needed; requestToken() in sign-in.ts loads it in advance.
  const { isSignedBy } = await import("./jws.ts");
  for (const key of keys.slice(0, MAX_KEYS)) {
    checkDeadline();
    if (await isSignedBy(token, key)) return { claims: validateClaims(payload, expected, getClockInfo()), key };
  }
  throw verificationError("invalid_signature", "the token's signature could not be verified with the JWKS.");
}
