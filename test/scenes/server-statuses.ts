import assert from "node:assert/strict";

import type { ScriptedAnswer, ScriptedHandler } from "../support/scripted-server.ts";
import { giveKeys, giveToken, refusal } from "./cast.ts";
import { fails, ONCE, signsIn, TWICE, type Expected, type Requests, type Scene, type ServerPlan } from "./scene.ts";

const AUTH = "Authentication error: ";
const SERVER_FAULT = "The fault is on the server's side.";
const CHECK_URL = "Check the token URL and key URL";
const HTTP = "HTTP error: ";

/** Statuses, each without a body: what is said, and whether it is tried again. */
const STATUSES: Readonly<Record<number, readonly [requests: Requests, hint: string]>> = {
  204: [TWICE, "is not SCM's auth server"],
  400: [ONCE, CHECK_URL],
  401: [ONCE, CHECK_URL],
  403: [ONCE, CHECK_URL],
  404: [ONCE, CHECK_URL],
  405: [ONCE, CHECK_URL],
  407: [ONCE, CHECK_URL],
  408: [TWICE, SERVER_FAULT],
  425: [ONCE, CHECK_URL],
  429: [TWICE, "The server limits token requests."],
  500: [TWICE, SERVER_FAULT],
  501: [ONCE, CHECK_URL],
  502: [TWICE, SERVER_FAULT],
  503: [TWICE, SERVER_FAULT],
  504: [TWICE, SERVER_FAULT],
  511: [ONCE, CHECK_URL],
  599: [ONCE, CHECK_URL],
};

const statuses: readonly Scene[] = Object.entries(STATUSES).map(([status, [requests, hint]]) => ({
  name: `status ${status} is ${requests === TWICE ? "tried again" : "final"}`,
  inputs: { timeout: hint === SERVER_FAULT || status === "429" ? "2" : "5" },
  server: { token: { status: Number(status) } },
  expect:
    status === "204"
      ? fails(`${AUTH}the token request was answered with a text that is no JSON (2 tries).`, hint, requests)
      : fails(new RegExp(`^HTTP error: .*token request was answered with status ${status}`), hint, requests, {
          ...(requests === TWICE && { says: ["(2 tries)", "Try 1 of 2; the next in"] }),
        }),
}));

const repeats: readonly Scene[] = [
  {
    name: "max-retries: 0 is one try",
    inputs: { "max-retries": "0" },
    server: { token: { status: 500 } },
    expect: fails(`${HTTP}the token request was answered with status 500.`, SERVER_FAULT, ONCE, {
      never: ["tries", "Try 1"],
    }),
  },
  {
    name: "max-retries: 2 is three tries",
    inputs: { "max-retries": "2" },
    server: { token: { status: 500 } },
    expect: fails("status 500 (3 tries).", SERVER_FAULT, { token: 3, keys: 1 }, { says: ["Try 1 of 3", "Try 2 of 3"] }),
  },
  {
    name: "the last try decides what is told",
    server: { token: [{ status: 500 }, refusal("invalid_client")] },
    expect: fails("invalid_client (2 tries).", "The client id or the secret is wrong.", { token: 2, keys: 1 }),
  },
  {
    name: "twenty repeats of an overload end with the time",
    inputs: { "max-retries": "20", timeout: "2" },
    server: { token: { status: 429 } },
    expect: fails(/status 429|gave no answer/, "raise timeout", { token: [2, 21], keys: [1, 21] }, { within: 4000 }),
  },
  {
    name: "twenty repeats of a fault end with the time",
    inputs: { "max-retries": "20", timeout: "1" },
    server: { keys: { status: 502 } },
    expect: fails(/answered with status 502|gave no answer/, /./, { token: [1, 21], keys: [2, 21] }, { within: 4000 }),
  },
  {
    name: "when both requests fail one cause is told",
    inputs: { "max-retries": "0" },
    server: { token: { status: 500 }, keys: { status: 500 } },
    expect: fails("was answered with status 500", SERVER_FAULT, { token: 1, keys: [0, 1] }),
  },
];

/** Milliseconds between the first two requests of a route. */
const gap =
  (least: number): NonNullable<Expected["also"]> =>
  (_run, { server }) => {
    const [first, second] = server.requests.filter(({ route }) => route === "token").map(({ at }) => at);
    const waited = (second ?? 0) - (first ?? 0);
    assert.ok(waited >= least, `It waited ${Math.round(waited)} ms instead of ${least}.`);
  };

const limited = (value: string, status = 429): ScriptedAnswer => ({ status, headers: { "retry-after": value } });
const httpDate = (ms: number): string => new Date(Date.now() + ms).toUTCString();

const retryAfter: readonly Scene[] = [
  ...[429, 503, 500].map((status) => ({
    name: `with status ${status} nothing is sent before Retry-After`,
    server: { token: [limited("1", status), giveToken] },
    expect: signsIn({ token: 2, also: gap(1000), says: [/next in (1|1\.\d|2|2\.\d|3|3\.\d) s\./] }),
  })),
  {
    name: "Retry-After holds for the keys as well",
    server: { keys: [limited("1"), giveKeys] },
    expect: signsIn({
      keys: 2,
      also: (_run, { server }) => {
        const [first, second] = server.requestsTo("keys").map(({ at }) => at);
        assert.ok((second ?? 0) - (first ?? 0) >= 1000);
      },
    }),
  },
  {
    name: "Retry-After: 3600 does not fit, so it is told and nothing is waited for",
    server: { token: limited("3600") },
    expect: fails(/status 429 \(the server asks to wait 1 h, .* are left\)/, "One sign-in can serve", ONCE, {
      within: 3000,
    }),
  },
  {
    name: "a Retry-After without end does not fit",
    server: { token: limited("9".repeat(60)) },
    expect: fails("the server asks to wait", "The server limits", ONCE, { within: 3000 }),
  },
  {
    name: "Retry-After as a date is waited for",
    server: { token: [() => limited(httpDate(2500)), giveToken] },
    expect: signsIn({ token: 2, also: gap(900) }),
  },
  {
    name: "Retry-After as a date of tomorrow does not fit",
    server: { token: () => limited(httpDate(86_400_000)) },
    expect: fails("the server asks to wait", "The server limits", ONCE, { within: 3000 }),
  },
  ...["0", "-5", "soon", "1.5e3", "", "Wed, 21 Oct 2015 07:28:00 GMT", "2030-01-01", "3600 s", "NaN"].map((value) => ({
    name: `Retry-After: "${value}" asks for nothing`,
    inputs: { timeout: "2" },
    server: { token: [limited(value), giveToken] },
    expect: signsIn({ token: 2, within: 4000 }),
  })),
  {
    name: "Retry-After on a refusal changes nothing",
    server: { token: { ...refusal("invalid_client"), headers: { "retry-after": "1" } } },
    expect: fails("invalid_client", "is wrong", ONCE),
  },
];

const redirects: readonly Scene[] = [
  ...[300, 301, 302, 303, 304, 305, 307, 308].flatMap((status) =>
    (["token", "keys"] as const).map((route) => ({
      name: `status ${status} to another server is not followed by the ${route} request`,
      server: (stage: { readonly other: { readonly tokenUrl: string; readonly jwksUrl: string } }): ServerPlan => {
        // The other server is started after this plan is made.
        const redirect: ScriptedHandler = () => ({
          status,
          headers: { location: route === "token" ? stage.other.tokenUrl : stage.other.jwksUrl },
        });
        return { [route]: redirect };
      },
      expect: fails(
        new RegExp(`^HTTP error: .*answered with status ${status}, a redirect to http://127\\.0\\.0\\.1:`),
        "Redirects are never followed",
        { token: [0, 1], keys: [0, 1] },
      ),
    })),
  ),
  {
    name: "a redirect without Location is told",
    server: { token: { status: 302 } },
    expect: fails("a redirect to nowhere.", "Redirects are never followed", ONCE),
  },
  {
    name: "a redirect to the same server is not followed either",
    server: { token: { status: 307, headers: { location: "/am/oauth2/other" } } },
    expect: fails("a redirect to /am/oauth2/other.", "captive portal", ONCE),
  },
];

/** What the status alone decides: final or tried again, when, and never followed. */
export const serverStatuses: readonly Scene[] = [...statuses, ...repeats, ...retryAfter, ...redirects];
