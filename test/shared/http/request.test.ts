import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { fileURLToPath } from "node:url";
import type { AuthErrorCode, AuthErrorKind } from "../../../shared/errors.ts";
import { HttpsAgent } from "../../../shared/http/connection.ts";
import { createSecureContext } from "../../../shared/http/tls.ts";
import { createCertificates } from "../../support/certificates.ts";
import { startChaosProxy, type Faults } from "../../support/chaos-proxy.ts";
import { runProcess } from "../../support/processes.ts";
import { startScriptedServer, type ScriptedResponse } from "../../support/scripted-server.ts";
import { setVariables } from "../../support/variables.ts";
import { getError, listen, send, serve } from "./attempts.ts";

const tls = createCertificates();
const secureContext = createSecureContext(tls.ca);

/** A time limit, in milliseconds, that is short enough for a test to wait for. */
const SHORT = 300;

test("sends the given method, headers, body, and User-Agent, and neither identifies the runner nor accepts compression", async (t) => {
  setVariables(t, { ACTIONS_ORCHESTRATION_ID: "abc" });
  const server = await serve(t, { body: { ok: true } });
  const headers = { accept: "application/json", "content-type": "text/plain" };
  const { status, body } = await send(server.tokenUrl, { method: "POST", headers, body: "é=1" });
  assert.deepEqual([status, body], [200, '{"ok":true}']);
  const [request] = server.requests;
  assert.deepEqual([request?.method, request?.body], ["POST", "é=1"]);
  assert.deepEqual(request?.headers, {
    ...headers,
    "content-length": "4",
    "user-agent": "test/1",
    "accept-encoding": "identity",
    host: new URL(server.origin).host,
    connection: "close",
  });
});

test("decodes a body as UTF-8 and removes the byte order mark", async (t) => {
  assert.equal((await send((await serve(t, { body: "\ufeff{}é" })).tokenUrl)).body, "{}é");
});

test("returns a response with any status after one request and does not follow redirects", async (t) => {
  for (const status of [201, 204, 301, 302, 307, 308, 401, 407, 429, 500, 503, 599]) {
    const server = await serve(t, { status, headers: { location: "/elsewhere", "retry-after": "1" } });
    assert.equal((await send(server.tokenUrl)).status, status);
    assert.equal(server.requests.length, 1);
  }
});

test("determines the server's clock from the Date header", async (t) => {
  const rows: readonly (readonly [header: string, offset: number | undefined])[] = [
    [`Date: ${new Date().toUTCString()}\r\n`, 0],
    [`Date: ${new Date(Date.now() + 3_600_000).toUTCString()}\r\n`, 3_600_000],
    ["Date: tomorrow\r\n", undefined],
    ["", undefined],
  ];
  for (const [header, offset] of rows) {
    const proxy = await startChaosProxy(0, { reply: `HTTP/1.1 200 OK\r\n${header}Content-Length: 2\r\n\r\n{}` });
    t.after(proxy.close);
    const { clockOffset } = await send(`http://127.0.0.1:${proxy.port}/`);
    if (offset === undefined) assert.equal(clockOffset, undefined);
    else assert.ok(clockOffset !== undefined && Math.abs(clockOffset - offset) < 30_000, String(clockOffset));
  }
});

test("limits a body to 1 MiB by default, or to the caller's limit", async (t) => {
  const url = async (size: number): Promise<string> => (await serve(t, { body: " ".repeat(size) })).tokenUrl;
  const MIB = 1024 * 1024;
  assert.equal((await send(await url(MIB))).body.length, MIB);
  assert.equal((await send(await url(2 * MIB), { maxBodyBytes: 2 * MIB })).body.length, 2 * MIB);
  const error = await getError(send(await url(MIB + 1)));
  assert.deepEqual([error.code, error.kind, error.retryable], ["response_too_large", "protocol", false]);
  assert.match(error.message, /exceeds 1024 KiB/);
});

test("connects to IPv6 loopback with and without TLS", async (t) => {
  const respond = (socket: Socket): void => {
    socket.on("data", (chunk: Buffer) => {
      const host = /^host: (.*)$/im.exec(chunk.toString())?.[1] ?? "";
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${host.length}\r\n\r\n${host}`);
    });
  };
  const servers = [createServer(respond), createTlsServer({ ...tls }, respond)];
  const ports = await Promise.all(servers.map((server) => listen(t, server, "::1"))).catch(() => undefined);
  if (!ports) {
    t.skip("no IPv6 loopback on this machine");
    return;
  }
  for (const url of [`http://[::1]:${ports[0] ?? 0}`, `https://[::1]:${ports[1] ?? 0}`])
    assert.equal((await send(url, { secureContext })).body, new URL(url).host);
});

// Failures after the connection is opened

type Failure = readonly [code: AuthErrorCode, kind: AuthErrorKind, retryable: boolean];

interface FailureRow {
  readonly server: string;
  readonly response?: ScriptedResponse;
  readonly faults?: Faults;
  readonly failure: Failure;
  /** Must occur in the hint. */
  readonly hint?: string;
}

const FAILURES: readonly FailureRow[] = [
  { server: "never responds", response: { hang: true }, failure: ["response_timeout", "timeout", true] },
  { server: "stalls in the headers", faults: { stallAfter: 20 }, failure: ["response_timeout", "timeout", true] },
  {
    server: "stalls in the body",
    response: { body: "{}  ", stallAfterBytes: 2 },
    failure: ["response_truncated", "timeout", true],
  },
  {
    server: "sends its headers too slowly",
    faults: { drip: { bytes: 1, everyMs: 20 } },
    failure: ["response_timeout", "timeout", true],
  },
  {
    server: "sends its body too slowly",
    response: { body: "x".repeat(9000) },
    faults: { drip: { bytes: 180, everyMs: 60 } },
    failure: ["response_truncated", "timeout", true],
  },
  {
    server: "resets the connection immediately",
    faults: { refuse: true },
    failure: ["connection_lost", "network", true],
  },
  {
    server: "resets the connection before the response",
    faults: { resetAfter: 0 },
    failure: ["connection_lost", "network", true],
  },
  {
    server: "closes the connection before the response",
    faults: { endAfter: 0 },
    failure: ["connection_lost", "network", true],
  },
  {
    server: "resets the connection in the headers",
    faults: { resetAfter: 20 },
    failure: ["connection_lost", "network", true],
  },
  {
    server: "closes the connection in the headers",
    faults: { endAfter: 20 },
    failure: ["connection_lost", "network", true],
  },
  {
    server: "resets the connection in the body",
    faults: { resetAfter: 200 },
    failure: ["response_truncated", "network", true],
  },
  {
    server: "closes the connection in the body",
    faults: { endAfter: 200 },
    failure: ["response_truncated", "network", true],
  },
  {
    server: "sends an endless body",
    response: { body: "{", endless: true },
    failure: ["response_too_large", "protocol", false],
  },
  {
    server: "does not speak HTTP",
    faults: { reply: "SSH-2.0-test\r\n" },
    failure: ["connection_lost", "network", true],
    hint: "Check the host and the port in the URL",
  },
  {
    server: "switches protocols",
    faults: { reply: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n" },
    failure: ["connection_lost", "network", true],
  },
];
for (const { server, response = { body: " ".repeat(300) }, faults = {}, failure, hint = "" } of FAILURES) {
  for (const certificates of [undefined, tls]) {
    // The fault positions count bytes of the plain response, not of TLS records.
    if (certificates && Object.keys(faults).length > 0) continue;
    test(`reports a server that ${server} as ${failure[0]} over ${certificates ? "https" : "http"}`, async (t) => {
      const { port, tokenUrl } = await serve(t, response, certificates);
      const proxy = await startChaosProxy(port, faults);
      t.after(proxy.close);
      const url = tokenUrl.replace(`:${port}`, `:${proxy.port}`);
      const timeoutMs = failure[1] === "timeout" ? SHORT : 5000;
      const error = await getError(send(url, { timeoutMs, secureContext }));
      assert.deepEqual([error.code, error.kind, error.retryable], failure);
      assert.ok(error.hint.includes(hint), error.hint);
      // A reset may arrive before the client has noticed that it is connected.
      assert.ok(error.requestSent || faults.refuse);
      assert.ok(failure[1] === "protocol" || error.message.includes(`127.0.0.1:${proxy.port}`), error.message);
    });
  }
}

/** Starts a TLS server that writes `text` after it receives the first bytes on each connection. */
const startTlsReply = (t: Parameters<typeof listen>[0], text: string, onEnd: (socket: Socket) => void) =>
  listen(
    t,
    createTlsServer({ ...tls }, (socket) => {
      socket.on("error", () => socket.destroy());
      socket.once("data", () =>
        socket.write(text, () => {
          onEnd(socket);
        }),
      );
    }),
  );

test("fails immediately if a server responds with status 101 over https", async (t) => {
  const text = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
  const port = await startTlsReply(t, text, () => undefined);
  const error = await getError(send(`https://127.0.0.1:${port}/`, { secureContext, timeoutMs: 60_000 }));
  assert.deepEqual([error.code, error.requestSent], ["connection_lost", true]);
  assert.match(error.message, /127\.0\.0\.1:\d+ responded with status 101/);
});

test("fails at the time limit if informational responses never end", async (t) => {
  const port = await startTlsReply(t, "", (socket) => {
    const timer = setInterval(() => socket.write("HTTP/1.1 102 Processing\r\n\r\n"), 5);
    socket.once("close", () => {
      clearInterval(timer);
    });
  });
  const error = await getError(send(`https://127.0.0.1:${port}/`, { secureContext, timeoutMs: SHORT }));
  assert.equal(error.code, "response_timeout");
});

test("does not claim that no secret was sent if TLS fails after the request", async (t) => {
  const received: Buffer[] = [];
  const collect = (socket: Socket): void => {
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => received.push(chunk));
  };
  // With TLS 1.3, a missing client certificate is reported after the client has sent its request.
  const wantsCertificate = createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: true }, collect);
  const port = await listen(t, createTlsServer({ ...tls }, collect));
  // Inserts a record that cannot be decrypted.
  const spoiler = createServer((client) => {
    const timer = setInterval(() => {
      if (received.length > 0) client.write(Buffer.concat([Buffer.from("1703030020", "hex"), Buffer.alloc(32, 1)]));
    }, 5);
    client.once("close", () => {
      clearInterval(timer);
    });
    client.pipe(connect(port, "127.0.0.1").on("error", () => undefined)).pipe(client);
  });
  for (const server of [spoiler, wantsCertificate]) {
    const url = `https://127.0.0.1:${await listen(t, server)}/`;
    const error = await getError(send(url, { method: "POST", body: "client_secret=x", secureContext }));
    assert.deepEqual([error.code, error.kind, error.requestSent], ["connection_lost", "network", true]);
    assert.doesNotMatch(`${error.message} ${error.hint}`, /no secret was sent|nothing was sent|not trusted/i);
  }
  assert.match(Buffer.concat(received).toString(), /client_secret=x/);
});

// Keep-alive

/** Starts a TLS server behind a proxy that counts connections. */
async function startKeepAliveServer(t: Parameters<typeof serve>[0]) {
  const server = await serve(t, { body: "{}", headers: { connection: "keep-alive" } }, tls);
  const proxy = await startChaosProxy(server.port, {});
  t.after(proxy.close);
  const agent = new HttpsAgent({ keepAlive: true });
  t.after(() => {
    agent.destroy();
  });
  return { server, proxy, agent, url: server.tokenUrl.replace(`:${server.port}`, `:${proxy.port}`) };
}

test("reuses an agent's connection for the next request without reporting connection steps", async (t) => {
  const { server, proxy, agent, url } = await startKeepAliveServer(t);
  const steps: string[] = [];
  const options = { agent, secureContext, onConnection: ({ step }: { step: string }) => void steps.push(step) };
  for (let n = 0; n < 3; n++) assert.equal((await send(url, options)).status, 200);
  assert.deepEqual([server.requests.length, proxy.connections.length, steps], [3, 1, ["tcp", "tls"]]);
});

for (const end of ["closed", "reset"] as const) {
  test(`resends a request once if the reused connection was ${end}`, async (t) => {
    const sockets: Socket[] = [];
    // Receives the second request on a connection, and closes or resets the connection without a response.
    const server = createTlsServer({ ...tls }, (socket) => {
      sockets.push(socket);
      socket.on("error", () => socket.destroy());
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
        socket.once("data", () => (end === "reset" ? socket.destroy() : socket.end()));
      });
    });
    const url = `https://127.0.0.1:${await listen(t, server)}/`;
    const agent = new HttpsAgent({ keepAlive: true });
    t.after(() => {
      agent.destroy();
    });
    for (const body of ["1", "1"]) assert.equal((await send(url, { agent, secureContext })).body, body);
    assert.equal(sockets.length, 2);
  });
}

test("does not hang if a server responds with status 101 on a reused connection", async (t) => {
  const server = createTlsServer({ ...tls }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
      socket.once("data", () =>
        socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"),
      );
    });
  });
  const url = `https://127.0.0.1:${await listen(t, server)}/`;
  const agent = new HttpsAgent({ keepAlive: true });
  t.after(() => {
    agent.destroy();
  });
  for (let n = 0; n < 2; n++) assert.equal((await send(url, { agent, secureContext, timeoutMs: 60_000 })).status, 200);
});

// Aborts and cleanup

for (const phase of ["tls", "waiting", "reading"] as const) {
  test(`aborts a request immediately (${phase}) with the caller's reason as the cause`, async (t) => {
    const abort = new AbortController();
    const response: ScriptedResponse = phase === "waiting" ? { hang: true } : { body: "{}  ", stallAfterBytes: 2 };
    const silent = `https://127.0.0.1:${await listen(t, createServer())}/`;
    const url = phase === "tls" ? silent : (await serve(t, response)).tokenUrl;
    const work = getError(send(url, { signal: abort.signal, timeoutMs: 60_000 }));
    setTimeout(() => {
      abort.abort(new RangeError("enough"));
    }, 100);
    const error = await work;
    assert.deepEqual([error.code, error.kind, error.retryable], ["aborted", "aborted", false]);
    assert.equal(error.requestSent, phase !== "tls");
    assert.equal((error.cause as Error).name, "RangeError");
  });
}

test("sends nothing if the signal is already aborted", async (t) => {
  const server = await serve(t, {});
  const error = await getError(send(server.tokenUrl, { signal: AbortSignal.abort() }));
  assert.deepEqual([error.code, error.requestSent, server.requests.length], ["aborted", false, 0]);
});

test("leaves no listeners, timers, warnings, or connections behind after many requests", async (t) => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): number => warnings.push(warning);
  process.on("warning", onWarning);
  t.after(() => process.off("warning", onWarning));
  const count = (resource: string): number =>
    process.getActiveResourcesInfo().filter((name) => name === resource).length;
  const timers = count("Timeout");
  const server = await serve(t, { body: "{}" });
  const { signal } = new AbortController();
  const added = t.mock.method(signal, "addEventListener");
  const removed = t.mock.method(signal, "removeEventListener");
  for (let n = 0; n < 200; n++) await send(server.tokenUrl, { signal });
  assert.deepEqual([server.requests.length, warnings], [200, []]);
  assert.equal(added.mock.callCount(), removed.mock.callCount());
  // The server closes its side shortly afterward.
  for (let n = 0; n < 100 && count("TCPSocketWrap") > 0; n++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(count("TCPSocketWrap"), 0);
  assert.ok(count("Timeout") <= timers + 1);
});

test("lets the process exit after its requests end, regardless of their outcome", async (t) => {
  const closed = createServer();
  const refused = await listen(t, closed);
  closed.close();
  await once(closed, "close");
  const { tokenUrl } = await startScriptedServer({ token: { body: "{}" }, jwks: {} }).then((server) => {
    t.after(server.close);
    return server;
  });
  const urls = [
    tokenUrl,
    `https://127.0.0.1:${await listen(t, createServer())}/`,
    (await serve(t, { hang: true })).tokenUrl,
    (await serve(t, { body: "{}  ", stallAfterBytes: 2 })).tokenUrl,
    `http://127.0.0.1:${refused}/`,
  ];
  const script = fileURLToPath(new URL("request-process.ts", import.meta.url));
  const { stdout, stderr } = await runProcess(process.execPath, [script, "-", "700", ...urls]);
  const [outcomes = "", idleMs = ""] = stdout.trim().split("\n");
  const expected = "200 tls_handshake_failed response_timeout response_truncated connection_refused";
  assert.equal(outcomes, expected, stderr);
  assert.ok(Number(idleMs) < 7000, idleMs);
});
