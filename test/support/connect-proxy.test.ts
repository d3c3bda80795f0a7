import assert from "node:assert/strict";
import { request } from "node:http";
import { request as requestTls } from "node:https";
import { connect } from "node:tls";
import { after, test } from "node:test";
import type { Duplex } from "node:stream";
import { makeCertificates } from "./certificate.ts";
import { startConnectProxy, type ConnectProxy, type ConnectProxyOptions } from "./connect-proxy.ts";
import { startScmServer } from "./scm-server.ts";

const tls = await makeCertificates();
const server = await startScmServer({ tls });
after(() => server.close());

/** Starts a proxy for the length of one test. */
async function withProxy(
  options: Partial<ConnectProxyOptions>,
  use: (proxy: ConnectProxy) => Promise<void>,
): Promise<void> {
  const proxy = await startConnectProxy({ to: server.port, ...options });
  try {
    await use(proxy);
  } finally {
    await proxy.close();
  }
}

/** Asks for a tunnel to a made-up host: the proxy's status and, with a 200, the tunnel. */
function openTunnel(proxy: ConnectProxy, authorization?: string): Promise<readonly [status: number, tunnel: Duplex]> {
  return new Promise((resolve, reject) => {
    const asked = (proxy.url.startsWith("https") ? requestTls : request)(proxy.url, {
      method: "CONNECT",
      path: "auth.scm.test:443",
      ca: tls.ca,
      signal: AbortSignal.timeout(300),
      headers: authorization === undefined ? {} : { "proxy-authorization": authorization },
    });
    asked.on("connect", ({ statusCode = 0 }, tunnel) => {
      resolve([statusCode, tunnel]);
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** Shakes hands through a tunnel and gives the name that the server's certificate was checked for. */
const shakeHands = (tunnel: Duplex): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const socket = connect({ socket: tunnel, servername: "auth.scm.test", ca: tls.ca }, () => {
      resolve(socket.authorized);
      socket.destroy();
    });
    socket.on("error", reject);
  });

for (const own of [undefined, tls]) {
  test(`a proxy reached by ${own ? "TLS" : "plain TCP"} joins a made-up host to a port on loopback`, () =>
    withProxy(own ? { tls: own } : {}, async (proxy) => {
      const [status, tunnel] = await openTunnel(proxy);
      assert.equal(status, 200);
      assert.equal(await shakeHands(tunnel), true);
      assert.deepEqual(proxy.connects, [{ host: "auth.scm.test", port: 443, authorization: undefined }]);
    }));
}

test("a proxy with credentials answers 407 until it gets them, and records what it got", () =>
  withProxy({ credentials: "user:pa ss" }, async (proxy) => {
    const right = `Basic ${Buffer.from("user:pa ss").toString("base64")}`;
    assert.equal((await openTunnel(proxy))[0], 407);
    assert.equal((await openTunnel(proxy, "Basic eDp5"))[0], 407);
    const [status, tunnel] = await openTunnel(proxy, right);
    tunnel.destroy();
    assert.equal(status, 200);
    assert.deepEqual(
      proxy.connects.map(({ authorization }) => authorization),
      [undefined, "Basic eDp5", right],
    );
  }));

test("a proxy can refuse, not know the host, or never answer", async () => {
  await withProxy({ answer: 403 }, async (proxy) => {
    assert.equal((await openTunnel(proxy))[0], 403);
  });
  await withProxy({ to: () => undefined }, async (proxy) => {
    assert.equal((await openTunnel(proxy))[0], 502);
  });
  await withProxy({ answer: "hang" }, async (proxy) => {
    await assert.rejects(openTunnel(proxy), { name: "AbortError" });
    assert.equal(proxy.connects.length, 1);
  });
});

test("whoever asks for no tunnel is turned away and recorded", () =>
  withProxy({}, async (proxy) => {
    const status = await new Promise((resolve, reject) => {
      request(proxy.url, { path: "http://auth.scm.test/", agent: false }, (response) => {
        resolve(response.resume().statusCode);
      })
        .on("error", reject)
        .end();
    });
    assert.equal(status, 405);
    assert.deepEqual(proxy.others, ["GET http://auth.scm.test/"]);
  }));
