import { generateKeyPairSync } from "node:crypto";
import type { ScriptedHandler } from "../../support/scripted-server.ts";
import { keySet, otherSigner, signer } from "../fixtures.ts";
import { BOTH_REQUESTS, fails, succeeds, type Pattern, type RequestCounts, type Scenario } from "../scenario.ts";

const { jwk, kid } = signer;
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });

/** Key sets that contain the signing key. */
const KEY_SETS: Readonly<Record<string, readonly unknown[]>> = {
  "other keys with the same kid": [{ ...otherSigner.jwk, kid }, { ...ec, kid }, { kty: "oct", k: "AAAA", kid }, jwk],
  "invalid keys": [null, 1, "key", [], {}, { kty: 7 }, { kty: "RSA", kid, n: "!", e: "" }, jwk],
};

/** JWKS responses that make the step fail. */
const FAILURES: readonly (readonly [
  name: string,
  response: ScriptedHandler,
  error: Pattern,
  requests?: RequestCounts,
])[] = [
  ["rejects a response that is not a JWK Set", { body: { key: [] } }, /JWK.*\n.*RFC 7517/],
  ["retries a failing JWKS request and reports it", { status: 503 }, /JWKS request.*503.*2 attempts/, { token: 1, jwks: 2 }],
]; // prettier-ignore

export const jwks: readonly Scenario[] = [
  ...Object.entries(KEY_SETS).map(([what, keys]) => ({
    name: `finds the signing key in a set with ${what}`,
    server: { jwks: keySet(...keys) },
    expect: succeeds(),
  })),
  ...FAILURES.map(([name, response, error, requests = BOTH_REQUESTS]) => ({
    name,
    inputs: { timeout: "10" },
    server: { jwks: response },
    expect: fails(error, requests),
  })),
  {
    name: "limits the processing time for a key set that contains many large keys with the same kid",
    inputs: { timeout: "10" },
    server: {
      jwks: keySet(
        ...Array.from({ length: 600 }, (_, index) => ({
          ...{ kty: "RSA", kid, e: "AQAB" },
          n: Buffer.alloc(1024, 200 + (index % 50)).toString("base64url"),
        })),
      ),
    },
    expect: fails(/signature|signing key/, { token: 1, jwks: [1, 20] }, { maxMs: 25_000 }),
  },
];
