import assert from "node:assert/strict";
import { connect, createServer, type AddressInfo } from "node:net";
import { after, test } from "node:test";
import { ask } from "./ask.ts";
import { startChaosProxy, type Faults } from "./chaos-proxy.ts";
import { startScmServer } from "./scm-server.ts";

const REPLY = "0123456789";

/** What the operating systems call a connection that was reset, when reading and when writing. */
const RESET: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED"]);

/** Answers whatever it hears first with the same ten bytes. */
const server = createServer((socket) => {
  socket.on("error", () => socket.destroy());
  socket.once("data", () => socket.end(REPLY));
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const target = (server.address() as AddressInfo).port;
after(() => server.close());

/** What a client that says "hello" hears within 200 ms, and how it ended. */
async function hear(faults: Faults): Promise<readonly [heard: string, ended: string, ms: number]> {
  const proxy = await startChaosProxy(target, faults);
  const start = performance.now();
  try {
    return await new Promise((resolve) => {
      let heard = "";
      const finish = (ended: string): void => {
        clearTimeout(timer);
        socket.destroy();
        resolve([heard, ended, performance.now() - start]);
      };
      const socket = connect(proxy.port, "127.0.0.1", () => socket.write("hello"));
      const timer = setTimeout(finish, 200, "open");
      socket.on("data", (chunk: Buffer) => (heard += chunk.toString()));
      socket.on("end", () => {
        finish("FIN");
      });
      socket.on("error", (error: NodeJS.ErrnoException) => {
        finish(RESET.has(error.code ?? "") ? "RST" : error.message);
      });
    });
  } finally {
    await proxy.close();
  }
}

const scenes: readonly (readonly [what: string, faults: Faults, heard: string, ended: string])[] = [
  ["without faults passes all", {}, REPLY, "FIN"],
  ["refuses", { refuse: true }, "", "RST"],
  ["resets before the first byte", { resetAfter: 0 }, "", "RST"],
  ["resets after some bytes", { resetAfter: 4 }, "0123", "RST"],
  ["ends before the first byte", { endAfter: 0 }, "", "FIN"],
  ["ends after some bytes", { endAfter: 4 }, "0123", "FIN"],
  ["falls silent at once", { silentAfter: 0 }, "", "open"],
  ["falls silent after some bytes", { silentAfter: 4 }, "0123", "open"],
  ["passes all when the cut lies behind the end", { resetAfter: 11 }, REPLY, "FIN"],
  ["drips", { drip: { bytes: 3, everyMs: 5 } }, REPLY, "FIN"],
  ["drips up to a cut", { drip: { bytes: 3, everyMs: 1 }, endAfter: 7 }, "0123456", "FIN"],
  ["corrupts", { corrupt: (chunk) => Buffer.from(chunk.toString().replace("5", "x")) }, "01234x6789", "FIN"],
  ["replies by itself", { reply: "HTTP/1.1 200 OK\r\n\r\n" }, "HTTP/1.1 200 OK\r\n\r\n", "FIN"],
];
for (const [what, faults, heard, ended] of scenes) {
  test(`a proxy that ${what}`, async () => {
    const [reallyHeard, reallyEnded] = await hear(faults);
    assert.deepEqual([reallyHeard, reallyEnded], [heard, ended]);
  });
}

test("latency and drip take their time", async () => {
  assert.ok((await hear({ latencyMs: 60 }))[2] >= 59);
  assert.ok((await hear({ drip: { bytes: 2, everyMs: 10 } }))[2] >= 40);
});

test("each connection has faults of its own, and TLS passes through it", async () => {
  const scm = await startScmServer();
  const proxy = await startChaosProxy(scm.port, (n) => (n === 0 ? { refuse: true } : {}));
  try {
    const url = `https://127.0.0.1:${proxy.port}/am/oauth2/connect/jwk_uri`;
    await assert.rejects(ask(url, { ca: scm.ca }));
    assert.equal((await ask(url, { ca: scm.ca })).status, 200);
    assert.equal(proxy.connections.length, 2);
    assert.ok((proxy.connections[1]?.asked ?? 0) > 0 && (proxy.connections[1]?.replied ?? 0) > 0);
  } finally {
    await proxy.close();
    await scm.close();
  }
});
