import { validateClaims, type ClockInfo, type ExpectedClaims, type JWTClaims } from "./claims.ts";
import { AuthError } from "./errors.ts";
import type { SigningKey } from "./jwks.ts";
import { decodeJwt } from "./jwt.ts";

const ALGORITHM = "RS256";
/** A key set with many keys under one `kid` must not keep the process busy. */
const MAX_KEYS = 12;

/** A verified token. */
export interface VerifiedJwt {
  readonly claims: JWTClaims;
  /** The key that verified the signature. */
  readonly key: SigningKey;
}

/**
 * Verifies a JWT access token: form, algorithm, signature and claims.
 *
 * @param findKeys - resolves to the keys for a `kid`; called once the form and the algorithm are valid
 * @param getClockInfo - called once the signature is verified
 * @param checkDeadline - called before each key; throws when the time is up
 * @throws AuthError of kind `verification`, or what the callbacks throw
 */
export async function verifyJwt(
  token: string,
  findKeys: (kid: string | undefined) => Promise<readonly SigningKey[]>,
  expected: ExpectedClaims,
  getClockInfo: () => ClockInfo,
  checkDeadline: () => void = () => undefined,
): Promise<VerifiedJwt> {
  const { alg, kid, payload } = decodeJwt(token);
  if (alg !== ALGORITHM)
    throw new AuthError(`the token is not signed with ${ALGORITHM}.`, {
      kind: "verification",
      code: "algorithm_not_allowed",
    });
  const keys = await findKeys(kid);
  if (keys.length === 0)
    throw new AuthError("no key in the JWKS matches the key ID (kid) of the token.", {
      kind: "verification",
      code: "signing_key_not_found",
    });
  // jose is loaded when it is needed: see preloadVerifier() in sign-in.ts.
  const { isSignedBy } = await import("./jws.ts");
  for (const key of keys.slice(0, MAX_KEYS)) {
    checkDeadline();
    if (await isSignedBy(token, key)) return { claims: validateClaims(payload, expected, getClockInfo()), key };
  }
  throw new AuthError("the signature of the token could not be verified with the JWKS.", {
    kind: "verification",
    code: "invalid_signature",
  });
}
