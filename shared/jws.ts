import { compactVerify } from "jose/jws/compact/verify";
import type { SigningKey } from "./jwks.ts";

/** The only accepted algorithm (RFC 7518 section 3.3), whatever the token's header contains. */
const ALGORITHM = "RS256";

/** Whether the signature of a compact JWS (RFC 7515 section 7.1) was made with this key. Never throws. */
export async function isSignedBy(token: string, { kty, n, e }: SigningKey): Promise<boolean> {
  try {
    await compactVerify(token, { kty, n, e, alg: ALGORITHM }, { algorithms: [ALGORITHM] });
    return true;
  } catch {
    // Whatever is wrong with the signature or the key.
    return false;
  }
}
