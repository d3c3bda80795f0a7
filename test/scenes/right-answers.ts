import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";

import type { ScriptedHandler } from "../support/scripted-server.ts";
import { answerWith, claims, CLIENT, give, giveClaims, keySet, signer, stranger, TENANT } from "./cast.ts";
import { fails, signsIn, type Scene } from "./scene.ts";

const { jwk } = signer;
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
const ed = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
const nameless = { ...jwk, kid: undefined };

/** Key sets that hold the right key beside others. */
const KEY_SETS: Readonly<Record<string, readonly unknown[]>> = {
  "a stranger's key of the same kid before it": [{ ...stranger.jwk, kid: signer.kid }, jwk],
  "a stranger's key of the same kid behind it": [jwk, { ...stranger.jwk, kid: signer.kid }],
  "keys of other kinds under the same kid": [{ ...ec, kid: signer.kid }, { ...ed, kid: signer.kid }, jwk],
  "a symmetric key": [{ kty: "oct", k: "AAAA", kid: signer.kid }, jwk],
  "its twin for encryption": [{ ...jwk, use: "enc", alg: "RSA-OAEP-256" }, jwk],
  "its twin for RS512": [{ ...jwk, alg: "RS512" }, jwk],
  "a broken key under the same kid": [{ kty: "RSA", kid: signer.kid, n: "!", e: "" }, jwk],
  "a key that is too short": [{ kty: "RSA", kid: signer.kid, n: "AQAB", e: "AQAB" }, jwk],
  "things that are no keys": [null, 1, "key", [], {}, { kty: 7 }, jwk],
  "neither use nor alg of its own": [{ kty: "RSA", kid: signer.kid, n: jwk.n, e: jwk.e }],
  "key_ops that let it verify": [{ ...jwk, key_ops: ["verify"] }],
  "a monstrous key of the same kid before it": [
    { kty: "RSA", kid: signer.kid, n: Buffer.alloc(100_000, 0xff).toString("base64url"), e: "AQAB" },
    { kty: "RSA", kid: signer.kid, n: jwk.n, e: Buffer.alloc(10_000, 0xff).toString("base64url") },
    jwk,
  ],
  "two thousand keys of the same kid before it": [
    ...Array.from({ length: 2000 }, () => ({ kty: "RSA", kid: signer.kid, n: stranger.jwk.n, e: "AQAB" })),
    jwk,
  ],
  "a certificate beside it": [{ ...jwk, x5c: ["MIIB"], x5t: "x", "x5t#S256": "y" }],
};

const keyScenes: readonly Scene[] = [
  ...Object.entries(KEY_SETS).map(([what, set]) => ({
    name: `the right key is found in a set with ${what}`,
    server: { keys: keySet(...set) },
    expect: signsIn({ within: 6000 }),
  })),
  {
    name: "a token that names no key is held against all",
    server: { token: giveClaims(() => ({}), { kid: undefined }), keys: keySet(stranger.jwk, jwk) },
    expect: signsIn(),
  },
  {
    name: "neither token nor key need a kid",
    server: { token: giveClaims(() => ({}), { kid: undefined }), keys: keySet(nameless) },
    expect: signsIn(),
  },
  {
    name: "jwks-url names the keys of another place",
    inputs: ({ other }) => ({ "jwks-url": other.jwksUrl }),
    server: { keys: { status: 500 } },
    expect: signsIn({ keys: 0, other: 1 }),
  },
  {
    name: "the keys are beside the token URL, wherever that is",
    inputs: ({ origin }) => ({ "token-url": `${origin}/gate/auth/token` }),
    expect: fails(
      "status 404",
      "Check the token URL",
      { token: 0, keys: 0 },
      {
        elsewhere: 2,
        also: (_run, { server }) => {
          assert.deepEqual(server.requests.map(({ path }) => path).sort(), [
            "/gate/auth/connect/jwk_uri",
            "/gate/auth/token",
          ]);
        },
      },
    ),
  },
];

/** Token answers that are right, if not as SCM writes them. */
const ANSWERS: Readonly<Record<string, ScriptedHandler>> = {
  "token_type in small letters": give(() => signer.sign(claims()), { token_type: "bearer" }),
  "token_type in capitals": give(() => signer.sign(claims()), { token_type: "BEARER" }),
  "expires_in as text": give(() => signer.sign(claims()), { expires_in: "899" }),
  "no expires_in": give(() => signer.sign(claims()), { expires_in: undefined }),
  "no scope": give(() => signer.sign(claims()), { scope: undefined }),
  "more than is needed": give(() => signer.sign(claims()), { refresh_token: "r", id_token: 1, nested: { a: [] } }),
  "a byte order mark": () => ({ body: `\ufeff${JSON.stringify(answerWith(signer.sign(claims())).body)}` }),
  "white space around it": () => ({ body: `\r\n\t ${JSON.stringify(answerWith(signer.sign(claims())).body)}\n\n` }),
  "the wrong content type": () => ({ ...answerWith(signer.sign(claims())), headers: { "content-type": "text/plain" } }),
  "status 201": () => ({ ...answerWith(signer.sign(claims())), status: 201 }),
  "an error that is null": give(() => signer.sign(claims()), { error: null }),
  "a pause before it": async () => {
    await new Promise((later) => setTimeout(later, 700));
    return answerWith(signer.sign(claims()));
  },
};

/** Claims that are right, if not as SCM writes them. */
const CLAIMS: Readonly<Record<string, Parameters<typeof giveClaims>[0]>> = {
  "scope as text": () => ({ scope: `email tsg_id:${TENANT}  profile` }),
  "an audience of several": () => ({ aud: ["other", CLIENT] }),
  "an audience in a list": () => ({ aud: [CLIENT] }),
  "no nbf": () => ({ nbf: undefined }),
  "no issuer": () => ({ iss: undefined }),
  "any issuer": () => ({ iss: "https://elsewhere.test" }),
  "claims of 30 KB": () => ({ more: "x".repeat(30_000) }),
  "a life of a day": () => ({ exp: Math.floor(Date.now() / 1000) + 86_400 }),
};

const answerScenes: readonly Scene[] = [
  ...Object.entries(ANSWERS).map(([what, token]) => ({
    name: `a token answer with ${what} is good`,
    server: { token },
    expect: signsIn(),
  })),
  ...Object.entries(CLAIMS).map(([what, change]) => ({
    name: `a token with ${what} is good`,
    server: { token: giveClaims(change) },
    expect: signsIn(),
  })),
  {
    name: "expires-at is in whole seconds also when the token's end is not",
    server: { token: giveClaims(() => ({ exp: Math.floor(Date.now() / 1000) + 900.75 })) },
    expect: signsIn({
      also: (run) => {
        assert.match(run.outputs["expires-at"] ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      },
    }),
  },
  {
    name: "a granted scope with line breaks stays one output",
    server: {
      token: giveClaims(() => ({
        scope: [`tsg_id:${TENANT}`, "x\naccess-token=evil\nEOF\nexpires-at<<EOF\nnever\nEOF"],
      })),
    },
    expect: signsIn(),
  },
];

/** Answers that differ from SCM's usual ones and are good all the same. */
export const rightAnswers: readonly Scene[] = [...keyScenes, ...answerScenes];
