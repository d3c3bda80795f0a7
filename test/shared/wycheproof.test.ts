import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { importJWK } from "jose";

import { AuthError } from "../../shared/errors.ts";
import { parseJwksResponse, type SigningKey } from "../../shared/jwks.ts";
import { isSignedBy } from "../../shared/jws.ts";
import { verifyJwt } from "../../shared/jwt.ts";

/**
 * Runs the published signature vectors of Project Wycheproof (https://github.com/C2SP/wycheproof).
 * `WYCHEPROOF_DIR` is the path of a clone.
 */

interface Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly result: "valid" | "invalid" | "acceptable";
}
interface JwsGroup {
  /** Missing in groups with a symmetric key. */
  readonly public?: object;
  readonly tests: readonly (Vector & { readonly jws: string })[];
}
interface RsaGroup {
  readonly keyJwk: SigningKey;
  readonly tests: readonly (Vector & { readonly msg: string; readonly sig: string })[];
}

const directory = process.env["WYCHEPROOF_DIR"];
const options = { skip: directory ? false : "NOT RUN wycheproof: WYCHEPROOF_DIR is not set" };

async function readGroups<Group>(name: string): Promise<readonly Group[]> {
  const path = join(directory ?? "", "testvectors_v1", `${name}_test.json`);
  return (JSON.parse(await readFile(path, "utf8")) as { readonly testGroups: readonly Group[] }).testGroups;
}

/** Returns the keys that a sign-in would use if the key set contained only this key. */
function toSigningKeys(jwk: object): readonly SigningKey[] {
  const response = { status: 200, headers: {}, body: JSON.stringify({ keys: [jwk] }), clockOffset: undefined };
  const outcome = parseJwksResponse(response, (text) => text);
  return outcome.type === "success" ? outcome.value : [];
}

function report(t: TestContext, name: string, vectors: readonly Vector[]): void {
  const valid = vectors.filter(({ result }) => result === "valid").length;
  t.diagnostic(`RAN wycheproof ${name}: ${vectors.length} vectors, ${valid} valid`);
}

test("accepts and rejects the JSON Web Signatures of Wycheproof, and only with RS256", options, async (t) => {
  const groups = await readGroups<JwsGroup>("json_web_signature");
  let accepted = 0;
  for (const { public: jwk = {}, tests } of groups) {
    const keys = toSigningKeys(jwk);
    for (const { jws, result, tcId, comment } of tests) {
      const isAccepted = keys[0] !== undefined && (await isSignedBy(jws, keys[0]));
      assert.equal(isAccepted, result === "valid" && keys.length === 1, `${tcId}: ${comment}`);
      if (isAccepted) accepted++;
      // None of the payloads contains claims.
      const verified = verifyJwt(
        jws,
        () => Promise.resolve(keys),
        { clientId: "", tsgIds: [], issuer: undefined },
        () => ({ now: 0, skew: 0 }),
      );
      await assert.rejects(verified, (error) => AuthError.isAuthError(error) && error.kind === "verification");
    }
  }
  assert.ok(accepted > 0);
  report(t, `json_web_signature (${accepted} accepted)`, groups.map(({ tests }) => tests).flat());
});

for (const size of [2048, 3072, 4096, 8192])
  // A compact JWS cannot contain the messages, so only the WebCrypto operation that jose calls for RS256 is tested.
  test(`WebCrypto accepts and rejects the signatures of Wycheproof with ${size} bits`, options, async (t) => {
    const groups = await readGroups<RsaGroup>(`rsa_signature_${size}_sha256`);
    for (const { keyJwk, tests } of groups) {
      const [signingKey] = toSigningKeys(keyJwk);
      assert.ok(signingKey);
      const { kty, n, e } = signingKey;
      const key = await importJWK({ kty, n, e, alg: "RS256" });
      assert.ok(key instanceof CryptoKey);
      for (const { msg, sig, result, tcId, comment } of tests) {
        const [signature, message] = [Buffer.from(sig, "hex"), Buffer.from(msg, "hex")];
        const isValid = await crypto.subtle.verify("RSASSA-PKCS1-v1_5", key, signature, message);
        // The acceptable signatures omit a NULL. They are invalid, but some old signers create them.
        assert.equal(isValid, result === "valid", `${tcId}: ${comment}`);
      }
    }
    report(
      t,
      `rsa_signature_${size}_sha256`,
      groups.flatMap(({ tests }) => tests as readonly Vector[]),
    );
  });
