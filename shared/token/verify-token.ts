import { compactVerify } from "jose/jws/compact/verify";
import { AuthError } from "../report/errors.ts";
import { judgeClaims, type Claims, type Clocks, type Expectation } from "./claims.ts";
import { decodeJws } from "./jws.ts";
import type { SigningKey } from "./signing-keys.ts";

/** The one algorithm accepted (RFC 7518 section 3.3), whatever the token says: no confusion is possible. */
const ALGORITHM = "RS256";

/** Finds the keys that may have signed a token that names `kid`; none when there is no such key. */
export type KeyFinder = (kid: string | undefined) => Promise<readonly SigningKey[]>;

/** A token's claims and the key that proves them. */
export interface Verified {
  readonly claims: Claims;
  readonly key: SigningKey;
}

/**
 * Proves a JWT access token: its form, its algorithm, its signature by one of the keys found, its claims.
 *
 * @throws AuthError of kind `verification`, or what `findKeys` throws
 */
export async function verifyToken(
  token: string,
  findKeys: KeyFinder,
  expected: Expectation,
  clocks: () => Clocks,
): Promise<Verified> {
  const { alg, kid, payload } = decodeJws(token);
  if (alg !== ALGORITHM) {
    throw new AuthError(`the token is signed by another algorithm than ${ALGORITHM}.`, {
      kind: "verification",
      code: "forbidden_algorithm",
    });
  }
  const keys = await findKeys(kid);
  if (keys.length === 0)
    throw new AuthError("no signing key has the token's key id (kid).", { kind: "verification", code: "unknown_key" });
  const key = await signer(token, keys);
  if (key === undefined)
    throw new AuthError("the token's signature is not by the signing keys.", {
      kind: "verification",
      code: "bad_signature",
    });
  return { claims: judgeClaims(payload, expected, clocks()), key };
}

/**
 * Makes node load its Web Crypto, while there is an answer to wait for: it does so at the first use, and takes some
 * 5 ms.
 */
export function prepareToVerify(): void {
  // Later, so that the requests begin first. No key is imported, since this one is none.
  setImmediate(() => {
    const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
    crypto.subtle.importKey("jwk", { kty: "RSA" }, algorithm, false, ["verify"]).catch(() => undefined);
  });
}

/** The first of `keys` that signed `token`. Several may share a `kid`, and some may be unfit (too short). */
async function signer(token: string, keys: readonly SigningKey[]): Promise<SigningKey | undefined> {
  for (const key of keys) {
    try {
      await compactVerify(token, { kty: key.kty, n: key.n, e: key.e, alg: ALGORITHM }, { algorithms: [ALGORITHM] });
      return key;
    } catch {
      // Not this one. Whatever is wrong with it, no other outcome than a valid signature counts.
    }
  }
  return undefined;
}
