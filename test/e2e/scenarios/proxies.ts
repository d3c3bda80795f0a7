import assert from "node:assert/strict";
import { createCertificates } from "../../support/certificates.ts";
import type { ConnectProxy } from "../../support/connect-proxy.ts";
import { TOKEN_PATH } from "../../support/scm-auth-server.ts";
import { preload, TEST_HOST, tls, untrustedTls } from "../fixtures.ts";
import {
  fails,
  NO_REQUESTS,
  succeeds,
  type Expected,
  type Pattern,
  type ProxyOptions,
  type Scenario,
} from "../scenario.ts";

const TRUSTED = { "ca-cert": tls.ca };

/** Returns a function that checks the CONNECT requests. */
const connects =
  (count: number, authorization?: string): NonNullable<Expected["check"]> =>
  (_run, { proxy }) => {
    const request = { host: TEST_HOST, port: 443, authorization };
    assert.deepEqual(proxy?.connects, Array<unknown>(count).fill(request));
    assert.deepEqual(proxy.others, []);
  };

const USER = "bob@corp.test";
const PASSWORD = "p%ss:w/rd é&+ 9f27c1aa";
const withUser = ({ url }: ConnectProxy): string =>
  url.replace("://", `://${encodeURIComponent(USER)}:${encodeURIComponent(PASSWORD)}@`);
const BASIC = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString("base64")}`;

const SUCCESSES: readonly (readonly [name: string, proxy: ProxyOptions])[] = [
  ["uses https_proxy for both requests", {}],
  ["connects to a proxy over TLS", { tls }],
];

const FAILURES: readonly (readonly [name: string, proxy: ProxyOptions, error: Pattern])[] = [
  ["a proxy that requires a password", { credentials: "u:p" }, /requires a user and password \(407\).*\n.*Percent-encode/],
  ["a proxy that responds with status 403", { response: 403 }, /proxy.*refused.*auth\.scm\.test:443.*403.*\n.*Allow it there, or add it to no_proxy/],
  ["a proxy that does not respond", { response: "hang" }, /2 attempts/],
  ["a proxy that is down and the variable that configures it", { value: () => "http://127.0.0.1:1" }, /127\.0\.0\.1:1.*https_proxy/],
  ["a proxy without TLS at an https URL", { value: ({ port }) => `https://127.0.0.1:${port}` }, /proxy/],
  ["a proxy with an untrusted certificate, without sending the password", { tls: untrustedTls, value: withUser }, /certificate.*proxy|proxy.*certificate/],
]; // prettier-ignore

/** These certificates are valid for the target but not for the proxy. */
const targetTls = createCertificates([TEST_HOST]);

export const proxies: readonly Scenario[] = [
  ...SUCCESSES.map(([name, proxy]) => ({
    name,
    proxy,
    inputs: TRUSTED,
    expect: succeeds({ check: connects(2) }),
  })),
  {
    name: "sends the user and password only to the proxy, without causing Node warnings",
    proxy: { credentials: `${USER}:${PASSWORD}`, value: withUser },
    inputs: TRUSTED,
    env: { NODE_OPTIONS: "--throw-deprecation --trace-warnings" },
    secrets: [PASSWORD, BASIC.slice(6)],
    expect: succeeds({
      check: (run, harness) => {
        connects(2, BASIC)(run, harness);
        for (const { headers } of harness.server.requests) assert.equal(headers["proxy-authorization"], undefined);
      },
    }),
  },
  {
    name: "retries if the proxy cannot open a tunnel",
    proxy: { failures: 2 },
    inputs: TRUSTED,
    expect: succeeds({ check: connects(4), log: [/status 502.*Attempt 1 of 2 failed/] }),
  },
  {
    name: "connects directly to hosts in no_proxy",
    proxy: {},
    env: { no_proxy: "example.com, *.scm.test", NODE_OPTIONS: preload("dns") },
    inputs: ({ server }) => ({ ...TRUSTED, "token-url": `https://${TEST_HOST}:${server.port}${TOKEN_PATH}` }),
    expect: succeeds({ check: connects(0) }),
  },
  {
    name: "connects directly to loopback",
    proxy: {},
    inputs: ({ server }) => ({ ...TRUSTED, "token-url": server.tokenUrl }),
    env: ({ proxy }) => ({ http_proxy: proxy?.url }),
    expect: succeeds({ check: connects(0) }),
  },
  ...FAILURES.map(([what, proxy, error]) => ({
    name: `reports ${what}`,
    proxy,
    inputs: { ...TRUSTED, timeout: "3" },
    secrets: [PASSWORD],
    expect: fails(error, NO_REQUESTS, { maxMs: 30_000 }),
  })),
  ...["socks5://127.0.0.1:1080", "http://CORP\\bob:sesame-9f27c1aa@127.0.0.1:1"].map((value) => ({
    name: `rejects https_proxy=${value}`,
    proxy: { value: () => value },
    inputs: TRUSTED,
    secrets: ["sesame-9f27c1aa"],
    expect: fails(/https_proxy is not a valid proxy URL.*\n.*http:\/\/host:port/, NO_REQUESTS, {
      notInLog: [value],
      check: connects(0),
    }),
  })),
  {
    name: "rejects a proxy with a certificate for the target, without sending the password",
    proxy: { tls: targetTls, value: withUser },
    inputs: { "ca-cert": `${tls.ca}${targetTls.ca}` },
    secrets: [PASSWORD],
    expect: fails(/certificate.*proxy|proxy.*certificate/, NO_REQUESTS, { check: connects(0) }),
  },
  {
    name: "sends no secret through a proxy that inspects TLS with an unknown CA",
    proxy: {},
    inputs: TRUSTED,
    server: { tls: untrustedTls },
    env: { NODE_TLS_REJECT_UNAUTHORIZED: "0" },
    expect: fails(/certificate of auth\.scm\.test.*\n.*path of its CA certificate/, NO_REQUESTS, {
      warnings: ["NODE_TLS_REJECT_UNAUTHORIZED=0 is ignored"],
    }),
  },
];
