import { createPublicKey, verify } from "node:crypto";
import type { SigningKey } from "../../shared/jwks.ts";

/** An independent implementation of JWT verification that uses only node:crypto. It returns true or false. */

/** The expected content of a token. */
export interface ReferenceExpectation {
  readonly clientId: string;
  readonly tsgId: string;
  readonly issuer: string;
  /** The current time in milliseconds since 1970. */
  readonly now: number;
}

function decode(segment: string): Buffer {
  const bytes = Buffer.from(segment, "base64url");
  if (!/^[\w-]+$/.test(segment) || bytes.toString("base64url") !== segment) throw new Error("not canonical");
  return bytes;
}

function decodeJson(segment: string): Readonly<Record<string, unknown>> {
  const bytes = decode(segment);
  const text = bytes.toString();
  if (!Buffer.from(text).equals(bytes)) throw new Error("not UTF-8");
  return JSON.parse(text.replace(/^\ufeff/, "")) as Readonly<Record<string, unknown>>;
}

/** Returns whether one of `keys` signed the token and the claims are as expected. */
export function verifyByReference(token: string, keys: readonly SigningKey[], expected: ReferenceExpectation): boolean {
  try {
    const segments = token.split(".");
    if (segments.length !== 3) return false;
    const [header = "", payload = "", signature = ""] = segments;
    const { alg, kid, crit } = decodeJson(header);
    if (alg !== "RS256" || crit !== undefined) return false;
    if (kid !== undefined && (typeof kid !== "string" || kid.length > 256)) return false;
    const input = Buffer.from(`${header}.${payload}`);
    return (
      keys
        .filter((key) => kid === undefined || key.kid === kid)
        .some((key) => isSignedBy(key, input, decode(signature))) && areClaimsValid(decodeJson(payload), expected)
    );
  } catch {
    return false;
  }
}

function isSignedBy({ kty, n, e }: SigningKey, input: Buffer, signature: Buffer): boolean {
  try {
    const key = createPublicKey({ key: { kty, n, e }, format: "jwk" });
    return (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048 && verify("sha256", input, key, signature);
  } catch {
    return false;
  }
}

const isTime = (value: unknown): value is number => typeof value === "number" && value >= 0 && value <= 253_402_300_799;
const isStrings = (value: unknown): value is string | readonly string[] =>
  typeof value === "string" || (Array.isArray(value) && value.every((item) => typeof item === "string"));

function areClaimsValid(
  { aud, iss, exp, iat, nbf, scope }: Readonly<Record<string, unknown>>,
  { clientId, tsgId, issuer, now }: ReferenceExpectation,
): boolean {
  if (!isStrings(aud) || !isTime(exp) || !isTime(iat) || !(nbf === undefined || isTime(nbf))) return false;
  if (!isStrings(scope)) return false;
  const start = Math.max(iat, nbf ?? 0);
  return (
    (aud === clientId || (typeof aud !== "string" && aud.includes(clientId))) &&
    iss === issuer &&
    exp > start &&
    exp * 1000 > now &&
    start * 1000 <= now + 30_000 &&
    (typeof scope === "string" ? scope.split(" ") : scope).includes(`tsg_id:${tsgId}`)
  );
}
