import assert from "node:assert/strict";
import { test } from "node:test";
import { createLocalJWKSet, jwtVerify } from "jose";
import { compact, honestClaims, makeSigner } from "./tokens.ts";

const signer = await makeSigner();
const keys = createLocalJWKSet({ keys: [signer.jwk] });
const claims = honestClaims({ clientId: "ci@1.iam.panserviceaccount.com", tsgId: "1" });

test("an honest token is proved by its signer's public key", async () => {
  const { payload, protectedHeader } = await jwtVerify(signer.sign(claims), keys);
  assert.deepEqual(payload, claims);
  assert.deepEqual(protectedHeader, { alg: "RS256", typ: "JWT", kid: signer.kid });
});

test("another signer's token is not", async () => {
  const liar = await makeSigner({ kid: signer.kid });
  await assert.rejects(jwtVerify(liar.sign(claims), keys), { code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" });
});

test("a header may say anything and leave anything out", () => {
  const [header = ""] = signer.sign(claims, { kid: undefined, alg: "none", jku: "https://evil.test" }).split(".");
  assert.deepEqual(JSON.parse(Buffer.from(header, "base64url").toString()), {
    alg: "none",
    typ: "JWT",
    jku: "https://evil.test",
  });
});

test("a token of any shape can be put together by hand", () => {
  assert.equal(
    compact("not json", Buffer.of(0xff), () => "~"),
    "bm90IGpzb24._w.~",
  );
});

test("claims have the times asked for", () => {
  const { iat, nbf, exp } = honestClaims({ clientId: "x", tsgId: "1", now: 1000.7, ttl: 60 });
  assert.deepEqual({ iat, nbf, exp }, { iat: 1000, nbf: 1000, exp: 1060 });
});
