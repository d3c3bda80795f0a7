import assert from "node:assert/strict";

import type { ConnectProxy } from "../support/connect-proxy.ts";
import { TOKEN_PATH } from "../support/scm-provider.ts";
import { foreignTls, preload, TEST_HOST, tls } from "./cast.ts";
import { fails, signsIn, type Expected, type Part, type ProxyPlan, type Requests, type Scene } from "./scene.ts";

const NOTHING: Requests = { token: 0, keys: 0 };
const TRUSTED = { "ca-cert": tls.ca };
const UNVERIFIED = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
const IGNORED = "NODE_TLS_REJECT_UNAUTHORIZED=0 is set in this job; it is ignored here";

/** How many tunnels were asked for, and where to. */
const tunnels =
  (count: number, authorization?: string): NonNullable<Expected["also"]> =>
  (_run, { proxy }) => {
    const asked = { host: TEST_HOST, port: 443, authorization };
    assert.deepEqual(
      proxy?.connects,
      Array.from({ length: count }, () => asked),
    );
    assert.deepEqual(proxy.others, []);
  };

const USER = "bob@corp.test";
const PASSWORD = "p%ss:w/rd é&+ 9f27c1aa";
const [user, password] = [encodeURIComponent(USER), encodeURIComponent(PASSWORD)];
const withUser = ({ url }: ConnectProxy): string => url.replace("://", `://${user}:${password}@`);
const basic = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString("base64")}`;
/** What of the proxy's password no one may see, in the forms that texts of ours or node's could hold. */
const PROXY_SECRETS = [PASSWORD, password, basic.slice("Basic ".length)];

const through: readonly Scene[] = [
  {
    name: "through a proxy both requests go, with TLS verified",
    proxy: {},
    inputs: TRUSTED,
    expect: signsIn({ also: tunnels(2) }),
  },
  {
    name: "HTTPS_PROXY counts as well",
    proxy: { name: "HTTPS_PROXY" },
    inputs: TRUSTED,
    expect: signsIn({ also: tunnels(2) }),
  },
  {
    name: "a proxy without a scheme is one",
    proxy: { variable: ({ port }) => `127.0.0.1:${port}` },
    inputs: TRUSTED,
    expect: signsIn({ also: tunnels(2) }),
  },
  {
    name: "a proxy may itself be reached by TLS",
    proxy: { tls },
    inputs: TRUSTED,
    expect: signsIn({ also: tunnels(2) }),
  },
  {
    name: "user and password of a proxy are decoded and sent to the proxy alone",
    proxy: { credentials: `${USER}:${PASSWORD}`, variable: withUser },
    inputs: TRUSTED,
    canaries: PROXY_SECRETS,
    expect: signsIn({
      also: (run, stage) => {
        tunnels(2, basic)(run, stage);
        for (const { headers } of stage.server.requests) assert.equal(headers["proxy-authorization"], undefined);
      },
    }),
  },
  {
    name: "a proxy's user and password are no reason to warn where warnings throw",
    proxy: { credentials: `${USER}:${PASSWORD}`, variable: withUser },
    inputs: TRUSTED,
    env: { NODE_OPTIONS: "--throw-deprecation --trace-warnings" },
    canaries: PROXY_SECRETS,
    expect: signsIn({ also: tunnels(2, basic) }),
  },
  {
    name: "a 502 of a proxy for each request is forgiven",
    proxy: { failures: 2 },
    inputs: TRUSTED,
    expect: signsIn({ also: tunnels(4), says: [`the proxy answered 502 instead of connecting to ${TEST_HOST}`] }),
  },
  {
    name: "no_proxy goes past the proxy",
    proxy: {},
    env: { no_proxy: "example.com, .scm.test", NODE_OPTIONS: preload("dns") },
    inputs: ({ server }) => ({ ...TRUSTED, "token-url": `https://${TEST_HOST}:${server.port}${TOKEN_PATH}` }),
    expect: signsIn({ also: tunnels(0) }),
  },
  {
    name: "loopback goes past the proxy",
    proxy: { tls },
    env: ({ proxy }) => ({ http_proxy: proxy?.url }),
    inputs: ({ server }) => ({ ...TRUSTED, "token-url": server.tokenUrl }),
    expect: signsIn({ also: tunnels(0) }),
  },
  {
    name: "an empty https_proxy is none",
    proxy: { variable: () => "" },
    inputs: ({ server }) => ({ ...TRUSTED, "token-url": server.tokenUrl }),
    expect: signsIn({ also: tunnels(0) }),
  },
];

const PASSES_NOT = "The proxy does not let this host through";
const CHECK_PROXY = "Check the host and port in https_proxy";
const INSTEAD = `instead of connecting to ${TEST_HOST}`;

/** Proxies that are of no use: what is said, and how many tunnels were asked for. */
const FAILURES: Readonly<
  Record<string, readonly [plan: ProxyPlan, cause: Part, hint: Part, connects: number | undefined]>
> = {
  "wants a password": [
    { credentials: "u:p" },
    "the proxy wants a user and a password, or refuses those given (407).",
    "percent-encoded: https_proxy=http://user:password@host:port",
    2,
  ],
  "refuses the password": [
    { credentials: "u:p", variable: withUser },
    "or refuses those given (407).",
    "Put the proxy's user and password",
    2,
  ],
  "answers 403": [{ answer: 403 }, `the proxy answered 403 ${INSTEAD}`, PASSES_NOT, 2],
  "answers 302": [{ answer: 302 }, `the proxy answered 302 ${INSTEAD}`, PASSES_NOT, 2],
  "answers 502 for ever": [{ answer: 502 }, `the proxy answered 502 ${INSTEAD}`, PASSES_NOT, undefined],
  "answers 503 for ever": [{ answer: 503 }, `the proxy answered 503 ${INSTEAD}`, PASSES_NOT, undefined],
  "is silent": [
    { answer: "hang" },
    /no connection to auth\.scm\.test within .*\(2 tries\)/,
    "a firewall may drop it",
    undefined,
  ],
  "is down": [
    { variable: () => "http://127.0.0.1:1" },
    "the proxy can't be reached (ECONNREFUSED) (2 tries).",
    CHECK_PROXY,
    0,
  ],
  "speaks TLS where http was said": [
    { tls, variable: ({ port }) => `http://127.0.0.1:${port}` },
    /the proxy can't be reached \(\w+\)/,
    CHECK_PROXY,
    0,
  ],
  "speaks http where TLS was said": [
    { variable: ({ port }) => `https://127.0.0.1:${port}` },
    /the proxy can't be reached \(\w+\)/,
    CHECK_PROXY,
    0,
  ],
};

const failures: readonly Scene[] = [
  ...Object.entries(FAILURES).map(([what, [proxy, cause, hint, connects]]) => ({
    name: `a proxy that ${what} is told as what is at fault`,
    inputs: { ...TRUSTED, timeout: "2" },
    proxy,
    canaries: proxy.variable === withUser ? PROXY_SECRETS : [],
    expect: fails(cause, hint, NOTHING, {
      within: 4000,
      also: (_run, stage) => {
        if (connects !== undefined) assert.ok((stage.proxy?.connects.length ?? 0) <= connects);
      },
    }),
  })),
  {
    name: "a proxy whose name is unknown is told",
    proxy: { variable: () => "http://unknown.invalid:3128" },
    env: { NODE_OPTIONS: preload("dns") },
    inputs: { ...TRUSTED, timeout: "2" },
    expect: fails("the proxy can't be reached (ENOTFOUND)", CHECK_PROXY, NOTHING),
  },
  ...[
    "http://",
    "http://127.0.0.1:99999",
    "socks5://127.0.0.1:1080",
    "localhost:3128",
    ":::",
    "http://bob:sesame-9f27c1aa-%zz@127.0.0.1:1",
  ].map((value) => ({
    name: `https_proxy="${value}" is no proxy, and goes nowhere`,
    proxy: { variable: () => value },
    inputs: TRUSTED,
    canaries: ["sesame-9f27c1aa"],
    expect: fails("the variable https_proxy holds no proxy URL.", "Write the proxy as http://host:port", NOTHING, {
      never: value.length > 10 ? [value] : [],
      also: tunnels(0),
    }),
  })),
  ...[{}, UNVERIFIED].flatMap((env) => {
    const ignored = env === UNVERIFIED ? { warnings: [IGNORED] } : {};
    const also = env === UNVERIFIED ? ", with NODE_TLS_REJECT_UNAUTHORIZED=0 either" : "";
    return [
      {
        name: `an untrusted server behind a proxy gets no secret${also}`,
        proxy: {},
        env,
        expect: fails(`the certificate of ${TEST_HOST} is not trusted`, "No secret was sent.", NOTHING, ignored),
      },
      {
        name: `a proxy that inspects TLS with a foreign authority gets no secret${also}`,
        proxy: {},
        env,
        inputs: TRUSTED,
        server: { tls: foreignTls },
        expect: fails(
          `the certificate of ${TEST_HOST} is not trusted`,
          "give its CA certificate (ca-cert",
          NOTHING,
          ignored,
        ),
      },
      {
        name: `an untrusted proxy gets neither its password nor a tunnel to make${also}`,
        proxy: { tls: foreignTls, variable: withUser },
        env,
        inputs: TRUSTED,
        canaries: PROXY_SECRETS,
        expect: fails(/certificate of the proxy .*is not trusted/, /ca-cert/, NOTHING, {
          ...ignored,
          never: ["tries", "Try 1"],
          also: (_run, stage) => {
            assert.deepEqual(stage.proxy?.connects, []);
          },
        }),
      },
    ];
  }),
  {
    name: "a server behind a proxy that falls silent ends in time",
    proxy: {},
    inputs: { ...TRUSTED, timeout: "2" },
    server: { token: { hang: true } },
    expect: fails(
      /auth\.scm\.test took the request and gave no answer/,
      "raise timeout",
      { token: 2, keys: [1, 2] },
      { within: 4000 },
    ),
  },
  {
    name: "a tunnel that breaks in the handshake is tried again",
    proxy: {},
    inputs: { ...TRUSTED, timeout: "2" },
    chaos: (n) => (n < 2 ? { resetAfter: 100 } : {}),
    expect: signsIn({ also: tunnels(4) }),
  },
];

/** Between the action and its server stands a proxy. */
export const proxies: readonly Scene[] = [...through, ...failures];
