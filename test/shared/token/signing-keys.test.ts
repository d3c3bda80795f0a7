import assert from "node:assert/strict";
import { test } from "node:test";

import { judgeKeys, keysFor, keysRequest, type SigningKey } from "../../../shared/token/signing-keys.ts";
import * as fc from "../../support/fuzzing.ts";

const judge = (keys: unknown) =>
  judgeKeys({ status: 200, headers: {}, body: JSON.stringify(keys), clockOffset: undefined }, (text) => text);

test("the request asks for JSON by GET and carries nothing", () => {
  const url = new URL("https://auth.scm.test/keys");
  assert.deepEqual(keysRequest(url), { method: "GET", url, headers: { accept: "application/json" } });
});

const rsa = { kty: "RSA", n: "AQ", e: "AQAB", kid: "1" };
const kept = [
  rsa,
  { ...rsa, kid: undefined },
  { ...rsa, kid: "a/b=" },
  { ...rsa, use: "sig", alg: "RS256", key_ops: ["verify"] },
  { ...rsa, key_ops: ["sign", "verify"] },
];
const passedOver = [
  { ...rsa, use: "enc" },
  { ...rsa, alg: "RS512" },
  { ...rsa, alg: "RSA-OAEP" },
  { ...rsa, alg: "none" },
  { ...rsa, key_ops: ["encrypt"] },
  { ...rsa, key_ops: [] },
  { ...rsa, kid: 1 },
  { ...rsa, n: undefined },
  { ...rsa, e: 65537 },
  { kty: "EC", crv: "P-256", x: "AQ", y: "AQ", kid: "1" },
  { kty: "oct", k: "AQ", kid: "1", alg: "HS256" },
  { kty: "rsa", n: "AQ", e: "AQAB" },
  null,
  "RSA",
  [],
];

test("keys that may sign are kept among others, in order", () => {
  const mixed = fc.shuffledSubarray([
    ...kept.map((key) => [key, true] as const),
    ...passedOver.map((key) => [key, false] as const),
  ]);
  fc.assert(
    fc.property(mixed, (keys) => {
      const verdict = judge({ keys: keys.map(([key]) => key), other: 1 });
      const fit = keys.filter(([, isFit]) => isFit).map(([key]) => key as typeof rsa);
      if (fit.length === 0) assert.equal(verdict.is, "final");
      else assert.deepEqual(verdict, { is: "done", value: fit.map(({ kty, n, e, kid }) => ({ kty, n, e, kid })) });
    }),
  );
});

test("of a key nothing is kept but what a signature needs", () => {
  const verdict = judge({ keys: [{ ...rsa, d: "private", x5u: "https://evil.test", x5c: ["x"] }] });
  assert.ok(verdict.is === "done");
  assert.deepEqual(Object.keys(verdict.value[0] ?? {}), ["kty", "n", "e", "kid"]);
});

for (const body of [[], {}, { keys: {} }, { keys: "RSA" }, null, { keys: [] }, { keys: passedOver }]) {
  test(`${JSON.stringify(body).slice(0, 30)} is no key set to work with`, () => {
    const verdict = judge(body);
    assert.ok(verdict.is === "final");
    assert.deepEqual([verdict.error.code, verdict.error.kind], ["bad_key_set", "protocol"]);
    assert.match(verdict.error.message, /signing keys|key set/);
  });
}

test("a token that names no key may be signed by any, one that does by those of that name alone", () => {
  const kids = fc.array(fc.option(fc.constantFrom("a", "b", "", "A"), { nil: undefined }), { maxLength: 6 });
  fc.assert(
    fc.property(kids, fc.option(fc.constantFrom("a", "b", "", "A"), { nil: undefined }), (names, kid) => {
      const keys: SigningKey[] = names.map((name, n) => ({ kty: "RSA", n: String(n), e: "AQAB", kid: name }));
      const found = keysFor(keys, kid).map(({ n }) => Number(n));
      assert.deepEqual(
        found,
        names.flatMap((name, n) => (kid === undefined || name === kid ? [n] : [])),
      );
    }),
  );
});
