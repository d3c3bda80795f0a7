import { compactVerify } from "jose/jws/compact/verify";
import type { SigningKey } from "./jwks.ts";

/** The only accepted algorithm (RFC 7518 section 3.3), regardless of the token's header. */
const ALGORITHM = "RS256";

/** Whether the signature of a compact JWS (RFC 7515 section 7.1) was created with this key. Never throws. */
export async function isSignedBy(token: string, { kty, n, e }: SigningKey): Promise<boolean> {
  try {
    await compactVerify(token, { kty, n, e, alg: ALGORITHM }, { algorithms: [ALGORITHM] });
    return true;
  } catch {
    // The signature or the key is invalid.
    return false;
  }
}
