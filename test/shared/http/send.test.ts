import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { systemClock } from "../../../shared/clock.ts";
import { LARGEST_BODY, send, type HttpAnswer, type HttpRequest, type SendLimits } from "../../../shared/http/send.ts";
import { trust } from "../../../shared/http/tls.ts";
import { AuthError, type AuthErrorCode, type AuthErrorKind } from "../../../shared/report/errors.ts";
import { makeCertificates } from "../../support/certificate.ts";
import { startChaosProxy, type Faults } from "../../support/chaos-proxy.ts";
import { startConnectProxy, type ConnectProxyOptions } from "../../support/connect-proxy.ts";
import { startScriptedServer, type ScriptedAnswer, type ScriptedServer } from "../../support/scripted-server.ts";
import { run } from "../../support/searched-process.ts";
import { setVariables } from "../../support/variables.ts";

const tls = await makeCertificates();
const stranger = await makeCertificates();
const secureContext = trust(tls.ca);

/** Long enough for a loopback that is busy, short enough for a test. */
const SHORT = 200;

/** Sends to a URL as a sign-in would. */
function ask(url: string, request: Partial<HttpRequest> = {}, limits: Partial<SendLimits> = {}): Promise<HttpAnswer> {
  return send(
    { method: "GET", headers: {}, ...request, url: new URL(url) },
    {
      ...{
        timeLimit: 5000,
        signal: new AbortController().signal,
        secureContext,
        userAgent: "test/1",
        clock: systemClock,
      },
      ...limits,
    },
  );
}

/** The failure of a request that must fail. */
async function failureOf(work: Promise<unknown>): Promise<AuthError> {
  const outcome = await work.then(
    () => "an answer",
    (error: unknown) => error,
  );
  assert.ok(AuthError.isAuthError(outcome), String(outcome));
  return outcome;
}

/** A server whose answers are written here, for one test. */
async function serve(t: TestContext, answer: ScriptedAnswer, secure = false): Promise<ScriptedServer> {
  const server = await startScriptedServer({ token: answer, keys: answer, ...(secure && { tls }) });
  t.after(server.close);
  return server;
}

/** Listens on loopback with `server` for one test, and tells the port. */
async function listen(t: TestContext, server: Server, host = "127.0.0.1"): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, host, resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

async function freePort(t: TestContext): Promise<number> {
  const server = createServer();
  const port = await listen(t, server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// What is sent and what is read

test("method, headers, body and user agent go out as they were given, and nothing of the runner's", async (t) => {
  setVariables(t, { ACTIONS_ORCHESTRATION_ID: "abc" });
  const server = await serve(t, { body: { ok: true } });
  const headers = { accept: "application/json", "content-type": "text/plain" };
  const { status, body } = await ask(server.tokenUrl, { method: "POST", headers, body: "é=1" });
  assert.deepEqual([status, body], [200, '{"ok":true}']);
  const [request] = server.requests;
  assert.deepEqual([request?.method, request?.body], ["POST", "é=1"]);
  assert.deepEqual(request?.headers, {
    ...headers,
    "content-length": "4",
    "user-agent": "test/1",
    host: new URL(server.origin).host,
    connection: "close",
  });
});

test("a body is read as UTF-8 without a byte order mark", async (t) => {
  assert.equal((await ask((await serve(t, { body: "\ufeff{}é" })).tokenUrl)).body, "{}é");
});

for (const status of [201, 204, 301, 302, 307, 308, 401, 407, 429, 500, 599]) {
  test(`an answer of status ${status} is an answer, asked for once and not followed`, async (t) => {
    const server = await serve(t, { status, headers: { location: "/elsewhere", "retry-after": "1" } });
    assert.equal((await ask(server.tokenUrl)).status, status);
    assert.equal(server.requests.length, 1);
  });
}

const dates: readonly (readonly [what: string, header: string, offset: number | undefined])[] = [
  ["is right", `Date: ${new Date().toUTCString()}\r\n`, 0],
  ["is ahead by an hour", `Date: ${new Date(Date.now() + 3_600_000).toUTCString()}\r\n`, 3_600_000],
  ["is no date", "Date: tomorrow\r\n", undefined],
  ["is missing", "", undefined],
];
for (const [what, header, offset] of dates) {
  test(`the server's clock is told when its Date ${what}`, async (t) => {
    const proxy = await startChaosProxy(0, { reply: `HTTP/1.1 200 OK\r\n${header}Content-Length: 2\r\n\r\n{}` });
    t.after(proxy.close);
    const { clockOffset } = await ask(`http://127.0.0.1:${proxy.port}/`);
    if (offset === undefined) assert.equal(clockOffset, undefined);
    else assert.ok(clockOffset !== undefined && Math.abs(clockOffset - offset) < 10_000, String(clockOffset));
  });
}

test("a body of exactly the largest size is read, one byte more is refused", async (t) => {
  const url = async (size: number): Promise<string> => (await serve(t, { body: " ".repeat(size) })).tokenUrl;
  assert.equal((await ask(await url(LARGEST_BODY))).body.length, LARGEST_BODY);
  const error = await failureOf(ask(await url(LARGEST_BODY + 1)));
  assert.deepEqual([error.code, error.kind, error.retryable], ["body_too_large", "protocol", false]);
});

test("IPv6 loopback is reached, with and without TLS", async (t) => {
  const certificates = await makeCertificates(["::1"]);
  const answer = (socket: Socket): void => {
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      const host = /^host: (.*)$/im.exec(chunk.toString())?.[1] ?? "";
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${host.length}\r\n\r\n${host}`);
    });
  };
  const ports = await Promise.all(
    [createServer(answer), createTlsServer({ ...certificates }, answer)].map((server) => listen(t, server, "::1")),
  ).catch((error: unknown) => (error as NodeJS.ErrnoException).code);
  if (!Array.isArray(ports)) {
    t.skip(`this machine has no IPv6 loopback (${ports ?? ""})`);
    return;
  }
  const urls = [`http://[::1]:${ports[0] ?? 0}`, `https://[::1]:${ports[1] ?? 0}`];
  for (const url of urls) {
    const { body } = await ask(url, {}, { secureContext: trust(certificates.ca) });
    assert.equal(body, new URL(url).host);
  }
});

// What fails, by the phase it fails in

/** One way to fail: a server as chaos makes it, and what is told. */
interface Scene {
  readonly what: string;
  readonly answer?: ScriptedAnswer;
  readonly faults?: Faults;
  readonly is: readonly [code: AuthErrorCode, kind: AuthErrorKind, retryable: boolean];
}

const scenes: readonly Scene[] = [
  { what: "never answers", answer: { hang: true }, is: ["no_answer", "timeout", true] },
  { what: "falls silent in its headers", faults: { silentAfter: 20 }, is: ["no_answer", "timeout", true] },
  { what: "falls silent in its body", answer: { body: "{}  ", stallAfterBytes: 2 }, is: ["body_cut", "timeout", true] },
  { what: "resets at once", faults: { refuse: true }, is: ["connection_failed", "network", true] },
  { what: "resets before its answer", faults: { resetAfter: 0 }, is: ["connection_failed", "network", true] },
  { what: "ends before its answer", faults: { endAfter: 0 }, is: ["connection_failed", "network", true] },
  { what: "resets in its headers", faults: { resetAfter: 20 }, is: ["connection_failed", "network", true] },
  { what: "ends in its headers", faults: { endAfter: 20 }, is: ["connection_failed", "network", true] },
  { what: "resets in its body", faults: { resetAfter: 200 }, is: ["body_cut", "network", true] },
  { what: "ends in its body", faults: { endAfter: 200 }, is: ["body_cut", "network", true] },
  { what: "pours for ever", answer: { body: "{", endless: true }, is: ["body_too_large", "protocol", false] },
  { what: "speaks no HTTP", faults: { reply: "SSH-2.0-test\r\n" }, is: ["connection_failed", "network", true] },
];
for (const { what, answer = { body: " ".repeat(300) }, faults, is } of scenes) {
  test(`a server that ${what} fails as ${is[0]}`, async (t) => {
    const server = await serve(t, answer);
    const proxy = await startChaosProxy(server.port, faults ?? {});
    t.after(proxy.close);
    const path = new URL(server.tokenUrl).pathname;
    const error = await failureOf(
      ask(`http://127.0.0.1:${proxy.port}${path}`, {}, { timeLimit: is[1] === "timeout" ? SHORT : 5000 }),
    );
    assert.deepEqual([error.code, error.kind, error.retryable], is);
    assert.ok(error.code === "body_too_large" || error.message.includes("127.0.0.1"), error.message);
  });
}

test("a port where nobody listens fails as connection_refused", async (t) => {
  const error = await failureOf(ask(`http://127.0.0.1:${await freePort(t)}/`));
  assert.deepEqual([error.code, error.kind, error.retryable], ["connection_refused", "network", true]);
});

test("a host that has no address fails as a matter of DNS", async () => {
  const error = await failureOf(ask("https://nowhere.invalid/"));
  // A machine without a name server can't tell the one from the other.
  assert.match(error.code, /^(unknown_host|dns_unavailable)$/);
  assert.equal(error.retryable, error.code === "dns_unavailable");
});

test("a server that never shakes hands fails as connect_timeout: no secret has left", async (t) => {
  const port = await listen(t, createServer());
  const error = await failureOf(ask(`https://127.0.0.1:${port}/`, {}, { timeLimit: SHORT }));
  assert.deepEqual([error.code, error.kind, error.retryable], ["connect_timeout", "timeout", true]);
  assert.match(error.message, /within 0\.2 s/);
});

test("TLS spoken to a port without it, or the other way round, fails without a word of certificates", async (t) => {
  const plain = await serve(t, {});
  const secure = await serve(t, {}, true);
  const untold = await failureOf(ask(plain.tokenUrl.replace("http:", "https:")));
  assert.deepEqual([untold.code, untold.kind], ["tls_failed", "network"]);
  const cut = await failureOf(ask(secure.tokenUrl.replace("https:", "http:")));
  assert.deepEqual([cut.code, cut.kind], ["connection_failed", "network"]);
});

// Whom it trusts

for (const ignored of [undefined, "0"]) {
  test(`a certificate of an unknown authority gets nothing, with NODE_TLS_REJECT_UNAUTHORIZED=${ignored ?? ""}`, async (t) => {
    t.mock.method(process, "emitWarning", () => undefined);
    setVariables(t, { NODE_TLS_REJECT_UNAUTHORIZED: ignored });
    const server = await serve(t, {}, true);
    for (const context of [trust(stranger.ca), undefined]) {
      const error = await failureOf(ask(server.tokenUrl, { method: "POST", body: "x" }, { secureContext: context }));
      assert.deepEqual([error.code, error.kind, error.retryable], ["untrusted_certificate", "network", false]);
      assert.match(error.hint, /^No secret was sent/);
    }
    assert.equal(server.requests.length, 0);
    assert.equal((await ask(server.tokenUrl)).status, 200);
  });
}

test("a certificate for another name gets nothing", async (t) => {
  const certificates = await makeCertificates(["other.test"]);
  const server = await startScriptedServer({ token: {}, keys: {}, tls: certificates });
  t.after(server.close);
  const error = await failureOf(ask(server.tokenUrl, {}, { secureContext: trust(certificates.ca) }));
  assert.equal(error.code, "untrusted_certificate");
  assert.equal(server.requests.length, 0);
});

test("nobody is told that no secret was sent when TLS breaks after it was", async (t) => {
  let seen = "";
  // TLS 1.3 tells the want of a client certificate only after the client has begun to speak.
  const wantsCertificate = createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: true }, (socket) => {
    socket.on("data", (chunk: Buffer) => (seen += chunk.toString()));
  });
  const server = createTlsServer({ ...tls }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => (seen += chunk.toString()));
  });
  const port = await listen(t, server);
  // In the middle of the reply stands a record that no key fits.
  const spoiler = createServer((client) => {
    const forger = setInterval(() => {
      if (seen !== "") client.write(Buffer.concat([Buffer.from("1703030020", "hex"), Buffer.alloc(32, 1)]));
    }, 5);
    client.once("close", () => {
      clearInterval(forger);
    });
    client.pipe(connect(port, "127.0.0.1")).pipe(client);
  });
  for (const breaking of [spoiler, wantsCertificate]) {
    const url = `https://127.0.0.1:${await listen(t, breaking)}/`;
    const error = await failureOf(ask(url, { method: "POST", body: "client_secret=x" }));
    assert.doesNotMatch(`${error.message} ${error.hint}`, /no secret was sent|before anything was sent|not trusted/i);
    assert.equal(error.kind, "network");
  }
  assert.match(seen, /client_secret=x/);
});

// Through proxies

const HOST = "auth.scm.test";

/** A TLS server behind a proxy that maps a made-up host to it, and the variable that names the proxy. */
async function behindProxy(t: TestContext, options: Partial<ConnectProxyOptions> = {}, login = "") {
  const server = await serve(t, { body: "{}" }, true);
  const proxy = await startConnectProxy({ to: (host) => (host === HOST ? server.port : undefined), ...options });
  t.after(proxy.close);
  setVariables(t, { https_proxy: proxy.url.replace("://", `://${login}`), no_proxy: undefined, NO_PROXY: undefined });
  const url = server.tokenUrl.replace("127.0.0.1", HOST);
  return { server, proxy, url };
}

test("TLS is verified through a proxy, with the user's CA", async (t) => {
  const { server, proxy, url } = await behindProxy(t);
  assert.equal((await ask(url)).body, "{}");
  assert.deepEqual([proxy.connects.length, proxy.connects[0]?.host, server.requests.length], [1, HOST, 1]);
  const error = await failureOf(ask(url, {}, { secureContext: trust(stranger.ca) }));
  assert.equal(error.code, "untrusted_certificate");
  assert.deepEqual([proxy.connects.length, server.requests.length], [2, 1]);
});

test("a proxy gets user and password, decoded, and nothing of the request", async (t) => {
  const { proxy, url } = await behindProxy(t, { credentials: "us@er:p:w" }, "us%40er:p%3Aw@");
  assert.equal((await ask(url)).status, 200);
  assert.equal(proxy.connects.length, 1);
});

test("a proxy that speaks TLS itself is held to the same trust", async (t) => {
  const good = await behindProxy(t, { tls });
  assert.equal((await ask(good.url)).status, 200);
  const bad = await behindProxy(t, { tls: stranger }, "user:password@");
  const error = await failureOf(ask(bad.url));
  assert.match(error.message, /proxy/);
  assert.equal(bad.proxy.connects.length, 0);
});

const proxies: readonly (readonly [what: string, options: Partial<ConnectProxyOptions>, is: Scene["is"]])[] = [
  ["wants a password", { credentials: "user:password" }, ["proxy_auth_required", "network", false]],
  ["forbids the host", { answer: 403 }, ["proxy_refused", "rejected", false]],
  ["does not know the host", { to: () => undefined }, ["proxy_refused", "network", true]],
  ["is overloaded", { answer: 503 }, ["proxy_refused", "network", true]],
  ["does not answer", { answer: "hang" }, ["connect_timeout", "timeout", true]],
];
for (const [what, options, is] of proxies) {
  test(`a proxy that ${what} fails as ${is[0]}`, async (t) => {
    const { proxy, server, url } = await behindProxy(t, options);
    const error = await failureOf(ask(url, {}, { timeLimit: is[1] === "timeout" ? SHORT : 5000 }));
    assert.deepEqual([error.code, error.kind, error.retryable], is);
    assert.deepEqual([proxy.connects.length, server.requests.length], [1, 0]);
  });
}

test("a proxy that is not there fails as proxy_unreachable", async (t) => {
  const { proxy, url } = await behindProxy(t);
  await proxy.close();
  const error = await failureOf(ask(url));
  assert.deepEqual([error.code, error.kind, error.retryable], ["proxy_unreachable", "network", true]);
  assert.match(error.message, /ECONNREFUSED/);
});

// How it ends

const phases: Readonly<Record<string, (t: TestContext) => Promise<string>>> = {
  connecting: async (t) => `https://127.0.0.1:${await listen(t, createServer())}/`,
  waiting: async (t) => (await serve(t, { hang: true })).tokenUrl,
  reading: async (t) => (await serve(t, { body: "{}  ", stallAfterBytes: 2 })).tokenUrl,
};
for (const [phase, start] of Object.entries(phases)) {
  test(`an abort while ${phase} ends the request at once`, async (t) => {
    const abort = new AbortController();
    const work = failureOf(ask(await start(t), {}, { signal: abort.signal }));
    setTimeout(() => {
      abort.abort();
    }, 50);
    const begin = performance.now();
    const error = await work;
    assert.deepEqual([error.code, error.kind, error.retryable], ["aborted", "aborted", false]);
    assert.ok(performance.now() - begin < 3000);
    assert.equal(getEventListeners(abort.signal, "abort").length, 0);
  });
}

test("who was ended before sends nothing", async (t) => {
  const server = await serve(t, {});
  const error = await failureOf(ask(server.tokenUrl, {}, { signal: AbortSignal.abort() }));
  assert.equal(error.code, "aborted");
  assert.equal(server.requests.length, 0);
});

test("a thousand requests one after another leave no listener, timer, warning or connection", async (t) => {
  const warnings: Error[] = [];
  const hear = (warning: Error): number => warnings.push(warning);
  process.on("warning", hear);
  t.after(() => process.off("warning", hear));
  const count = (resource: string): number =>
    process.getActiveResourcesInfo().filter((name) => name === resource).length;
  const timers = count("Timeout");
  const server = await serve(t, { body: "{}" });
  const { signal } = new AbortController();
  for (let n = 0; n < 1000; n++) await ask(server.tokenUrl, {}, { signal });
  assert.equal(server.requests.length, 1000);
  assert.equal(getEventListeners(signal, "abort").length, 0);
  assert.deepEqual(warnings, []);
  // The server's own ends close a moment later.
  for (let n = 0; n < 100 && count("TCPSocketWrap") > 0; n++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(count("TCPSocketWrap"), 0);
  assert.ok(count("Timeout") <= timers + 1, "timers are left");
});

test("nothing holds the process once all requests have ended, however they ended", async (t) => {
  const urls = await Promise.all([
    serve(t, { body: "{}" }).then(({ tokenUrl }) => tokenUrl),
    ...Object.values(phases).map((start) => start(t)),
    freePort(t).then((port) => `http://127.0.0.1:${port}/`),
  ]);
  const script = fileURLToPath(new URL("send-and-end.ts", import.meta.url));
  const { stdout } = await run(process.execPath, [script, "700", ...urls], { timeout: 20_000 });
  const { outcomes, held } = JSON.parse(stdout) as { readonly outcomes: readonly string[]; readonly held: number };
  assert.deepEqual(outcomes, ["200", "connect_timeout", "no_answer", "body_cut", "connection_refused"]);
  assert.ok(held < 3000, `the process lived on for ${held} ms`);
});
