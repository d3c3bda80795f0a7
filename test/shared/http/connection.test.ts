import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { AuthErrorCode, AuthErrorKind } from "../../../shared/errors.ts";
import type { ConnectionStep } from "../../../shared/http/connection.ts";
import { createSecureContext } from "../../../shared/http/tls.ts";
import { createCertificates, type Certificates } from "../../support/certificates.ts";
import { startChaosProxy } from "../../support/chaos-proxy.ts";
import { startConnectProxy, type ConnectProxyOptions } from "../../support/connect-proxy.ts";
import { startSilentPort } from "../../support/silent-port.ts";
import { setVariables } from "../../support/variables.ts";
import { getError, listen, mockDns, send, serve, setProxyVariables } from "./attempts.ts";

const HOST = "auth.scm.test";
const tls = createCertificates();
const other = createCertificates();
const secureContext = createSecureContext(tls.ca);

/** Other systems queue connections and use loopback addresses differently. */
const isLinux = process.platform === "linux";

/** A time limit, in milliseconds, that is short enough for a test to wait for. */
const SHORT = 300;

type Failure = readonly [code: AuthErrorCode, kind: AuthErrorKind, retryable: boolean];

async function getClosedPort(t: TestContext): Promise<number> {
  const server = createServer();
  const port = await listen(t, server);
  server.close();
  await once(server, "close");
  return port;
}

// DNS and TCP

for (const delayMs of [0, 30, 300]) {
  test(`uses another address if the first one refuses the connection, with a DNS delay of ${delayMs} ms`, async (t) => {
    const server = await serve(t, { body: "{}" }, tls);
    // The server listens only on 127.0.0.1.
    mockDns(t, ["::1", "127.0.0.2", "127.0.0.1"], delayMs);
    const steps: ConnectionStep[] = [];
    const url = server.tokenUrl.replace("127.0.0.1", HOST);
    setProxyVariables(t);
    const { status } = await send(url, { secureContext, onConnection: (step) => void steps.push(step) });
    assert.equal(status, 200);
    assert.deepEqual(
      steps.map(({ step, detail }) => [step, detail.replace(/[0-9a-f]{12}$/, "...")]),
      [
        ["dns", "::1, 127.0.0.2, 127.0.0.1"],
        ["tcp", `127.0.0.1:${server.port}`],
        ["tls", "TLSv1.3, issued by scm-auth test authority ..."],
      ],
    );
    assert.ok(steps.every(({ durationMs }) => durationMs >= 0) && (steps[0]?.durationMs ?? 0) >= delayMs - 5);
  });
}

test("uses the second address within a short attempt if the first one drops packets", { skip: !isLinux }, async (t) => {
  const port = await startSilentPort(t);
  const respond = (socket: Socket) => socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\n\r\n{}"));
  await listen(t, createServer(respond), "127.0.0.2", port);
  mockDns(t, ["127.0.0.1", "127.0.0.2"]);
  assert.equal((await send(`http://localhost:${port}/`, { timeoutMs: 2400 })).body, "{}");
});

/** Blocks for 700 ms before it accepts connections, which is before a client sends its second SYN packet. */
const SLOW_LISTENER = `
  const { parentPort } = require("node:worker_threads");
  const respond = (socket) => socket.on("error", () => {}).once("data", () => socket.end("HTTP/1.1 200 OK\\r\\n\\r\\n{}"));
  const server = require("node:net").createServer(respond).listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700));
  });`;

test(
  "waits longer than 250 ms for a slow first address if the second one refuses the connection",
  { skip: !isLinux },
  async (t) => {
    const worker = new Worker(SLOW_LISTENER, { eval: true });
    const [port] = (await once(worker, "message")) as [number];
    const crowd = Array.from({ length: 8 }, () => connect(port, "127.0.0.1").on("error", () => undefined));
    t.after(async () => {
      for (const socket of crowd) socket.destroy();
      await worker.terminate();
    });
    await delay(100);
    mockDns(t, ["127.0.0.1", "127.0.0.2"]);
    assert.equal((await send(`http://localhost:${port}/`, { timeoutMs: 20_000 })).body, "{}");
  },
);

interface NetworkRow {
  readonly what: string;
  readonly dns?: readonly string[] | string;
  readonly port?: (t: TestContext) => Promise<number>;
  readonly failure: Failure;
  readonly message: RegExp;
}

const NETWORK: readonly NetworkRow[] = [
  { what: "an unknown host", dns: "ENOTFOUND", failure: ["host_not_found", "network", false], message: /host not found: auth\.scm\.test \(ENOTFOUND\)/ },
  { what: "a failing name server", dns: "EAI_AGAIN", failure: ["dns_lookup_failed", "network", true], message: /\(EAI_AGAIN\)/ },
  { what: "a silent name server", failure: ["dns_lookup_failed", "timeout", true], message: /DNS lookup for auth\.scm\.test did not complete within 0\.3 s/ },
  { what: "a closed port", dns: ["127.0.0.1"], port: getClosedPort, failure: ["connection_refused", "network", true], message: /refused the connection/ },
  { what: "dropped packets", dns: ["127.0.0.1"], port: startSilentPort, failure: ["connect_timeout", "timeout", true], message: /could not connect to auth\.scm\.test:\d+ within 0\.3 s/ },
  { what: "an unreachable address", dns: ["255.255.255.255"], failure: ["connection_refused", "network", true], message: /could not connect to auth\.scm\.test:443 \(E[A-Z]+\)/ },
]; // prettier-ignore
for (const { what, dns, port, failure, message } of NETWORK) {
  test(`reports ${what} as ${failure[0]}, and sends no data`, async (t) => {
    setProxyVariables(t);
    mockDns(t, dns);
    const url = `https://${HOST}:${(await port?.(t)) ?? 443}/`;
    const error = await getError(send(url, { timeoutMs: failure[1] === "timeout" ? SHORT : 5000 }));
    assert.deepEqual([error.code, error.kind, error.retryable, error.requestSent], [...failure, false]);
    assert.match(error.message, message);
  });
}

test("shares a DNS lookup that is in progress, because it cannot be canceled, but not its result", async (t) => {
  const { tokenUrl } = await serve(t, {});
  const mock = mockDns(t, ["127.0.0.1"], SHORT);
  const url = tokenUrl.replace("127.0.0.1", "localhost");
  const error = await getError(send(url, { timeoutMs: SHORT / 10 }));
  assert.equal(error.code, "dns_lookup_failed");
  const statuses = await Promise.all([send(url), send(url)]);
  assert.deepEqual([statuses.map(({ status }) => status), mock.callCount()], [[200, 200], 1]);
  await send(url);
  assert.equal(mock.callCount(), 2);
});

test("mentions a proxy variable that does not apply to https URLs if a connection fails", async (t) => {
  mockDns(t, "ENOTFOUND");
  for (const variable of ["HTTP_PROXY", "ALL_PROXY", "all_proxy"]) {
    setProxyVariables(t, { [variable]: "http://proxy.test:3128" });
    const { hint, code } = await getError(send(`https://${HOST}/`));
    assert.equal(code, "host_not_found");
    assert.match(hint, new RegExp(`^${variable} is set, .* Set https_proxy .*\\. Otherwise: Check the spelling`));
  }
});

// TLS

for (const [what, start] of [
  ["gets no response", (t: TestContext) => listen(t, createServer())],
  [
    "is reset",
    (t: TestContext) =>
      listen(
        t,
        createServer((socket) => socket.once("data", () => socket.resetAndDestroy())),
      ),
  ],
  [
    "is closed",
    (t: TestContext) =>
      listen(
        t,
        createServer((socket) => socket.once("data", () => socket.end())),
      ),
  ],
  ["gets plain HTTP", async (t: TestContext) => (await serve(t, {})).port],
] as const) {
  test(`does not report a TCP failure if the TLS handshake ${what}`, async (t) => {
    const port = await start(t);
    const timeoutMs = what === "gets no response" ? SHORT : 5000;
    const error = await getError(send(`https://127.0.0.1:${port}/`, { timeoutMs }));
    assert.deepEqual([error.code, error.retryable, error.requestSent], ["tls_handshake_failed", true, false]);
    assert.equal(error.kind, what === "gets no response" ? "timeout" : "network");
    assert.match(error.message, new RegExp(`the TCP connection to 127.0.0.1:${port} works, but the TLS handshake`));
    assert.match(error.hint, /NODE_OPTIONS=--tls-max-v1\.2/);
  });
}

test("does not trust an unknown authority, regardless of NODE_TLS_REJECT_UNAUTHORIZED", async (t) => {
  t.mock.method(process, "emitWarning", () => undefined);
  const server = await serve(t, {}, tls);
  for (const [n, value] of [undefined, "0"].entries()) {
    setVariables(t, { NODE_TLS_REJECT_UNAUTHORIZED: value });
    for (const context of [createSecureContext(other.ca), undefined]) {
      const error = await getError(send(server.tokenUrl, { method: "POST", body: "x", secureContext: context }));
      assert.deepEqual([error.code, error.retryable, error.requestSent], ["untrusted_certificate", false, false]);
      assert.match(error.message, /127\.0\.0\.1:\d+ is not trusted \([A-Z_]+, issued by scm-auth test authority \w+\)/);
      assert.match(error.hint, /^No secret was sent.*NODE_EXTRA_CA_CERTS.*NODE_USE_SYSTEM_CA=1/);
    }
    assert.equal(server.requests.length, n);
    assert.equal((await send(server.tokenUrl, { secureContext })).status, 200);
  }
});

for (const [what, certificates, detail, hint] of [
  ["for another name", createCertificates(["other.test"]), /ALTNAME_INVALID/, /belongs to another host/],
  ["that has expired", createCertificates(undefined, -60_000), /EXPIRED/, /Check this machine's clock first/],
  [
    "that OpenSSL rejects for a reason without a code",
    createCertificates(undefined, undefined, true),
    /is not trusted \(unhandled critical extension, issued by/,
    /needs another certificate/,
  ],
] as const) {
  test(`does not trust a certificate ${what}`, async (t) => {
    const server = await serve(t, {}, certificates);
    const error = await getError(send(server.tokenUrl, { secureContext: createSecureContext(certificates.ca) }));
    assert.deepEqual([error.code, error.kind, server.requests.length], ["untrusted_certificate", "network", 0]);
    assert.match(error.message, detail);
    assert.match(error.hint, hint);
  });
}

// Proxies

interface ProxyOptions extends Partial<ConnectProxyOptions> {
  /** User information that is added to the proxy URL. */
  readonly login?: string;
  readonly server?: Certificates;
}

/** Starts a TLS server behind a proxy that maps a host to it, and sets the proxy variable. */
async function startProxy(t: TestContext, { login = "", server: certificates = tls, ...options }: ProxyOptions = {}) {
  const server = await serve(t, { body: "{}" }, certificates);
  const proxy = await startConnectProxy({ to: (host) => (host === HOST ? server.port : undefined), ...options });
  t.after(proxy.close);
  setProxyVariables(t, { https_proxy: proxy.url.replace("://", `://${login}`) });
  return { server, proxy, url: server.tokenUrl.replace("127.0.0.1", HOST) };
}

test("verifies the server through a proxy and reports each step", async (t) => {
  const { server, proxy, url } = await startProxy(t);
  const steps: ConnectionStep[] = [];
  const onConnection = (step: ConnectionStep): void => void steps.push(step);
  assert.equal((await send(url, { secureContext, onConnection })).body, "{}");
  assert.deepEqual([proxy.connects.length, proxy.connects[0]?.host, server.requests.length], [1, HOST, 1]);
  assert.deepEqual(
    steps.map(({ step, detail }) => (step === "tls" ? step : `${step} ${detail}`)),
    [`tcp 127.0.0.1:${proxy.port}`, `proxy 127.0.0.1:${proxy.port}`, "tls"],
  );
  const error = await getError(send(url, { secureContext: createSecureContext(other.ca) }));
  assert.equal(error.code, "untrusted_certificate");
  assert.match(error.message, /the certificate of auth\.scm\.test:\d+ is not trusted/);
  assert.deepEqual([proxy.connects.length, server.requests.length], [2, 1]);
});

for (const [login, credentials] of [
  ["us%40er:p%3Aw@", "us@er:p:w"],
  ["user:p@ss@", "user:p@ss"],
  ["user@", "user:"],
] as const) {
  test(`sends the decoded user and password of "${login}" to a proxy`, async (t) => {
    const { proxy, url } = await startProxy(t, { credentials, login });
    assert.equal((await send(url, { secureContext })).status, 200);
    assert.equal(proxy.connects.length, 1);
  });
}

test("verifies an https proxy against its own name, not against the server's name", async (t) => {
  const ca = (...all: readonly Certificates[]) =>
    createSecureContext(all.map((certificates) => certificates.ca).join(""));
  const own = createCertificates(["127.0.0.1"]);
  const good = await startProxy(t, { tls: own });
  assert.equal((await send(good.url, { secureContext: ca(tls, own) })).status, 200);
  // A party that has a certificate for the server must not receive the proxy password.
  const forServer = createCertificates([HOST]);
  for (const [certificates, context] of [
    [forServer, ca(tls, forServer)],
    [other, ca(tls)],
  ] as const) {
    const bad = await startProxy(t, { tls: certificates, login: "user:password@" });
    const error = await getError(send(bad.url, { secureContext: context }));
    assert.deepEqual([error.code, error.requestSent, bad.proxy.connects.length], ["untrusted_certificate", false, 0]);
    assert.ok(error.message.includes(`the certificate of the proxy 127.0.0.1:${bad.proxy.port} (from https_proxy)`));
  }
});

const PROXY_FAILURES: readonly (readonly [what: string, ProxyOptions, Failure, message: RegExp])[] = [
  ["requires a password", { credentials: "user:password" }, ["proxy_auth_required", "network", false], /127\.0\.0\.1:\d+ \(from https_proxy\) requires a user and password \(407\)/],
  ["rejects the password", { credentials: "user:password", login: "user:wrong@" }, ["proxy_auth_required", "network", false], /rejected the user and password \(407\)/],
  ["does not allow the host", { response: 403 }, ["proxy_refused", "rejected", false], /refused the tunnel to auth\.scm\.test:\d+ \(status 403\)/],
  ["does not know the host", { to: () => undefined }, ["proxy_refused", "network", true], /status 502/],
  ["responds with status 429", { response: 429 }, ["proxy_refused", "network", true], /status 429/],
  ["does not respond", { response: "hang" }, ["proxy_unreachable", "timeout", true], /did not open a tunnel to auth\.scm\.test:\d+ within 0\.3 s/],
]; // prettier-ignore
for (const [what, options, failure, message] of PROXY_FAILURES) {
  test(`reports a proxy that ${what} as ${failure[0]}`, async (t) => {
    const { proxy, server, url } = await startProxy(t, options);
    const error = await getError(send(url, { timeoutMs: failure[1] === "timeout" ? SHORT : 5000, secureContext }));
    assert.deepEqual([error.code, error.kind, error.retryable, error.requestSent], [...failure, false]);
    assert.match(error.message, message);
    assert.deepEqual([proxy.connects.length, server.requests.length], [1, 0]);
    assert.ok(error.message.includes(proxy.url.replace("http://", "")), error.message);
  });
}

const RAW_PROXIES: readonly (readonly [what: string, reply: string, code: AuthErrorCode, text: RegExp])[] = [
  ["supports only Negotiate and NTLM", "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n", "proxy_auth_required", /by Negotiate or NTLM \(407\).*Only Basic authentication is supported.*Cntlm/],
  ["also supports Basic", "HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM, Basic realm=x\r\n\r\n", "proxy_auth_required", /requires a user and password.*Percent-encode/],
  ["sends a page with status 200", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "proxy_refused", /status 200 with content/],
  ["is overloaded", "HTTP/1.1 503 Busy\r\n\r\n", "proxy_refused", /\(status 503\).* The proxy could not connect to the host, or it is overloaded/],
  ["switches protocols", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", "proxy_refused", /\(status 101\)/],
  ["does not speak HTTP", "SSH-2.0-test\r\n", "proxy_unreachable", /the proxy .* did not send a valid HTTP response \(HPE_/],
  ["closes the connection", "", "proxy_unreachable", /closed the connection without opening a tunnel .*ECONNRESET/],
]; // prettier-ignore
for (const [what, reply, code, text] of RAW_PROXIES) {
  test(`reports a proxy that ${what} as ${code}`, async (t) => {
    const proxy = await startChaosProxy(0, { reply });
    t.after(proxy.close);
    setProxyVariables(t, { HTTPS_PROXY: `127.0.0.1:${proxy.port}` });
    const error = await getError(send(`https://${HOST}/`));
    assert.deepEqual([error.code, error.requestSent], [code, false]);
    assert.match(`${error.message} ${error.hint}`, text);
  });
}

test("says that TCP works but TLS does not if an https proxy does not accept TLS", async (t) => {
  const { proxy } = await startProxy(t);
  for (const [port, kind] of [
    [proxy.port, "network"],
    [await listen(t, createServer()), "timeout"],
  ] as const) {
    setProxyVariables(t, { https_proxy: `https://127.0.0.1:${port}` });
    const error = await getError(send(`https://${HOST}/`, { timeoutMs: kind === "timeout" ? SHORT : 5000 }));
    assert.deepEqual([error.code, error.kind, error.requestSent], ["proxy_unreachable", kind, false]);
    assert.ok(
      error.message.includes(`TCP connection to the proxy 127.0.0.1:${port} (from https_proxy) works, but the TLS`),
    );
    assert.match(error.hint, /http:\/\/ in https_proxy.*NODE_OPTIONS=--tls-max-v1\.2/);
  }
});

test("does not blame the proxy if TLS fails in the tunnel", async (t) => {
  const port = await listen(
    t,
    createServer((socket) => socket.once("data", () => socket.end())),
  );
  const { url } = await startProxy(t, { to: port });
  const error = await getError(send(url));
  assert.equal(error.code, "tls_handshake_failed");
  assert.match(
    error.message,
    /the proxy 127\.0\.0\.1:\d+ opened a tunnel to auth\.scm\.test:\d+, but the TLS handshake/,
  );
});

test("names an unreachable proxy and its variable", async (t) => {
  const port = await getClosedPort(t);
  setProxyVariables(t, { HTTPS_PROXY: `http://user:s3cret@127.0.0.1:${port}` });
  const refused = await getError(send(`https://${HOST}/`));
  assert.deepEqual([refused.code, refused.kind, refused.retryable], ["proxy_unreachable", "network", true]);
  assert.ok(refused.message.endsWith(`the proxy 127.0.0.1:${port} (from HTTPS_PROXY): ECONNREFUSED.`), refused.message);

  mockDns(t, "ENOTFOUND");
  setProxyVariables(t, { https_proxy: "http://proxy.test:3128" });
  const unknown = await getError(send(`https://${HOST}/`));
  assert.deepEqual([unknown.code, unknown.retryable, unknown.requestSent], ["host_not_found", false, false]);
  assert.match(unknown.message, /the proxy proxy\.test:3128 \(from https_proxy\): ENOTFOUND/);

  mockDns(t, undefined);
  const silent = await getError(send(`https://${HOST}/`, { timeoutMs: SHORT }));
  assert.deepEqual([silent.code, silent.kind, silent.retryable], ["proxy_unreachable", "timeout", true]);
});
