import type { JsonObject } from "../../support/tokens.ts";
import { claims, CLIENT_ID, inSeconds, issueToken, preload, signer, tokenResponse, TSG_ID } from "../fixtures.ts";
import { BOTH_REQUESTS, fails, succeeds, type Pattern, type Scenario } from "../scenario.ts";

const AUDIENCE = /aud claim.*\n.*client ID/;
const TENANT = /does not grant tenant 1234567890.*\n.*TSG ID/;

const REJECTED: readonly (readonly [name: string, getClaims: () => JsonObject, error: Pattern])[] = [
  ["issued for another client", () => ({ aud: "someone-else" }), AUDIENCE],
  ["whose scope lacks the tenant", () => ({ scope: ["profile", "email"] }), TENANT],
  ["that expired a second ago", () => ({ exp: inSeconds(-1), iat: inSeconds(-901), nbf: undefined }), /expired .* ago.*\n.*clock/],
]; // prettier-ignore

const ACCEPTED: Readonly<Record<string, () => JsonObject>> = {
  "a string as scope, an array as aud, no nbf, and an unknown iss": () => ({
    ...{ scope: `email tsg_id:${TSG_ID}`, aud: ["other", CLIENT_ID], nbf: undefined, iss: "https://elsewhere.test" },
  }),
};

/** Sets only the action's clock ahead, by a number of seconds. */
const shiftClock = (seconds: number) => ({ NODE_OPTIONS: preload("clock"), CLOCK_SHIFT: String(seconds) });

export const claimScenarios: readonly Scenario[] = [
  ...REJECTED.map(([name, getClaims, error]) => ({
    name: `rejects a token ${name}`,
    server: { token: issueToken(getClaims) },
    expect: fails(error, BOTH_REQUESTS),
  })),
  ...Object.entries(ACCEPTED).map(([what, getClaims]) => ({
    name: `accepts a token with ${what}`,
    server: { token: issueToken(getClaims) },
    expect: succeeds(),
  })),
  {
    name: "rejects a tenant that is granted only in the token response",
    server: { token: () => tokenResponse(signer.sign(claims({ scope: ["profile"] })), { scope: `tsg_id:${TSG_ID}` }) },
    expect: fails(TENANT, BOTH_REQUESTS),
  },
  {
    name: "reports a clock that is 2 h ahead",
    env: shiftClock(7200),
    expect: fails(/machine's clock is (2 h|1 h 59 min).* ahead.*\n.*NTP/, BOTH_REQUESTS),
  },
];
