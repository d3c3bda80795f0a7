import assert from "node:assert/strict";

import type { ScriptedHandler } from "../support/scripted-server.ts";
import { answerWith, claims, give, giveToken, HTML, page, refusal, SECRET, signer, TENANT } from "./cast.ts";
import { fails, ONCE, shown, signsIn, TWICE, type Part, type Requests, type Scene } from "./scene.ts";

const AUTH = "Authentication error: ";
const HTTP = "HTTP error: ";
const CHECK_URL = "Check the token URL and key URL";

/** OAuth errors: which hint they get. */
const OAUTH: Readonly<Record<string, string>> = {
  invalid_client: "Was the secret rotated or the service account deleted?",
  invalid_scope: "check the TSG id",
  unauthorized_client: "may not use the client_credentials grant",
  access_denied: "check its roles in this tenant",
  invalid_request: "Check client id, tenant and token URL.",
  invalid_grant: "Check client id, tenant and token URL.",
  unsupported_grant_type: "Check client id, tenant and token URL.",
  made_up_by_the_server: "Check client id, tenant and token URL.",
  constructor: "Check client id, tenant and token URL.",
  ["__proto__"]: "Check client id, tenant and token URL.",
};

const oauth: readonly Scene[] = [
  ...Object.entries(OAUTH).map(([error, hint]) => ({
    name: `the OAuth error ${error} is final, and told with what the server says`,
    server: { token: refusal(error, "Client authentication failed") },
    expect: fails(
      `${AUTH}the server refused to sign in (status 400): ${error}: Client authentication failed`,
      hint,
      ONCE,
    ),
  })),
  ...[200, 401, 403, 404, 422].map((status) => ({
    name: `an OAuth error with status ${status} is final`,
    server: { token: refusal("invalid_client", undefined, status) },
    expect: fails(
      `refused to sign in (status ${status}): invalid_client`,
      "The client id or the secret is wrong.",
      ONCE,
    ),
  })),
  ...[408, 429, 500, 502, 503, 504].map((status) => ({
    name: `an OAuth error with status ${status} is tried again, since the status decides`,
    inputs: { timeout: "2" },
    server: { token: refusal("invalid_client", "too busy to look", status) },
    expect: fails(new RegExp(`status ${status}, saying "invalid_client: too busy to look"`), /./, TWICE),
  })),
  ...["temporarily_unavailable", "server_error"].flatMap((error) =>
    [200, 400, 503].map((status) => ({
      name: `the OAuth error ${error} with status ${status} is tried again`,
      inputs: { timeout: "2" },
      server: { token: [refusal(error, undefined, status), giveToken] },
      expect: signsIn({ token: 2, says: [new RegExp(`${error}.*Try 1 of 2`)] }),
    })),
  ),
  {
    name: "an OAuth error beside a token is an error",
    server: { token: give(() => signer.sign(claims()), { error: "invalid_scope" }) },
    expect: fails("refused to sign in (status 200): invalid_scope", "check the TSG id", ONCE),
  },
  ...([42, null, ["a"], { text: "x" }] as const).map((description) => ({
    name: `an error_description that is ${JSON.stringify(description)} is left out`,
    server: { token: refusal("invalid_client", description) },
    expect: fails(/: invalid_client\.?$/, "is wrong", ONCE),
  })),
  ...([{ code: 4 }, 7, true, ["invalid_client"]] as const).map((error) => ({
    name: `an error that is ${JSON.stringify(error)} is no OAuth error`,
    server: { token: refusal(error, undefined, 400) },
    expect: fails(`${HTTP}the token request was answered with status 400.`, CHECK_URL, ONCE),
  })),
  {
    name: "what the server says is cut to a line's length",
    server: { token: refusal("invalid_client", "blah ".repeat(20_000)) },
    expect: fails(/^.{1,500}$/, "is wrong", ONCE),
  },
  {
    name: "a wrong id or secret in quotes is sent as it is, and the hint asks for quotes",
    inputs: { "client-secret": `"${SECRET}"` },
    server: { token: refusal("invalid_client", undefined, 401) },
    expect: fails("invalid_client", "without quotes or white space", ONCE, {
      also: (_run, { server }) => {
        assert.equal(
          new URLSearchParams(server.requests.find(({ route }) => route === "token")?.body).get("client_secret"),
          `"${SECRET}"`,
        );
      },
    }),
  },
];

/** Bodies of a 200 that hold no token answer. */
const BODIES: Readonly<
  Record<string, readonly [answer: ScriptedHandler, cause: Part, hint: Part, requests?: Requests]>
> = {
  "a web page": [page(200, HTML), "was answered with a web page.", "captive portal"],
  "a web page that calls itself JSON": [
    { headers: { "content-type": "application/json" }, body: HTML },
    "with a web page.",
    "captive portal",
  ],
  "a web page without a type": [{ body: `\n  <HTML lang=en>` }, "with a web page.", "captive portal"],
  "JSON that calls itself a web page": [
    page(200, JSON.stringify(answerWith("x.y.z").body)),
    "with a web page.",
    "captive portal",
  ],
  nothing: [{ body: "" }, "a text that is no JSON (2 tries).", "not SCM's auth server", TWICE],
  "a line of text": [{ body: "OK" }, "a text that is no JSON (2 tries).", "not SCM's auth server", TWICE],
  "JSON that is cut": [
    { body: '{"access_token":"abc' },
    "a text that is no JSON (2 tries).",
    "not SCM's auth server",
    TWICE,
  ],
  XML: [{ body: "<?xml version='1.0'?><token/>" }, "a text that is no JSON (2 tries).", "not SCM's auth server", TWICE],
  "compressed bytes": [
    { headers: { "content-encoding": "gzip" }, body: Uint8Array.of(0x1f, 0x8b, 8, 0, 1, 2, 3) },
    "no JSON",
    /./,
    TWICE,
  ],
  "an empty object": [{ body: "{}" }, "access_token is missing or is no token", "RFC 6749 section 5.1"],
  "an empty list": [
    { body: "[]" },
    "the token answer is not as it must be: it is no JSON object.",
    "RFC 6749 section 5.1",
  ],
  "a list of answers": [{ body: '[{"access_token":"abcdefgh"}]' }, "it is no JSON object.", "RFC 6749 section 5.1"],
  null: [{ body: "null" }, "it is no JSON object.", "RFC 6749 section 5.1"],
  true: [{ body: "true" }, "it is no JSON object.", "RFC 6749 section 5.1"],
  "a number": [{ body: "42" }, "it is no JSON object.", "RFC 6749 section 5.1"],
  "lists nested two hundred thousand deep": [
    { body: "[".repeat(200_000) + "]".repeat(200_000) },
    /it is no JSON object|a text that is no JSON/,
    "not speak RFC 6749 section 5.1",
  ],
  "a text in quotes": [{ body: '"token"' }, "it is no JSON object.", "RFC 6749 section 5.1"],
};

const TOKENS: readonly unknown[] = [
  undefined, null, "", 12345678, ["a.b.c"], "a.b.c d", "aaaa.bbbb.cccc\n", "aaaa.\tbbbb.cccc",
  "aaaa.bbbb.\u0000cccc", "aaaa.bbbb.cccc\r\nX-Evil: 1", "aaaa.bbbb.ccccé", '"aaaa.bbbb.cccc"', "=aaa.bbbb", "a".repeat(70_000),
]; // prettier-ignore

const FIELDS: Readonly<Record<string, readonly unknown[]>> = {
  token_type: [undefined, null, "", "mac", "Bearer ", "BearerToken", 1, ["Bearer"]],
  expires_in: [0, -1, 1e9, 86_401, "abc", "", "-1", "1e3", "0", " 900", "3.5", null, true, [900]],
  scope: [5, null, ["tsg_id:1"], { a: 1 }],
};

const bodies: readonly Scene[] = [
  ...Object.entries(BODIES).map(([what, [answer, cause, hint, requests = ONCE]]) => ({
    name: `a 200 with ${what} is ${requests === TWICE ? "tried again" : "final"}`,
    server: { token: answer },
    expect: fails(cause, hint, requests),
  })),
  ...TOKENS.map((token) => ({
    name: `access_token: ${shown(token, 40)} is told as what it is`,
    server: { token: answerWith(token) },
    expect: fails(`${AUTH}the token answer is not as it must be: access_token`, "Check the token URL.", ONCE),
  })),
  ...Object.entries(FIELDS).flatMap(([field, values]) =>
    values.map((value) => ({
      name: `${field}: ${shown(value)} is told as what it is`,
      server: { token: give(() => signer.sign(claims()), { [field]: value }) },
      expect: fails(`the token answer is not as it must be: ${field}`, "RFC 6749 section 5.1", ONCE),
    })),
  ),
  ...["NaN", "Infinity", "1e999"].map((number) => ({
    name: `expires_in: ${number} in the text of the answer is refused`,
    inputs: { "max-retries": "0" },
    server: {
      token: () => ({ body: JSON.stringify(answerWith(signer.sign(claims())).body).replace("899", number) }),
    },
    expect: fails(/no JSON|expires_in/, /./, ONCE),
  })),
  {
    name: "a block page with 403 is told as one",
    server: { token: page(403, HTML) },
    expect: fails("answered with status 403.", "captive portal", ONCE, { never: ["Accept the terms"] }),
  },
  {
    name: "a web page with 503 is tried again, since the status decides",
    inputs: { timeout: "2" },
    server: { token: [page(503, HTML), giveToken] },
    expect: signsIn({ token: 2 }),
  },
];

/** Token answers that are complete and not what was asked for. */
export const tokenAnswers: readonly Scene[] = [
  ...oauth,
  ...bodies,
  {
    name: "a refusal is about the tenant that was asked for",
    server: { token: refusal("invalid_scope", `Unknown/invalid scope(s): [tsg_id:${TENANT}]`) },
    expect: fails(`[tsg_id:${TENANT}]`, "give the account a role there", ONCE),
  },
];
