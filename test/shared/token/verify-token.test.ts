import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign, type JsonWebKey } from "node:crypto";
import { test } from "node:test";

import { AuthError, type AuthErrorCode } from "../../../shared/report/errors.ts";
import type { Expectation } from "../../../shared/token/claims.ts";
import { keysFor, type SigningKey } from "../../../shared/token/signing-keys.ts";
import { verifyToken } from "../../../shared/token/verify-token.ts";
import * as fc from "../../support/fuzzing.ts";
import { isProvedByHand } from "../../support/prove-by-hand.ts";
import { compact, encodeSegment, honestClaims, makeSigner, type JsonObject } from "../../support/tokens.ts";

const NOW = 1_769_860_860_000;
const clientId = "ci@1.iam.panserviceaccount.com";
const honest = honestClaims({ clientId, tsgId: "1", now: NOW / 1000 - 60 });
const expected: Expectation = { clientId, tenants: ["1"], issuer: honest.iss };
const [signer, stranger] = await Promise.all([makeSigner({ kid: "a/b=" }), makeSigner({ kid: "stranger" })]);

const publicKey = (jwk: JsonWebKey, kid?: string): SigningKey => ({
  kty: "RSA",
  n: jwk.n ?? "",
  e: jwk.e ?? "",
  kid,
});
const key = publicKey(signer.jwk, signer.kid);
const strangersKey = publicKey(stranger.jwk, stranger.kid);

/** What is told of each fault that is found here. */
const TOLD: Partial<Record<AuthErrorCode, RegExp>> = {
  forbidden_algorithm: /: the token is signed by another algorithm than RS256\.$/,
  unknown_key: /: no signing key has the token's key id \(kid\)\.$/,
  bad_signature: /: the token's signature is not by the signing keys\.$/,
};

/** The error's code when a token is refused, undefined when it is proved. */
async function refusal(token: string, keys: readonly SigningKey[] = [key]): Promise<AuthErrorCode | undefined> {
  try {
    const findKeys = (kid: string | undefined) => Promise.resolve(keysFor(keys, kid));
    const verified = await verifyToken(token, findKeys, expected, () => ({ wall: NOW, offset: 0 }));
    assert.deepEqual([verified.key.n, verified.key.e], [key.n, key.e]);
    return undefined;
  } catch (error) {
    assert.ok(AuthError.isAuthError(error), String(error));
    assert.equal(error.kind, "verification");
    assert.match(error.message, TOLD[error.code] ?? /./);
    return error.code;
  }
}

const isProvedByCrypto = (token: string, keys: readonly SigningKey[]): boolean =>
  isProvedByHand(token, keys, { clientId, tsgId: "1", issuer: honest.iss, now: NOW });

async function assertBothSay(token: string, keys: readonly SigningKey[]): Promise<void> {
  const code = await refusal(token, keys);
  assert.equal(code === undefined, isProvedByCrypto(token, keys), `${code ?? "proved"}: ${token}`);
}

const rs256 = (input: Buffer): Buffer => sign("sha256", input, signer.privateKey);
const kids = fc.constantFrom<string | undefined>("a/b=", "a/b=", undefined, "stranger", "unknown", "", "k".repeat(257));
const headers: fc.Arbitrary<JsonObject> = fc.record({
  alg: fc.constantFrom("RS256", "RS256", "RS256", "RS256", "RS384", "PS256", "none", "HS256", "rs256", ""),
  kid: kids,
  crit: fc.constantFrom(undefined, undefined, undefined, undefined, [], ["exp"], null),
  typ: fc.constantFrom("JWT", "at+jwt", undefined, 1),
  jwk: fc.constantFrom(undefined, stranger.jwk),
});
const seconds = NOW / 1000;
const times = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: seconds - 60, max: seconds + 60 }) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(String(seconds), null, -1, 1e300, seconds * 1000, undefined, true) },
);
const lies = fc.record(
  {
    aud: fc.constantFrom<unknown>(clientId, [clientId], [clientId, "x"], "x", [], null, 1, undefined, [1]),
    iss: fc.constantFrom<unknown>(honest.iss, "", null, undefined, [honest.iss]),
    exp: times,
    iat: times,
    nbf: times,
    scope: fc.constantFrom<unknown>(
      "tsg_id:1",
      ["tsg_id:1"],
      "tsg_id:11",
      ["tsg_id:2"],
      "a  tsg_id:1",
      null,
      undefined,
    ),
  },
  { requiredKeys: [] },
);
const keySets = fc.subarray([key, strangersKey, { ...strangersKey, kid: "a/b=" }, { ...key, kid: undefined }]);

test("a second implementation says the same of tokens with any header and any claims", async () => {
  await fc.assert(
    fc.asyncProperty(headers, lies, keySets, async (header, claims, keys) => {
      await assertBothSay(compact(header, { ...honest, ...claims }, rs256), keys);
    }),
    { numRuns: 400 },
  );
});

const honestToken = signer.sign(honest);
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n";

/** One edit of a text: a character put in the place of so many. */
const edits = fc.tuple(fc.nat(honestToken.length), fc.nat(2), fc.constantFrom("", ...ALPHABET));

test("a second implementation says the same of an honest token with characters changed, lost and added", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(edits, { minLength: 1, maxLength: 2 }), async (changes) => {
      const token = changes.reduce(
        (text, [at, lost, put]) => text.slice(0, at) + put + text.slice(at + lost),
        honestToken,
      );
      await assertBothSay(token, [key]);
      if (token !== honestToken) assert.notEqual(await refusal(token), undefined);
    }),
    { numRuns: 400 },
  );
});

test("an honest token is proved, whatever its key is called and whichever keys stand beside", async () => {
  const nameless = { ...key, kid: undefined };
  const rows: readonly (readonly [token: string, keys: readonly SigningKey[]])[] = [
    [honestToken, [key]],
    [honestToken, [strangersKey, key]],
    [honestToken, [{ ...strangersKey, kid: key.kid }, key]],
    [honestToken, [{ ...key, n: "!" }, { ...key, e: "" }, key]],
    [signer.sign(honest, { kid: undefined }), [strangersKey, nameless]],
    [signer.sign(honest, { kid: undefined }), [strangersKey, key]],
  ];
  for (const [token, keys] of rows) {
    assert.equal(await refusal(token, keys), undefined);
    assert.ok(isProvedByCrypto(token, keys));
  }
});

const pem = signer.publicKey.export({ type: "spki", format: "pem" }).toString();
const der = signer.publicKey.export({ type: "spki", format: "der" });
const hs256 = (secret: string | Buffer) => (input: Buffer) => createHmac("sha256", secret).update(input).digest();
const [weak, ec] = [
  generateKeyPairSync("rsa", { modulusLength: 1024 }),
  generateKeyPairSync("ec", { namedCurve: "P-256" }),
];
const [header = "", payload = "", signature = ""] = honestToken.split(".");
const [strangersHeader = "", , strangersSignature = ""] = stranger.sign(honest).split(".");
const other = encodeSegment({ ...honest, scope: ["tsg_id:1", "tsg_id:2"] });

/** Tokens that lie, and what they are caught by. */
const forgeries: readonly (readonly [what: string, token: string, code: AuthErrorCode, keys?: readonly SigningKey[]])[] = [
  ["no signature under alg none", `${encodeSegment({ alg: "none" })}.${payload}.`, "malformed_token"],
  ["any signature under alg none", compact({ alg: "none", kid: key.kid }, honest, () => "AA"), "forbidden_algorithm"],
  ["HS256 with the public key as PEM", compact({ alg: "HS256", kid: key.kid }, honest, hs256(pem)), "forbidden_algorithm"],
  ["HS256 with the public key as DER", compact({ alg: "HS256", kid: key.kid }, honest, hs256(der)), "forbidden_algorithm"],
  ["HS256 called RS256", compact({ alg: "RS256", kid: key.kid }, honest, hs256(pem)), "bad_signature"],
  ["RS512 by the right key", compact({ alg: "RS512", kid: key.kid }, honest, (input) => sign("sha512", input, signer.privateKey)), "forbidden_algorithm"],
  ["RS512 called RS256", compact({ alg: "RS256", kid: key.kid }, honest, (input) => sign("sha512", input, signer.privateKey)), "bad_signature"],
  ["PSS called RS256", compact({ alg: "RS256", kid: key.kid }, honest, (input) => sign("sha256", input, { key: signer.privateKey, padding: 6 })), "bad_signature"],
  ["ECDSA called RS256", compact({ alg: "RS256", kid: key.kid }, honest, (input) => sign("sha256", input, ec.privateKey)), "bad_signature"],
  ["a stranger's signature under our key id", stranger.sign(honest, { kid: key.kid }), "bad_signature"],
  ["a stranger's key in its header", stranger.sign(honest, { kid: key.kid, jwk: stranger.jwk }), "bad_signature"],
  ["a stranger's key at an address in its header", stranger.sign(honest, { kid: key.kid, jku: "https://evil.test/keys" }), "bad_signature"],
  ["a stranger's key id", stranger.sign(honest), "unknown_key"],
  ["no key id and a stranger's signature", stranger.sign(honest, { kid: undefined }), "bad_signature"],
  ["other claims under an honest signature", `${header}.${other}.${signature}`, "bad_signature"],
  ["a stranger's header before an honest signature", `${strangersHeader}.${payload}.${signature}`, "unknown_key"],
  ["a stranger's signature under an honest header", `${header}.${payload}.${strangersSignature}`, "bad_signature"],
  ["a signature of zeros", `${header}.${payload}.${encodeSegment(Buffer.alloc(256))}`, "bad_signature"],
  ["a signature of one byte", `${header}.${payload}.AA`, "bad_signature"],
  ["a signature that is padded", `${honestToken}==`, "malformed_token"],
  ["an extension", signer.sign(honest, { crit: ["exp"] }), "malformed_token"],
  ["a body that is a list, honestly signed", compact({ alg: "RS256", kid: key.kid }, "[]", rs256), "malformed_token"],
  ["a foreign audience, honestly signed", signer.sign({ ...honest, aud: "other" }), "wrong_audience"],
  ["a key that is too short", compact({ alg: "RS256" }, honest, (input) => sign("sha256", input, weak.privateKey)), "bad_signature", [publicKey(weak.publicKey.export({ format: "jwk" }))]],
  ["no keys at all", honestToken, "unknown_key", []],
]; // prettier-ignore
for (const [what, token, code, keys] of forgeries) {
  test(`a token with ${what} is refused as ${code}`, async () => {
    assert.equal(await refusal(token, keys), code);
    assert.ok(!isProvedByCrypto(token, keys ?? [key]));
  });
}

test("keys are looked for only when form and algorithm are right, and their failure is passed on", async () => {
  const asked: (string | undefined)[] = [];
  const failure = new Error("no keys");
  const findKeys = (kid: string | undefined): Promise<readonly SigningKey[]> => {
    asked.push(kid);
    return Promise.reject(failure);
  };
  const clocks = () => ({ wall: NOW, offset: 0 });
  await assert.rejects(verifyToken("a.b.c", findKeys, expected, clocks), { code: "malformed_token" });
  await assert.rejects(verifyToken(signer.sign(honest, { alg: "none" }), findKeys, expected, clocks));
  assert.deepEqual(asked, []);
  await assert.rejects(verifyToken(honestToken, findKeys, expected, clocks), failure);
  assert.deepEqual(asked, ["a/b="]);
});

test("the clock is read when the signature is proved, not before the keys came", async () => {
  const order: string[] = [];
  const findKeys = (): Promise<readonly SigningKey[]> => {
    order.push("keys");
    return Promise.resolve([key]);
  };
  await verifyToken(honestToken, findKeys, expected, () => {
    order.push("clock");
    return { wall: NOW, offset: 0 };
  });
  assert.deepEqual(order, ["keys", "clock"]);
});
