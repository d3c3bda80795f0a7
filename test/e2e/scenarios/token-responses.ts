import assert from "node:assert/strict";
import type { ScriptedRequest } from "../../support/scripted-server.ts";
import { claims, HTML_RESPONSE, issueToken, oauthError, signer, tokenResponse } from "../fixtures.ts";
import {
  BOTH_REQUESTS,
  fails,
  ONE_ATTEMPT,
  succeeds,
  TWO_ATTEMPTS,
  type Harness,
  type Pattern,
  type RequestCounts,
  type Scenario,
} from "../scenario.ts";
import type { ScriptedHandler } from "../../support/scripted-server.ts";

/** Token responses that make the step fail. */
const FAILURES: readonly (readonly [
  name: string,
  response: ScriptedHandler,
  error: Pattern,
  requests?: RequestCounts,
])[] = [
  ["reports invalid_client", oauthError("invalid_client", "no such client", 401), /^Authentication error: .*invalid_client.*\n.*client ID or the secret is wrong/],
  ["reports invalid_scope", oauthError("invalid_scope", "no"), /invalid_scope.*\n.*Check the TSG ID/],
  ["retries an HTML page and reports it", HTML_RESPONSE, /HTML.*\n.*captive portal/],
  ["retries a response that is not JSON and reports it", { body: '{"access_token":"abc' }, /JSON.*2 attempts/, TWO_ATTEMPTS],
  ["retries status 500 and reports the attempts", { status: 500 }, /^HTTP error: .*500.*2 attempts/, TWO_ATTEMPTS],
  ["rejects a response without access_token", { body: {} }, /access_token is missing.*\n.*Check the token URL/],
  ["rejects an opaque token", tokenResponse("9f27c1aa-opaque-token-0123456789"), /JWT.*\n.*set verify to false/, { token: 1, jwks: [0, 1] }],
]; // prettier-ignore

/** Responses that are valid but different from SCM's. */
const VARIANTS: Readonly<Record<string, ScriptedHandler>> = {
  "token_type in lowercase and expires_in as a string": issueToken(undefined, {}, { token_type: "bearer", expires_in: "899" }),
  "a byte order mark, whitespace, and the wrong content type": () => ({
    body: `\ufeff \r\n${JSON.stringify(tokenResponse(signer.sign(claims())).body)}\n`,
    headers: { "content-type": "text/plain" },
  }),
}; // prettier-ignore

/** Returns the number of milliseconds between the first two token requests. */
const getGap = ({ server }: Harness): number => {
  const [first, second] = server.requestsTo("token") as [ScriptedRequest, ScriptedRequest];
  return second.receivedAt - first.receivedAt;
};

export const tokenResponses: readonly Scenario[] = [
  ...FAILURES.map(([name, token, error, requests = ONE_ATTEMPT]) => ({
    name,
    inputs: { timeout: "10" },
    server: { token },
    expect: fails(error, requests),
  })),
  ...Object.entries(VARIANTS).map(([what, token]) => ({
    name: `accepts a response with ${what}`,
    server: { token },
    expect: succeeds(),
  })),
  ...(["token", "jwks"] as const).map((route) => ({
    name: `does not follow a redirect of the ${route} request to another server`,
    server: ({ other }: Harness) => ({
      [route]: { status: 302, headers: { location: route === "token" ? other.tokenUrl : other.jwksUrl } },
    }),
    expect: fails(/302.*redirect.*http:\/\/127\.0\.0\.1:/, route === "token" ? ONE_ATTEMPT : BOTH_REQUESTS),
  })),
  {
    name: "sends only one token request with max-retries: 0",
    inputs: { "max-retries": "0" },
    server: { token: { status: 500 } },
    expect: fails(/500/, ONE_ATTEMPT, { notInLog: ["attempt 1"] }),
  },
  {
    name: "reports the token request's error when both requests fail",
    inputs: { "max-retries": "0" },
    server: { token: { status: 500 }, jwks: { status: 501 } },
    expect: fails(/token request.*500/, ONE_ATTEMPT),
  },
  {
    name: "waits for Retry-After",
    server: { token: [{ status: 429, headers: { "retry-after": "1" } }, issueToken()] },
    expect: succeeds({
      requests: { token: 2 },
      check: (_run, harness) => {
        assert.ok(getGap(harness) >= 990, `${getGap(harness)} ms`);
      },
    }),
  },
  {
    name: "fails immediately if Retry-After exceeds the timeout",
    server: { token: { status: 429, headers: { "retry-after": "3600" } } },
    expect: fails(/429.*1 h/, ONE_ATTEMPT),
  },
  {
    name: "retries until the timeout",
    inputs: { "max-retries": "20", timeout: "2" },
    server: { token: { status: 502 } },
    expect: fails(/502|did not respond|no response/, { token: [2, 21], jwks: [1, 21] }, { maxMs: 20_000 }),
  },
  {
    name: "writes a granted scope that contains line breaks to only one output",
    server: { token: issueToken(() => ({ scope: ["tsg_id:1234567890", "x\naccess-token=evil\nEOF"] })) },
    expect: succeeds(),
  },
];
