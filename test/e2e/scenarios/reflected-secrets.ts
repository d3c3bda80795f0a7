import assert from "node:assert/strict";
import type { ScriptedHandler } from "../../support/scripted-server.ts";
import { claims, keySet, oauthError, otherSigner, SECRET, signer, tokenResponse } from "../fixtures.ts";
import {
  fails,
  JWKS_AGAIN,
  ONE_ATTEMPT,
  TWO_ATTEMPTS,
  type Pattern,
  type RequestCounts,
  type Scenario,
} from "../scenario.ts";

/** Encodings in which a server or gateway may return what it received. */
const ENCODINGS: Readonly<Record<string, (secret: string) => string>> = {
  plain: (secret) => secret,
  "in base64 after the client ID": (secret) => Buffer.from(`ci@1234567890:${secret}`).toString("base64"),
  "in hex": (secret) => Buffer.from(secret).toString("hex"),
  "in percent encoding": (secret) => Buffer.from(secret).toString("hex").replace(/../g, "%$&"),
  "with invisible characters": (secret) => [...secret].join("\u200b"),
};

/** Places where a server may return a secret, and the reported errors. */
const PLACES: readonly (readonly [
  place: string,
  respond: (secret: string) => ScriptedHandler,
  error: Pattern,
  requests?: RequestCounts,
])[] = [
  ["an error code", (secret) => oauthError(`invalid_${secret}`), /400/],
  ["the target of a redirect", (secret) => ({ status: 302, headers: { location: `https://portal.test/?back=${secret}` } }), /302/],
  ["the kid of the token", (secret) => tokenResponse(otherSigner.sign(claims(), { kid: secret })), /key/, JWKS_AGAIN],
]; // prettier-ignore

const token = signer.sign(claims());

export const reflectedSecrets: readonly Scenario[] = [
  ...Object.entries(ENCODINGS).map(([form, encode]) => ({
    name: `hides the secret in an error description from the server: ${form}`,
    server: { token: oauthError("invalid_client", `No: ${encode(SECRET)} is wrong`, 401) },
    expect: fails(/invalid_client.*\n.*the secret is wrong/, ONE_ATTEMPT, { notInLog: [encode(SECRET).slice(-16)] }),
  })),
  ...PLACES.map(([place, respond, error, requests = ONE_ATTEMPT]) => ({
    name: `hides the secret in ${place}`,
    debug: true as const,
    server: { token: respond(SECRET) },
    expect: fails(error, requests, { notInLog: [SECRET.slice(0, 20)] }),
  })),
  {
    name: "hides a token in an OAuth error",
    server: { token: { status: 400, body: { access_token: token, error: "invalid_scope", error_description: token } } },
    expect: fails(/invalid_scope/, ONE_ATTEMPT, { notInLog: [token.slice(-40)] }),
  },
  {
    name: "hides a token from a failed attempt",
    server: { token: [{ status: 503, body: { access_token: token } }, oauthError("invalid_client", `had ${token}`)] },
    expect: fails(/invalid_client/, TWO_ATTEMPTS, { notInLog: [token.slice(-40)] }),
  },
  {
    name: "masks a token that fails verification",
    server: { token: tokenResponse(token), jwks: keySet(otherSigner.jwk) },
    expect: fails(/key/, JWKS_AGAIN, {
      check: (run) => {
        assert.ok(run.masks.includes(token));
      },
    }),
  },
  {
    name: "quotes a long description quickly",
    server: { token: oauthError("invalid_client", `${SECRET.slice(0, -1)} `.repeat(11_000), 401) },
    expect: fails(/invalid_client/, ONE_ATTEMPT, { maxMs: 20_000 }),
  },
];
