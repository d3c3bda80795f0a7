import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createPlainServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { test, type TestContext } from "node:test";
import { createSecureContext } from "node:tls";

import { EarlyAgent } from "../../action/early-agent.ts";
import { serversAsked } from "../../action/early-sockets.ts";
import { systemClock } from "../../shared/clock.ts";
import { send } from "../../shared/http/send.ts";
import { CLIENT_ID, scm, SECRET, tls } from "../support/client-stage.ts";
import { runAction } from "../support/runner.ts";

const TOKENS = "https://auth.example/am/oauth2/access_token";
const KEYS = "https://keys.example:8443/jwks";

/** Which servers a step asks first, by the variables that differ from a plain sign-in. */
const steps: Readonly<Record<string, readonly [Readonly<Record<string, string>>, readonly string[]]>> = {
  "a plain sign-in": [{}, [TOKENS, TOKENS]],
  "keys elsewhere": [{ "INPUT_JWKS-URL": ` ${KEYS}\n` }, [TOKENS, KEYS]],
  "no keys": [{ INPUT_VERIFY: "False" }, [TOKENS]],
  "an auth file, which may hold a token": [{ "INPUT_AUTH-FILE": "true" }, [TOKENS]],
  "a sealed token": [{ "INPUT_SEALED-TOKEN": "abc", "INPUT_JWKS-URL": KEYS }, [KEYS]],
  "the check, which measures connections": [{ INPUT_CHECK: "true" }, []],
  "a proxy": [{ https_proxy: "http://proxy.example" }, []],
  "a proxy, in upper case": [{ HTTP_PROXY: "http://proxy.example" }, []],
  "an empty proxy variable": [{ https_proxy: "" }, [TOKENS, TOKENS]],
  "NODE_DEBUG, which makes node talk": [{ NODE_DEBUG: "net" }, []],
  "plain http": [{ "INPUT_TOKEN-URL": "http://127.0.0.1:8080/token" }, []],
  "no URL": [{ "INPUT_TOKEN-URL": "auth.example" }, []],
  "no input at all": [{ "INPUT_TOKEN-URL": "" }, []],
};
for (const [step, [change, expected]] of Object.entries(steps)) {
  test(`connections that are opened early: ${step}`, () => {
    const defaults = {
      "INPUT_TOKEN-URL": TOKENS,
      INPUT_VERIFY: "true",
      "INPUT_AUTH-FILE": "false",
      "INPUT_SEALED-TOKEN": "false",
      INPUT_CHECK: "false",
    };
    assert.deepEqual(
      serversAsked({ ...defaults, ...change }).map(({ href }) => href),
      expected,
    );
  });
}

/** The port of a server that now listens on loopback, closed after the test. */
async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function get(port: number, agent: EarlyAgent, scheme = "https"): Promise<number> {
  const request = { method: "GET", url: new URL(`${scheme}://127.0.0.1:${port}/`), headers: {} } as const;
  const { signal } = new AbortController();
  const secureContext = createSecureContext({ ca: tls.ca });
  const limits = { timeLimit: 5000, signal, secureContext, userAgent: "test", clock: systemClock, agent };
  return (await send(request, limits)).status;
}

test("a request goes over the connection that was opened early, the next one over a new one", async (t) => {
  const ports: (number | undefined)[] = [];
  const server = createTlsServer({ cert: tls.cert, key: tls.key }, (request, response) => {
    ports.push(request.socket.remotePort);
    response.end();
  });
  const port = await listen(t, server);
  const socket = connect(port, "127.0.0.1").unref();
  await once(socket, "connect");
  const early = socket.localPort;
  const agent = new EarlyAgent([
    { host: "127.0.0.2", port, socket: connect(port, "127.0.0.1").unref() },
    { host: "127.0.0.1", port, socket },
  ]);
  assert.deepEqual([await get(port, agent), await get(port, agent)], [200, 200]);
  assert.equal(ports[0], early);
  assert.notEqual(ports[1], early);
});

test("an early connection that has failed meanwhile is not used", async (t) => {
  const server = createTlsServer({ cert: tls.cert, key: tls.key }, (_request, response) => void response.end());
  const port = await listen(t, server);
  const socket = connect(port, "127.0.0.1");
  socket.destroy();
  assert.equal(await get(port, new EarlyAgent([{ host: "127.0.0.1", port, socket }])), 200);
});

test("plain http on loopback goes without early connections", async (t) => {
  const port = await listen(
    t,
    createPlainServer((_request, response) => void response.end()),
  );
  assert.equal(await get(port, new EarlyAgent([]), "http"), 200);
});

/** A server to which connections are counted, and the bytes that come over them; handed on to `target`, if any. */
async function count(t: TestContext, target?: number) {
  const counted = { connections: 0, bytes: 0, port: 0 };
  const server = createServer((socket) => {
    counted.connections++;
    socket.on("data", (chunk) => (counted.bytes += chunk.length)).on("error", () => undefined);
    if (target !== undefined) socket.pipe(connect(target, "127.0.0.1").on("error", () => undefined)).pipe(socket);
  });
  counted.port = await listen(t, server);
  return counted;
}

test("the action opens its connections before it has read its inputs, and sends nothing when they are wrong", async (t) => {
  const counted = await count(t);
  const inputs = {
    "client-id": "nobody",
    "client-secret": SECRET,
    "token-url": `https://127.0.0.1:${counted.port}/am/oauth2/access_token`,
  };
  const run = await runAction({ inputs });
  assert.equal(run.exitCode, 1);
  assert.deepEqual([counted.connections, counted.bytes], [2, 0]);
});

test("the action makes no connection beside those that it opened early", async (t) => {
  const { server } = await scm(t);
  const counted = await count(t, Number(new URL(server.tokenUrl).port));
  const here = (url: string): string => Object.assign(new URL(url), { port: String(counted.port) }).href;
  const inputs = {
    "client-id": server.clientId,
    "client-secret": server.clientSecret,
    "tsg-id": server.tsgId,
    "token-url": here(server.tokenUrl),
    "jwks-url": here(server.jwksUrl),
    "ca-cert": server.ca,
  };
  const run = await runAction({ inputs });
  assert.equal(run.exitCode, 0, run.log);
  assert.equal(counted.connections, 2);
});

test("a server that nobody reaches ends the action in time, and is told as ever", async (t) => {
  const server = createServer();
  const port = await listen(t, server);
  server.close();
  const inputs = {
    "client-id": CLIENT_ID,
    "client-secret": SECRET,
    "token-url": `https://127.0.0.1:${port}/am/oauth2/access_token`,
    "max-retries": "0",
  };
  const run = await runAction({ inputs });
  assert.equal(run.exitCode, 1);
  assert.match(run.log, /refused the connection \(ECONNREFUSED\)/);
});
