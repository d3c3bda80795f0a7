import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer, get } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { KeptConnections } from "../../../shared/client/kept-connections.ts";
import type { HttpMethod } from "../../../shared/http/send.ts";
import { OAuth2Client, type ClientOptions } from "../../../shared/index.ts";
import { minted, scripted, tls, watchRejections } from "../../support/client-stage.ts";

watchRejections();

/** A call as the API's server saw it. */
interface Call {
  readonly method: HttpMethod;
  /** Number of its connection. */
  readonly connection: number;
}

/** What becomes of the n-th call in all: it is answered, or its connection ends. */
type Fate = "answer" | "answer and close" | "reset" | "hang";

/** A signed-in client, and an API whose connections are counted. */
async function stage(t: TestContext, fate: (n: number) => Fate = () => "answer", options: ClientOptions = {}) {
  const calls: Call[] = [];
  const sockets: Socket[] = [];
  const server = createServer({ cert: tls.cert, key: tls.key, keepAliveTimeout: 60_000 }, (request, response) => {
    const { socket } = request;
    if (!sockets.includes(socket)) sockets.push(socket);
    calls.push({ method: request.method as HttpMethod, connection: sockets.indexOf(socket) });
    request.resume().on("end", () => {
      const what = fate(calls.length - 1);
      if (what === "reset") socket.destroy();
      else if (what !== "hang")
        response.setHeader("content-length", 8).end('{"id":1}', () => what === "answer and close" && socket.end());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { request } = await scripted(t, minted());
  const apiUrl = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = await OAuth2Client.connect(request, { apiUrl, retryBackoff: 0, ...options });
  const call = (method: HttpMethod, signal?: AbortSignal) =>
    client.session.request(method, "/x", { ...(method === "PUT" && { body: { a: 1 } }), signal });
  return { client, call, calls, sockets };
}

const connections = (calls: readonly Call[]) => calls.map(({ connection }) => connection);

test("calls that follow one another share a connection, whatever their method, as long as they may be sent twice", async (t) => {
  const { call, calls } = await stage(t);
  for (const method of ["GET", "PUT", "DELETE", "HEAD", "GET"] as const) await call(method);
  assert.deepEqual(connections(calls), [0, 0, 0, 0, 0]);
});

test("POST and PATCH have connections of their own: on a kept one nobody could tell whether they were carried out", async (t) => {
  const { call, calls } = await stage(t);
  for (const method of ["GET", "POST", "PATCH", "GET"] as const) await call(method);
  assert.deepEqual(connections(calls), [0, 1, 2, 0]);
});

test("calls at once have a connection each, and the next ones take those", async (t) => {
  const { call, sockets } = await stage(t);
  for (let round = 0; round < 3; round++) await Promise.all([call("GET"), call("GET"), call("GET")]);
  assert.equal(sockets.length, 3);
});

test("each client has its own connections", async (t) => {
  const one = await stage(t);
  const { authRequest } = one.client;
  await one.call("GET");
  const url = `https://127.0.0.1:${String(one.sockets[0]?.localPort)}`;
  const other = await OAuth2Client.connect(authRequest, { apiUrl: url });
  await other.session.request("GET", "/x");
  assert.deepEqual(connections(one.calls), [0, 1]);
});

test("a kept connection that breaks before any answer is no failure: the call goes over a new one at once", async (t) => {
  const waits: string[] = [];
  const options: ClientOptions = {
    maxRetries: 0,
    onEvent: ({ type }) => {
      waits.push(type);
    },
  };
  const { call, calls } = await stage(t, (n) => (n === 1 ? "reset" : "answer"), options);
  await call("GET");
  assert.deepEqual(await call("GET"), { id: 1 });
  assert.deepEqual(connections(calls), [0, 0, 1]);
  assert.ok(!waits.includes("wait"));
});

test("a new connection that breaks is a failure as ever, and so is the new one after a kept one", async (t) => {
  const first = await stage(t, () => "reset", { maxRetries: 0 });
  await assert.rejects(first.call("GET"), { kind: "network", code: "connection_failed", attempts: 1 });
  assert.equal(first.calls.length, 1);
  const second = await stage(t, (n) => (n === 0 ? "answer" : "reset"), { maxRetries: 0 });
  await second.call("GET");
  await assert.rejects(second.call("GET"), { kind: "network", code: "connection_failed", attempts: 1 });
  assert.deepEqual(connections(second.calls), [0, 0, 1]);
});

test("a connection that the server closes after its answer is not used again", async (t) => {
  const { call, calls } = await stage(t, () => "answer and close");
  await call("GET");
  await delay(50);
  await call("GET");
  assert.deepEqual(connections(calls), [0, 1]);
});

test("a call that is aborted, or late, takes its connection with it, and those of others stay", async (t) => {
  const { call, calls, sockets } = await stage(t, (n) => (n === 1 || n === 3 ? "hang" : "answer"), {
    timeout: 0.3,
    maxRetries: 0,
  });
  await call("GET");
  const abort = new AbortController();
  const hanging = call("GET", abort.signal);
  while (calls.length < 2) await delay(5);
  await call("GET");
  abort.abort();
  await assert.rejects(hanging, { kind: "aborted" });
  await assert.rejects(call("GET"), { kind: "timeout", code: "no_answer" });
  await call("GET");
  assert.deepEqual(connections(calls), [0, 0, 1, 1, 2]);
  await delay(20);
  assert.deepEqual(
    sockets.map(({ destroyed }) => destroyed),
    [true, true, false],
  );
});

test("aborting the signal of a call that is over does not break the connection for the next", async (t) => {
  const { call, calls } = await stage(t);
  const abort = new AbortController();
  await call("GET", abort.signal);
  const next = call("GET");
  abort.abort();
  await next;
  assert.deepEqual(connections(calls), [0, 0]);
});

test("an idle connection ends by itself, one in use does not", async (t) => {
  const { client, call, sockets } = await stage(t);
  await call("GET");
  const agent = new KeptConnections(60);
  const { port = 0 } = sockets[0]?.address() as Partial<AddressInfo>;
  const ask = async () => {
    const asked = get({ host: "127.0.0.1", port, path: "/x", agent, ca: client.authRequest.ca, timeout: 5000 });
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    await once(answer.resume(), "end");
  };
  for (let n = 0; n < 4; n++) {
    await ask();
    await delay(20);
  }
  assert.equal(sockets.length, 2, "a pause shorter than that ends nothing");
  const [, kept] = sockets;
  assert.ok(kept);
  const started = performance.now();
  await once(kept, "close");
  assert.ok(performance.now() - started < 2000);
});
