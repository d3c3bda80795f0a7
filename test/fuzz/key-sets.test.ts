import assert from "node:assert/strict";
import { test } from "node:test";

import { AuthError } from "../../shared/report/errors.ts";
import { judgeKeys, keysFor, type SigningKey } from "../../shared/token/signing-keys.ts";
import { verifyToken } from "../../shared/token/verify-token.ts";
import * as fc from "../support/fuzzing.ts";
import { nearlyJson, nearlyText } from "../support/nearly.ts";
import { isProvedByHand } from "../support/prove-by-hand.ts";
import { honestClaims, makeSigner } from "../support/tokens.ts";

/** Key sets that are nearly right, and what is proved by the keys in them. */

const NOW = 1_769_860_860_000;
const clientId = "ci@1.iam.panserviceaccount.com";
const [signer, stranger] = await Promise.all([makeSigner({ kid: "a/b=" }), makeSigner({ kid: "a/b=" })]);
const honest = honestClaims({ clientId, tsgId: "1", now: NOW / 1000 - 60 });
const expected = { clientId, tsgId: "1", issuer: honest.iss, now: NOW };
const [token, forged] = [signer.sign(honest), stranger.sign(honest)];

const others = ["RSA", "EC", "RS512", "enc", "sig", ["verify"], ["sign"], "AQAB", "Aw", "AQ", signer.jwk.n, "a/b="];
const nearlyKey = nearlyJson({ ...signer.jwk, key_ops: ["verify"] }, others);
const keyList = fc.array(nearlyKey, { minLength: 1, maxLength: 3 }).map((keys) => `[${keys.join(",")}]`);
const keySet = fc.oneof(
  keyList.map((list) => `{"keys":${list}}`),
  nearlyText(
    keyList.map((list) => `{"keys":${list}}`),
    2,
  ),
  nearlyJson({ keys: [signer.jwk], other: 1 }),
);

const judge = (body: string) => judgeKeys({ status: 200, headers: {}, body, clockOffset: undefined }, (text) => text);

/** A second reading: the keys for RS256 signatures that a text holds; undefined when it is no key set. */
function keysIn(body: string): readonly SigningKey[] | undefined {
  let set: unknown;
  try {
    set = JSON.parse(body);
  } catch {
    return undefined;
  }
  const { keys } = Object(set) as { readonly keys?: unknown };
  if (!Array.isArray(keys) || Array.isArray(set)) return undefined;
  return keys.flatMap((key: unknown) => {
    if (typeof key !== "object" || key === null || Array.isArray(key)) return [];
    const { kty, n, e, kid, use, key_ops, alg } = key as Readonly<Record<string, unknown>>;
    if (kty !== "RSA" || typeof n !== "string" || typeof e !== "string") return [];
    if (!(kid === undefined || typeof kid === "string")) return [];
    if (!(use === undefined || use === "sig") || !(alg === undefined || alg === "RS256")) return [];
    const operations = key_ops ?? ["verify"];
    if (key_ops === null || !Array.isArray(operations) || !operations.every((one) => typeof one === "string"))
      return [];
    return operations.includes("verify") ? [{ kty, n, e, kid }] : [];
  });
}

async function isProved(jws: string, keys: readonly SigningKey[]): Promise<boolean> {
  const about = { clientId, tenants: ["1"], issuer: honest.iss };
  const findKeys = (kid: string | undefined) => Promise.resolve(keysFor(keys, kid));
  try {
    await verifyToken(jws, findKeys, about, () => ({ wall: NOW, offset: 0 }));
    return true;
  } catch (error) {
    assert.ok(AuthError.isAuthError(error), String(error));
    assert.ok(["unknown_key", "bad_signature"].includes(error.code), error.code);
    return false;
  }
}

test("of a key set that is nearly right those keys are kept that a second reading keeps, and they prove what they signed alone", async () => {
  let proved = 0;
  await fc.assert(
    fc.asyncProperty(keySet, async (body) => {
      const verdict = judge(body);
      const found = keysIn(body);
      if (verdict.is !== "done") {
        assert.deepEqual([verdict.error.kind, found?.length ?? 0], ["protocol", 0], body);
        return;
      }
      assert.deepEqual(verdict.value, found);
      assert.ok(!(await isProved(forged, verdict.value)));
      if (await isProved(token, verdict.value)) {
        proved++;
        assert.ok(isProvedByHand(token, verdict.value, expected), body);
      } else
        assert.ok(!verdict.value.some(({ n, e, kid }) => n === signer.jwk.n && e === signer.jwk.e && kid === "a/b="));
    }),
    { numRuns: 300 },
  );
  assert.ok(proved > 20, `${proved} key sets proved the token`);
});
