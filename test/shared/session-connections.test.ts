import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { OAuth2Client } from "../../shared/index.ts";
import {
  forbidUnhandledRejections,
  getAuthError,
  startScripted,
  tls,
  tokenResponse,
} from "../support/client-fixtures.ts";
import { waitUntil } from "../support/poll.ts";

forbidUnhandledRejections();

/** Starts an API over TLS that records the connection of each request. `act` decides how the n-th request ends. */
async function countConnections(t: TestContext, act: (n: number) => "respond" | "reset" | "hang" = () => "respond") {
  const sockets: Socket[] = [];
  const connections: number[] = [];
  const server = createServer({ cert: tls.cert, key: tls.key, keepAliveTimeout: 60_000 }, (request, response) => {
    const { socket } = request;
    if (!sockets.includes(socket)) sockets.push(socket);
    const action = act(connections.push(sockets.indexOf(socket)) - 1);
    request.resume().on("end", () => {
      if (action === "respond") response.setHeader("content-length", 8).end('{"id":1}');
      else if (action === "reset") socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { request } = await startScripted(t, { token: tokenResponse(), secure: true });
  const apiUrl = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { session } = await OAuth2Client.connect(request, { apiUrl, maxRetries: 0 });
  return { session, sockets, connections };
}

test("reuses one connection for idempotent requests, and opens a new one for each other request", async (t) => {
  const { session, connections } = await countConnections(t);
  for (const method of ["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"] as const) await session.request(method, "/x");
  assert.deepEqual(connections, [0, 0, 1, 0, 2, 0]);
});

test("opens a new connection, without failing the request, if the reused connection was closed in the meantime", async (t) => {
  const { session, connections } = await countConnections(t, (n) => (n === 1 ? "reset" : "respond"));
  await session.request("GET", "/x");
  assert.deepEqual(await session.request("GET", "/x"), { id: 1 });
  assert.deepEqual(connections, [0, 0, 1]);
});

test("closes an aborted request's connection and keeps other requests' connections open", async (t) => {
  const { session, connections, sockets } = await countConnections(t, (n) => (n === 1 ? "hang" : "respond"));
  await session.request("GET", "/x");
  const abort = new AbortController();
  const hanging = session.request("GET", "/x", { signal: abort.signal });
  await waitUntil("the second request arrives", () => connections.length === 2);
  await session.request("GET", "/x");
  abort.abort();
  assert.equal((await getAuthError(hanging)).code, "aborted");
  await waitUntil("the connection is closed", () => sockets[0]?.destroyed === true);
  await session.request("GET", "/x");
  assert.deepEqual([connections, sockets[1]?.destroyed], [[0, 0, 1, 1], false]);
});

test("closes an idle connection after a few seconds", async (t) => {
  const { session, sockets } = await countConnections(t);
  await session.request("GET", "/x");
  await delay(1000);
  assert.equal(sockets[0]?.destroyed, false);
  await waitUntil("the connection is closed", () => sockets[0]?.destroyed === true, 40_000);
});
