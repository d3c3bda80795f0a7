import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign, type JsonWebKey } from "node:crypto";
import { test } from "node:test";

import type { ExpectedClaims } from "../../shared/jwt.ts";
import { AuthError, type AuthErrorCode } from "../../shared/errors.ts";
import type { SigningKey } from "../../shared/jwks.ts";
import { verifyJwt } from "../../shared/jwt.ts";
import { countRuns, fc } from "../support/fuzzing.ts";
import { nearValidJson, nearValidText } from "../support/near-valid.ts";
import { verifyByReference } from "../support/reference-verifier.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { createSigner, encodeJws, encodeSegment, validClaims } from "../support/tokens.ts";

const NOW = 1_769_860_860_000;
const SECONDS = NOW / 1000;
const clientId = "ci@1.iam.panserviceaccount.com";
const claims = validClaims({ clientId, tsgId: "1", now: SECONDS - 60 });
const expected: ExpectedClaims = { clientId, tsgIds: ["1"], issuer: claims.iss };
const [signer, otherSigner] = await Promise.all([createSigner({ kid: "a/b=" }), createSigner({ kid: "other" })]);

const toKey = ({ n = "", e = "" }: JsonWebKey, kid?: string): SigningKey => ({ kty: "RSA", n, e, kid });
const key = toKey(signer.jwk, signer.kid);
const otherKey = toKey(otherSigner.jwk, otherSigner.kid);
const token = signer.sign(claims);

const clockInfo = () => ({ now: NOW, skew: 0 });
const findIn = (keys: readonly SigningKey[]) => (kid: string | undefined) =>
  Promise.resolve(keys.filter((candidate) => kid === undefined || candidate.kid === kid));

/** Returns why a token is rejected, or undefined if it is verified. */
async function getError(jwt: string, keys: readonly SigningKey[] = [key]): Promise<AuthError | undefined> {
  try {
    await verifyJwt(jwt, findIn(keys), expected, clockInfo);
    return undefined;
  } catch (error) {
    assert.ok(AuthError.isAuthError(error), String(error));
    assert.equal(error.kind, "verification");
    return error;
  }
}

const isValidByReference = (jwt: string, keys: readonly SigningKey[]): boolean =>
  verifyByReference(jwt, keys, { clientId, tsgId: "1", issuer: claims.iss, now: NOW });

const rs256 = (input: Buffer): Buffer => sign("sha256", input, signer.privateKey);

test("verifies a valid token regardless of which key signed it", async () => {
  const unnamed = { ...key, kid: undefined };
  const rows: readonly (readonly [jwt: string, keys: readonly SigningKey[]])[] = [
    [token, [key]],
    [token, [otherKey, key]],
    [token, [{ ...otherKey, kid: key.kid }, key]],
    [token, [{ ...key, n: "!" }, { ...key, e: "" }, key]],
    [signer.sign(claims, { kid: undefined }), [otherKey, unnamed]],
  ];
  for (const [jwt, keys] of rows) {
    const verified = await verifyJwt(jwt, findIn(keys), expected, clockInfo);
    assert.deepEqual([verified.key.n, verified.claims.exp], [key.n, claims.exp]);
    assert.ok(isValidByReference(jwt, keys));
  }
});

const pem = signer.publicKey.export({ type: "spki", format: "pem" }).toString();
const der = signer.publicKey.export({ type: "spki", format: "der" });
const hs256 = (secret: string | Buffer) => (input: Buffer) => createHmac("sha256", secret).update(input).digest();
const weak = generateKeyPairSync("rsa", { modulusLength: 1024 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const [header = "", payload = "", signature = ""] = token.split(".");
const [otherHeader = "", , otherSignature = ""] = otherSigner.sign(claims).split(".");
const otherPayload = encodeSegment({ ...claims, scope: ["tsg_id:1", "tsg_id:2"] });
const kid = { kid: key.kid };
const withAlg = (alg: string, signInput: (input: Buffer) => Uint8Array | string): string =>
  encodeJws({ alg, ...kid }, claims, signInput);

const FORGED: readonly (readonly [name: string, jwt: string, code: AuthErrorCode, keys?: readonly SigningKey[]])[] = [
  ["alg: none and no signature", `${encodeSegment({ alg: "none" })}.${payload}.`, "malformed_token"],
  ["alg: none and a signature", withAlg("none", () => "AA"), "algorithm_not_allowed"],
  ["an HS256 signature keyed with the public key in PEM", withAlg("HS256", hs256(pem)), "algorithm_not_allowed"],
  ["an HS256 signature keyed with the public key in DER", withAlg("HS256", hs256(der)), "algorithm_not_allowed"],
  ["an HS256 signature declared as RS256", withAlg("RS256", hs256(pem)), "invalid_signature"],
  ["an RS512 signature created with the correct key", withAlg("RS512", (input) => sign("sha512", input, signer.privateKey)), "algorithm_not_allowed"],
  ["an RS512 signature declared as RS256", withAlg("RS256", (input) => sign("sha512", input, signer.privateKey)), "invalid_signature"],
  ["a PSS signature declared as RS256", withAlg("RS256", (input) => sign("sha256", input, { key: signer.privateKey, padding: 6 })), "invalid_signature"],
  ["an ECDSA signature declared as RS256", withAlg("RS256", (input) => sign("sha256", input, ec.privateKey)), "invalid_signature"],
  ["a lowercase alg", withAlg("rs256", rs256), "algorithm_not_allowed"],
  ["another signer's signature and a known kid", otherSigner.sign(claims, kid), "invalid_signature"],
  ["another signer's key in its header", otherSigner.sign(claims, { ...kid, jwk: otherSigner.jwk }), "invalid_signature"],
  ["another signer's JWKS URL in its header", otherSigner.sign(claims, { ...kid, jku: "https://evil.test/jwks" }), "invalid_signature"],
  ["an unknown kid", otherSigner.sign(claims), "signing_key_not_found"],
  ["another signer's signature and no kid", otherSigner.sign(claims, { kid: undefined }), "invalid_signature"],
  ["changed claims", `${header}.${otherPayload}.${signature}`, "invalid_signature"],
  ["another token's header", `${otherHeader}.${payload}.${signature}`, "signing_key_not_found"],
  ["another token's signature", `${header}.${payload}.${otherSignature}`, "invalid_signature"],
  ["a signature of zeros", `${header}.${payload}.${encodeSegment(Buffer.alloc(256))}`, "invalid_signature"],
  ["a signature of one byte", `${header}.${payload}.AA`, "invalid_signature"],
  ["a padded signature", `${token}==`, "malformed_token"],
  ["a crit header parameter", signer.sign(claims, { crit: ["exp"] }), "malformed_token"],
  ["an array as its payload", encodeJws({ alg: "RS256", ...kid }, "[]", rs256), "malformed_token"],
  ["another audience", signer.sign({ ...claims, aud: "other" }), "audience_mismatch"],
  ["a signature created with a 1024-bit key", encodeJws({ alg: "RS256" }, claims, (input) => sign("sha256", input, weak.privateKey)), "invalid_signature", [toKey(weak.publicKey.export({ format: "jwk" }))]],
  ["a kid that an empty key set does not contain", token, "signing_key_not_found", []],
]; // prettier-ignore
for (const [name, jwt, code, keys] of FORGED) {
  test(`rejects a token with ${name} as ${code}`, async () => {
    assert.equal((await getError(jwt, keys))?.code, code);
    assert.ok(!isValidByReference(jwt, keys ?? [key]));
  });
}

test("tries at most 12 keys and checks the deadline before each", async () => {
  const wrongKeys = Array.from({ length: 12 }, () => ({ ...otherKey, kid: key.kid }));
  assert.equal(await getError(token, [...wrongKeys.slice(1), key]), undefined);
  assert.equal((await getError(token, [...wrongKeys, key]))?.code, "invalid_signature");
  let checks = 0;
  const checkDeadline = (): void => {
    if (++checks === 3) throw new Error("timed out");
  };
  await assert.rejects(verifyJwt(token, findIn([...wrongKeys, key]), expected, clockInfo, checkDeadline), /timed out/);
  assert.equal(checks, 3);
});

test("looks up keys only for a token with a valid form and algorithm, and passes on lookup errors", async () => {
  const kids: (string | undefined)[] = [];
  const failure = new Error("no keys");
  const findKeys = (id: string | undefined): Promise<never> => {
    kids.push(id);
    return Promise.reject(failure);
  };
  await assert.rejects(verifyJwt("a.b.c", findKeys, expected, clockInfo), { code: "malformed_token" });
  const unsigned = signer.sign(claims, { alg: "none" });
  await assert.rejects(verifyJwt(unsigned, findKeys, expected, clockInfo), { code: "algorithm_not_allowed" });
  assert.deepEqual(kids, []);
  await assert.rejects(verifyJwt(token, findKeys, expected, clockInfo), failure);
  assert.deepEqual(kids, ["a/b="]);
});

test("reads the clock after the keys are loaded", async () => {
  const order: string[] = [];
  const findKeys = (): Promise<readonly SigningKey[]> => {
    order.push("keys");
    return Promise.resolve([key]);
  };
  await verifyJwt(token, findKeys, expected, () => {
    order.push("clock");
    return clockInfo();
  });
  assert.deepEqual(order, ["keys", "clock"]);
});

// Near-valid tokens that are signed after they are changed, so that the change is the only defect

const others = [
  ...[clientId, [clientId, "other"], "tsg_id:1", ["tsg_id:1"], "tsg_id:11", "none", "RS512", "a/b=", ["exp"]],
  ...[SECONDS, SECONDS + 20, SECONDS + 30, SECONDS + 30.001, SECONDS + 0.001, NOW],
];
const validHeader = { alg: "RS256", typ: "JWT", kid: signer.kid, crit: undefined, jwk: undefined };
const { aud, iss, scope, nbf, iat, exp } = claims;
const validPayload = { aud, iss, scope, nbf, iat, exp, sub: "é" };
const moments = fc.constantFrom(
  ...[-60, -1, -0.001, 0, 0.001, 20, 29.999, 30, 30.001, 900].map((offset) => SECONDS + offset),
);
const payloads = fc
  .tuple(
    fc.oneof(
      nearValidJson(validPayload, others),
      nearValidText(nearValidJson(validPayload, others), 1),
      fc
        .record({ nbf: moments, iat: moments, exp: moments }, { requiredKeys: [] })
        .map((times) => JSON.stringify({ ...validPayload, ...times })),
    ),
    // JSON must be UTF-8 (RFC 8259 section 8.1).
    fc.constantFrom(...Array.from({ length: 7 }, () => "utf8" as const), "latin1"),
  )
  .map(([text, encoding]) => Buffer.from(text, encoding));
const signatures = fc.constantFrom(
  ...Array.from({ length: 16 }, () => rs256),
  (input: Buffer) => sign("sha256", input, otherSigner.privateKey),
  (input: Buffer) => sign("sha512", input, signer.privateKey),
  () => "",
  () => Buffer.alloc(256),
);
const headers = fc.oneof(
  { weight: 4, arbitrary: fc.constant(JSON.stringify(validHeader)) },
  { weight: 1, arbitrary: nearValidJson(validHeader, others) },
);
const signedTokens = fc
  .tuple(headers, payloads, signatures)
  .map(([head, body, signInput]) => encodeJws(head, body, signInput));
const tokens = fc.oneof(
  { weight: 3, arbitrary: signedTokens },
  { weight: 1, arbitrary: nearValidText(signedTokens, 1) },
  { weight: 1, arbitrary: nearValidText(token) },
);
const keySets = fc.subarray([key, otherKey, { ...otherKey, kid: key.kid }, { ...key, kid: undefined }]);

test("accepts the same near-valid tokens as a second implementation, and reveals none of the others", async () => {
  let verified = 0;
  await fc.assert(
    fc.asyncProperty(tokens, fc.oneof(fc.constant([key]), keySets), async (jwt, keys) => {
      const error = await getError(jwt, keys);
      assert.equal(error === undefined, isValidByReference(jwt, keys), `${error?.code ?? "verified"}: ${jwt}`);
      if (error === undefined) verified++;
      else assertNoSecret({ error: `${error.message}\n${error.hint}\n${error.stack ?? ""}` }, [jwt.toWellFormed()]);
    }),
    { numRuns: countRuns(500) },
  );
  assert.ok(verified > 20, `${verified} tokens were verified`);
});
