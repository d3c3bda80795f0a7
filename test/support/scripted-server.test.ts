import assert from "node:assert/strict";
import { get } from "node:http";
import { test } from "node:test";
import { ask, form } from "./ask.ts";
import { makeCertificates } from "./certificate.ts";
import { startScriptedServer, type ScriptedAnswer, type ScriptedServerOptions } from "./scripted-server.ts";

/** Starts a server for the length of one test. */
async function withServer(
  options: Partial<ScriptedServerOptions>,
  use: (server: Awaited<ReturnType<typeof startScriptedServer>>) => Promise<void>,
): Promise<void> {
  const server = await startScriptedServer({ token: {}, keys: {}, ...options });
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

test("each request gets the next answer of its route, and the last answer repeats", () =>
  withServer({ token: [{ status: 503 }, { body: { a: 1 } }], keys: { status: 404 } }, async (server) => {
    const statuses: number[] = [];
    for (let n = 0; n < 3; n++) statuses.push((await ask(server.tokenUrl, { method: "POST" })).status);
    statuses.push((await ask(server.jwksUrl)).status);
    assert.deepEqual(statuses, [503, 200, 200, 404]);
    assert.deepEqual(
      server.requests.map(({ route, n }) => [route, n]),
      [
        ["token", 0],
        ["token", 1],
        ["token", 2],
        ["keys", 0],
      ],
    );
  }));

test("a handler sees the request and may answer by it", () =>
  withServer({ token: ({ body, n }) => ({ body: `${n} ${body}` }) }, async (server) => {
    assert.equal((await ask(server.tokenUrl, form({ a: "b c" }))).body, "0 a=b+c");
    assert.equal(server.requestsTo("token")[0]?.headers["content-type"], "application/x-www-form-urlencoded");
  }));

test("an object is sent as JSON with its length, and headers can be replaced", () =>
  withServer({ token: { body: { a: 1 }, headers: { "content-type": "text/plain", "x-a": "b" } } }, async (server) => {
    const { headers } = await ask(server.tokenUrl);
    assert.deepEqual([headers["content-type"], headers["content-length"], headers["x-a"]], ["text/plain", "7", "b"]);
  }));

test("it speaks TLS when it has certificates", async () => {
  const tls = await makeCertificates();
  await withServer({ tls, keys: { body: "keys" } }, async (server) => {
    assert.equal((await ask(server.jwksUrl, { ca: tls.ca })).body, "keys");
  });
});

test("a delayed answer comes no sooner", () =>
  withServer({ token: { delayMs: 80 } }, async (server) => {
    const start = performance.now();
    await ask(server.tokenUrl);
    assert.ok(performance.now() - start >= 79);
  }));

/** What a client has in hand after 150 ms: bytes of the body, and how it ended, if it did. */
function listen(url: string): Promise<readonly [bytes: number, ended: string]> {
  return new Promise((resolve) => {
    let bytes = 0;
    const request = get(url, { agent: false }, (response) => {
      response.on("data", (chunk: Buffer) => (bytes += chunk.length));
      response.on("error", (error) => {
        finish(error.message);
      });
      response.on("end", () => {
        finish("end");
      });
    });
    const timer = setTimeout(() => {
      finish("open");
    }, 150);
    const finish = (ended: string): void => {
      clearTimeout(timer);
      resolve([bytes, ended]);
      request.destroy();
    };
    request.on("error", (error) => {
      finish(error.message);
    });
  });
}

const faults: readonly (readonly [what: string, answer: ScriptedAnswer, bytes: number, ended: string])[] = [
  ["breaks off after some bytes", { body: "0123456789", destroyAfterBytes: 4 }, 4, "aborted"],
  ["falls silent after some bytes", { body: "0123456789", stallAfterBytes: 4 }, 4, "open"],
  ["falls silent before the first byte", { body: "0123456789", stallAfterBytes: 0 }, 0, "open"],
  ["never answers", { hang: true }, 0, "open"],
];
for (const [what, token, bytes, ended] of faults) {
  test(`an answer that ${what} does so`, () =>
    withServer({ token }, async (server) => {
      assert.deepEqual(await listen(server.tokenUrl), [bytes, ended]);
    }));
}

test("an endless answer goes on for as long as someone listens", () =>
  withServer({ token: { body: "{", endless: true } }, async (server) => {
    const [bytes, ended] = await listen(server.tokenUrl);
    assert.ok(bytes > 1_000_000);
    assert.equal(ended, "open");
  }));
