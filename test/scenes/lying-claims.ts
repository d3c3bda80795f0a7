import assert from "node:assert/strict";

import type { ScriptedHandler } from "../support/scripted-server.ts";
import { compact, type JsonObject } from "../support/tokens.ts";
import {
  answerWith,
  claims,
  CLIENT,
  give,
  giveClaims,
  givePayload,
  inSeconds,
  preload,
  signer,
  stranger,
  TENANT,
} from "./cast.ts";
import { fails, PROVED_WRONG, shown, signsIn, type Part, type Scene } from "./scene.ts";

const AUTH = "Authentication error: ";

const AUDIENCE = `${AUTH}the token's audience (aud) is not this client id.`;
const TENANT_MISSING = `${AUTH}the token's scope does not grant tenant ${TENANT}.`;
const missing = (claim: string): string => `${AUTH}the token has no claim ${claim}.`;
const bad = (claim: string): string => `${AUTH}the token's claim ${claim} is not as it must be.`;
const ENDS_FIRST = `${AUTH}the token ends (exp) before it begins (iat, nbf).`;
const ENDED = /^Authentication error: the token ended \(exp\) .* ago\.$/;
const EARLY = /^Authentication error: the token begins \(iat, nbf\) .* from now\.$/;

const described = (change: JsonObject): string =>
  Object.entries(change)
    .map(([claim, value]) => `${claim} ${shown(value)}`)
    .join(", ");

/** An honest signature under claims that are not good enough. */
const claim = (change: JsonObject, cause: Part, hint: Part = "handed out"): Scene => ({
  name: `a token with ${described(change)} is refused`,
  server: { token: giveClaims(() => change) },
  expect: fails(cause, hint, PROVED_WRONG),
});

/** The same for times, which are counted from now. */
const times = (what: string, change: () => JsonObject, cause: Part, hint: Part = "handed out"): Scene => ({
  name: `a token ${what} is refused`,
  server: { token: giveClaims(change) },
  expect: fails(cause, hint, PROVED_WRONG),
});

const audiences: readonly Scene[] = [
  ...[
    "someone-else",
    "",
    CLIENT.slice(0, -1),
    `${CLIENT}x`,
    `x${CLIENT}`,
    CLIENT.toUpperCase(),
    `${CLIENT} `,
    `${CLIENT},other`,
  ].map((aud) => claim({ aud }, AUDIENCE, "made for another client. Check the client id.")),
  ...[[], ["someone-else"], [`${CLIENT} other`], [CLIENT.slice(1)]].map((aud) =>
    claim({ aud }, AUDIENCE, "Check the client id."),
  ),
  claim({ aud: undefined }, missing("aud")),
  ...[7, null, [CLIENT, 7], [[CLIENT]], { 0: CLIENT }].map((aud) => claim({ aud }, bad("aud"))),
];

const scopes: readonly Scene[] = [
  ...[
    "profile email", "", `tsg_id:${TENANT}1`, `xtsg_id:${TENANT}`, `tsg_id:${TENANT},profile`, `tsg_id: ${TENANT}`, `TSG_ID:${TENANT}`,
    `tsg_id:${TENANT}\u00a0profile`, `profile\ttsg_id:${TENANT}`, TENANT,
  ].map((scope, at) => (at % 3 === 0 ? [scope] : scope)).map((scope) => claim({ scope }, TENANT_MISSING, "give the account a role there")), // prettier-ignore
  claim({ scope: [`profile tsg_id:${TENANT}`] }, TENANT_MISSING, "check the TSG id"),
  claim({ scope: [] }, TENANT_MISSING, "check the TSG id"),
  claim({ scope: undefined }, TENANT_MISSING, "check the TSG id"),
  ...[7, null, true, { 0: `tsg_id:${TENANT}` }, [`tsg_id:${TENANT}`, 7], [[`tsg_id:${TENANT}`]]].map((scope) =>
    claim({ scope }, bad("scope")),
  ),
  {
    name: "a tenant granted by the answer beside the token is not granted by the token",
    server: { token: give(() => signer.sign(claims({ scope: ["profile"] })), { scope: `tsg_id:${TENANT}` }) },
    expect: fails(TENANT_MISSING, "check the TSG id", PROVED_WRONG),
  },
];

const NO_TIMES: readonly unknown[] = [null, "soon", String(inSeconds(900)), -1, 1e300, 1e13, true, {}];

const wrongTimes: readonly Scene[] = [
  ...["exp", "iat"].map((name) => claim({ [name]: undefined }, missing(name))),
  ...NO_TIMES.map((value) => claim({ exp: value }, bad("exp"))),
  ...["iat", "nbf"].flatMap((name) => NO_TIMES.slice(0, 3).map((value) => claim({ [name]: value }, bad(name)))),
  {
    name: "a token with exp 1e999, which is Infinity, is refused",
    server: { token: givePayload(JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":1e999')) },
    expect: fails(bad("exp"), "handed out", PROVED_WRONG),
  },
  times("that ends when it begins", () => ({ exp: inSeconds(0), iat: inSeconds(0) }), ENDS_FIRST),
  times("that ends before it begins", () => ({ exp: inSeconds(10), iat: inSeconds(20), nbf: undefined }), ENDS_FIRST),
  times("that ends before it is valid", () => ({ exp: inSeconds(10), nbf: inSeconds(20) }), ENDS_FIRST),
  times(
    "that ended a second ago",
    () => ({ exp: inSeconds(-1), iat: inSeconds(-901), nbf: inSeconds(-901) }),
    ENDED,
    "Check this machine's clock.",
  ),
  times(
    "that ends now",
    () => ({ exp: inSeconds(0), iat: inSeconds(-900), nbf: undefined }),
    ENDED,
    "Check this machine's clock.",
  ),
  times("of 1970", () => ({ exp: 900, iat: 0, nbf: 0 }), ENDED, "Check this machine's clock."),
  times("issued 120 s from now", () => ({ iat: inSeconds(120) }), EARLY, "Check this machine's clock."),
  times("valid 120 s from now", () => ({ nbf: inSeconds(120) }), EARLY, "Check this machine's clock."),
  times(
    "issued an hour from now",
    () => ({ iat: inSeconds(3600), nbf: undefined, exp: inSeconds(7200) }),
    EARLY,
    "Check this machine's clock.",
  ),
];

const rightTimes: readonly Scene[] = Object.entries<() => JsonObject>({
  "issued 29 s from now": () => ({ iat: inSeconds(29) }),
  "valid 29 s from now": () => ({ nbf: inSeconds(29) }),
  "that has 5 s left": () => ({ exp: inSeconds(5), iat: inSeconds(-895), nbf: inSeconds(-895) }),
  "valid since before it was issued": () => ({ nbf: inSeconds(-60) }),
  "of half a second more": () => ({ iat: inSeconds(0) - 0.5 }),
}).map(([what, change]) => ({
  name: `a token ${what} is good`,
  server: { token: giveClaims(change) },
  expect: signsIn(),
}));

const HOUR = 3600;
/** The clock of the step's machine alone is wrong, by so many seconds. */
const withClock = (seconds: number): NonNullable<Scene["env"]> => ({
  NODE_OPTIONS: preload("clock"),
  SHIFT_CLOCK: String(seconds),
});
const undated: ScriptedHandler = () => ({ ...answerWith(signer.sign(claims())), headers: { date: "yesterday" } });

const clocks: readonly Scene[] = [
  ...(
    [
      [2 * HOUR, "2 h ahead of"],
      [-3 * HOUR, "3 h behind"],
      [48 * HOUR, "2 d ahead of"],
      [-1200, "20 min behind"],
    ] as const
  ).map(([shift, told]) => ({
    name: `a machine's clock that is ${told.replace(" of", "")} is named as the fault, with the difference`,
    env: withClock(shift),
    expect: fails(
      new RegExp(
        `^Authentication error: this machine's clock is ${told} the server's.*\\(clock skew\\)`.replace(
          /(\d+ \w+)/,
          "($1|\\d+ \\w+ 59 \\w+|\\d+ \\w+)",
        ),
      ),
      "Set this machine's clock (NTP) and run again.",
      PROVED_WRONG,
    ),
  })),
  ...[600, -20].map((shift) => ({
    name: `a machine's clock that is ${shift} s off does not matter`,
    env: withClock(shift),
    expect: signsIn(),
  })),
  {
    name: "a wrong clock is told as the token's end when the server does not tell the time",
    env: withClock(2 * HOUR),
    server: { token: undated },
    expect: fails(ENDED, "Check this machine's clock.", PROVED_WRONG),
  },
  {
    name: "a server that tells a wrong time changes nothing while ours is right",
    server: { token: () => ({ ...answerWith(signer.sign(claims())), headers: { date: new Date(0).toUTCString() } }) },
    expect: signsIn(),
  },
  {
    name: "a server can't make an old token good by telling an old time",
    server: {
      token: () => ({
        ...answerWith(signer.sign(claims({ exp: inSeconds(-HOUR), iat: inSeconds(-2 * HOUR), nbf: undefined }))),
        headers: { date: new Date(Date.now() - 1.5 * HOUR * 1000).toUTCString() },
      }),
    },
    expect: fails("this machine's clock is 1 h 30 min ahead of the server's", "Set this machine's clock", PROVED_WRONG),
  },
];

const OPAQUE = "9f27c1aa/opaque+token~0123456789==";
const UNVERIFIED = { verify: "false" };
/** What is known of an opaque token is what its answer says. */
const opaque = (scope: string): Readonly<Record<string, string>> => ({
  "access-token": OPAQUE,
  scope,
  "tsg-id": TENANT,
});
const withoutProof = (name: string, token: ScriptedHandler, cause: Part, hint: Part = /./): Scene => ({
  name: `with verify: false ${name} is refused all the same`,
  inputs: UNVERIFIED,
  server: { token },
  expect: fails(cause, hint, { token: 1, keys: 0 }),
});

const unproved: readonly Scene[] = [
  {
    name: "an opaque token is refused, and the hint names verify",
    server: { token: answerWith(OPAQUE) },
    expect: fails(`${AUTH}the access_token is opaque (no JWT).`, "set verify to false", PROVED_WRONG),
  },
  {
    name: "an opaque token is handed out with verify: false, with the scope of its answer",
    inputs: UNVERIFIED,
    server: { token: answerWith(OPAQUE, { expires_in: 600, scope: `tsg_id:${TENANT} profile` }) },
    expect: signsIn({
      keys: 0,
      outputs: { ...opaque(`tsg_id:${TENANT} profile`), "expires-at": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/ },
      says: ["NOT proved"],
      also: ({ outputs }) => {
        const left = Date.parse(outputs["expires-at"] ?? "") - Date.now();
        assert.ok(left > 560_000 && left <= 600_000, `${left} ms`);
      },
    }),
  },
  {
    name: "an opaque token whose answer tells neither scope nor life has the scope asked for and no end",
    inputs: UNVERIFIED,
    server: { token: answerWith(OPAQUE, { expires_in: undefined, scope: undefined }) },
    expect: signsIn({
      keys: 0,
      outputs: { ...opaque(`tsg_id:${TENANT}`), "expires-at": "" },
      says: ["for an unknown time"],
    }),
  },
  {
    name: "with verify: false a stranger's signature goes through, and the log says so",
    inputs: UNVERIFIED,
    server: { token: give(() => stranger.sign(claims())) },
    expect: signsIn({ keys: 0, says: ["NOT proved, as verify: false says"] }),
  },
  withoutProof(
    "an opaque token for another tenant",
    answerWith(OPAQUE, { scope: "tsg_id:77" }),
    TENANT_MISSING,
    "role there",
  ),
  withoutProof(
    "a token for another client",
    giveClaims(() => ({ aud: "someone-else" })),
    AUDIENCE,
    "Check the client id.",
  ),
  withoutProof(
    "a token for another tenant",
    giveClaims(() => ({ scope: ["tsg_id:77"] })),
    TENANT_MISSING,
    "role there",
  ),
  withoutProof(
    "a token that has ended",
    giveClaims(() => ({ exp: inSeconds(-1), iat: 1, nbf: 1 })),
    ENDED,
  ),
  withoutProof(
    "a token without an end",
    giveClaims(() => ({ exp: undefined })),
    missing("exp"),
  ),
  withoutProof(
    "a token that is not valid yet",
    giveClaims(() => ({ nbf: inSeconds(300) })),
    EARLY,
  ),
  withoutProof(
    "a token with padding",
    give(() => `${signer.sign(claims())}==`),
    "canonical base64url",
  ),
  withoutProof(
    "a token with crit",
    giveClaims(() => ({}), { crit: ["exp"] }),
    "(crit) that is not understood",
  ),
  withoutProof(
    "an unsigned token",
    give(() => compact({ alg: "none" }, claims(), () => "")),
    "canonical base64url",
  ),
  withoutProof("a token whose payload is no JSON", givePayload("text"), "a body that is no JSON"),
];

/** Tokens that are honestly signed and not good enough, clocks that are wrong, and tokens that nobody proves. */
export const lyingClaims: readonly Scene[] = [
  ...audiences,
  ...scopes,
  ...wrongTimes,
  ...rightTimes,
  ...clocks,
  ...unproved,
];
