import { createPublicKey, verify } from "node:crypto";
import type { SigningKey } from "../../shared/token/signing-keys.ts";

/**
 * A second implementation of the proof of a token, on node:crypto alone. It knows no codes: it says yes or no.
 */

/** What a token must say, and when. */
export interface ToBeProved {
  readonly clientId: string;
  readonly tsgId: string;
  readonly issuer: string;
  /** In milliseconds since 1970. */
  readonly now: number;
}

const CANONICAL = /^[\w-]+$/;

function bytesOf(segment: string): Buffer {
  const bytes = Buffer.from(segment, "base64url");
  if (!CANONICAL.test(segment) || bytes.toString("base64url") !== segment) throw new Error("not canonical");
  return bytes;
}

function jsonOf(segment: string): unknown {
  const bytes = bytesOf(segment);
  const text = bytes.toString();
  if (!Buffer.from(text).equals(bytes)) throw new Error("not UTF-8");
  return JSON.parse(text.replace(/^\ufeff/, ""));
}

const isTime = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 && value <= 253_402_300_799;
const isTexts = (value: unknown): value is string | readonly string[] =>
  typeof value === "string" || (Array.isArray(value) && value.every((item) => typeof item === "string"));

/** Whether `keys` and `expected` prove a token. */
export function isProvedByHand(token: string, keys: readonly SigningKey[], expected: ToBeProved): boolean {
  try {
    const segments = token.split(".");
    if (segments.length !== 3) return false;
    const [header = "", payload = "", signature = ""] = segments;
    const { alg, kid, crit } = jsonOf(header) as Readonly<Record<string, unknown>>;
    if (alg !== "RS256" || crit !== undefined) return false;
    if (kid !== undefined && (typeof kid !== "string" || kid.length > 256)) return false;
    const input = Buffer.from(`${header}.${payload}`);
    const signed = keys
      .filter((candidate) => kid === undefined || candidate.kid === kid)
      .some((candidate) => isSignedBy(candidate, input, bytesOf(signature)));
    return signed && areGood(jsonOf(payload) as Readonly<Record<string, unknown>>, expected);
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

function areGood(claims: Readonly<Record<string, unknown>>, { clientId, tsgId, issuer, now }: ToBeProved): boolean {
  const { aud, iss, exp, iat, nbf, scope } = claims;
  if (!isTexts(aud) || !isTime(exp) || !isTime(iat) || !(nbf === undefined || isTime(nbf))) return false;
  if (!isTexts(scope)) return false;
  const begin = Math.max(iat, nbf ?? 0);
  return (
    (aud === clientId || (typeof aud !== "string" && aud.includes(clientId))) &&
    iss === issuer &&
    exp > begin &&
    exp * 1000 > now &&
    begin * 1000 <= now + 30_000 &&
    (typeof scope === "string" ? scope.split(" ") : scope).includes(`tsg_id:${tsgId}`)
  );
}
