import assert from "node:assert/strict";
import http, { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";

import { systemClock } from "../../../shared/clock.ts";
import type { AuthFileEntry } from "../../../shared/handoff/auth-file-format.ts";
import { askEndpoint, endKeeper } from "../../../shared/handoff/found-endpoint.ts";
import { loopbackPort, loopbackUrl } from "../../../shared/handoff/loopback-url.ts";
import { openLoopbackStage, type LoopbackStage } from "../../support/loopback-stage.ts";

const never = new AbortController().signal;
const limits = { clock: systemClock, signal: never };

let stage: LoopbackStage;
let entry: AuthFileEntry;
before(async () => {
  stage = await openLoopbackStage();
  entry = {
    clientId: stage.clientId,
    clientSecret: stage.jobSecret,
    scope: stage.scope,
    authUrl: stage.endpoint.authUrl,
    jwt: "old",
    jwtExpiresAt: 0,
    jwtLifetime: 900_000,
  };
});
after(() => stage.close());

/** A server that is no endpoint of ours, for one test. */
async function withImpostor(listener: RequestListener, play: (authUrl: string) => Promise<void>): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await play(loopbackUrl((server.address() as AddressInfo).port));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("a living endpoint gives its token and tells whose job it is", async () => {
  assert.deepEqual(await askEndpoint(entry, limits), { token: stage.token.value, job: stage.job });
});

test("an id with any characters finds its endpoint", async () => {
  const odd = await openLoopbackStage({ clientId: "a:b +%41é" });
  try {
    const { clientId, jobSecret: clientSecret, endpoint } = odd;
    assert.ok(await askEndpoint({ ...entry, clientId, clientSecret, authUrl: endpoint.authUrl }, limits));
  } finally {
    await odd.close();
  }
});

test("with wrong credentials or another scope there is no endpoint", async () => {
  for (const wrong of [{ clientSecret: "other" }, { clientId: "other" }, { scope: "other" }])
    assert.equal(await askEndpoint({ ...entry, ...wrong }, limits), undefined);
});

test("only an address of exactly our form is asked", async () => {
  const { port } = stage;
  const others = [
    `http://127.0.0.1:${port}/am/oauth2/access_token/`, `http://127.0.0.1:${port}/am/oauth2/access_token?`,
    `http://127.0.0.1:0${port}/am/oauth2/access_token`, `http://localhost:${port}/am/oauth2/access_token`,
    `http://127.0.0.2:${port}/am/oauth2/access_token`, `http://127.1:${port}/am/oauth2/access_token`,
    `http://0.0.0.0:${port}/am/oauth2/access_token`, `HTTP://127.0.0.1:${port}/am/oauth2/access_token`,
    `https://127.0.0.1:${port}/am/oauth2/access_token`, `http://127.0.0.1:${port}/end`,
    `http://u@127.0.0.1:${port}/am/oauth2/access_token`, ` http://127.0.0.1:${port}/am/oauth2/access_token`,
    `http://127.0.0.1:${port}/am/oauth2/access_token\n`, `http://127.0.0.1/am/oauth2/access_token`,
    "http://127.0.0.1:0/am/oauth2/access_token", "http://127.0.0.1:65536/am/oauth2/access_token", "",
  ]; // prettier-ignore
  for (const authUrl of others) {
    assert.equal(loopbackPort(authUrl), undefined, authUrl);
    assert.equal(await askEndpoint({ ...entry, authUrl }, limits), undefined);
    assert.equal(await endKeeper({ authUrl, clientSecret: stage.jobSecret }, limits), undefined);
  }
  assert.equal(loopbackPort("http://127.0.0.1:65535/am/oauth2/access_token"), 65_535);
  assert.equal(loopbackPort(loopbackUrl(port)), port);
});

test("no proxy that the whole process was given is used", async (t) => {
  const own = http.globalAgent;
  t.after(() => {
    http.globalAgent = own;
  });
  let proxied = 0;
  await withImpostor(
    (_, response) => {
      proxied++;
      response.end();
    },
    async (proxyUrl) => {
      // As NODE_USE_ENV_PROXY=1 does it when node starts.
      http.globalAgent = new http.Agent({ proxyEnv: { HTTP_PROXY: new URL(proxyUrl).origin } });
      await new Promise((resolve) => http.get(entry.authUrl, resolve));
      assert.equal(proxied, 1, "others go through it");
      assert.ok(await askEndpoint(entry, limits));
    },
  );
  assert.equal(proxied, 1);
});

test("what answers otherwise is no endpoint of ours", async () => {
  const right = { access_token: "a.b.c", token_type: "Bearer", expires_in: 1, job: "j" };
  const answers: readonly RequestListener[] = [
    (_, response) => response.writeHead(401).end(JSON.stringify(right)),
    (_, response) => response.writeHead(204).end(),
    (_, response) => response.writeHead(302, { location: stage.endpoint.authUrl }).end(),
    (_, response) => response.end("no JSON"),
    (_, response) => response.end("[]"),
    (_, response) => response.end("null"),
    (_, response) => response.end(JSON.stringify({ ...right, job: undefined })),
    (_, response) => response.end(JSON.stringify({ ...right, job: 5 })),
    (_, response) => response.end(JSON.stringify({ ...right, job: "x".repeat(1000) })),
    (_, response) => response.end(JSON.stringify({ ...right, access_token: "a b" })),
    (_, response) => response.end(JSON.stringify({ ...right, access_token: "a\nb" })),
    (_, response) => response.end(JSON.stringify({ ...right, token_type: "mac" })),
    (_, response) => response.end(JSON.stringify({ ...right, more: "x".repeat(70_000) })),
    (_, response) => response.writeHead(200, { "content-length": 500 }).end("{"),
    (request) => request.socket.destroy(),
    (request) => request.socket.end("garbage\r\n\r\n"),
  ];
  for (const [n, listener] of answers.entries()) {
    await withImpostor(listener, async (authUrl) => {
      assert.equal(await askEndpoint({ ...entry, authUrl }, limits), undefined, `${n}`);
      assert.equal(await endKeeper({ authUrl, clientSecret: "x" }, limits), undefined, `${n}`);
    });
  }
  await withImpostor(
    (_, response) => response.end(JSON.stringify(right)),
    async (authUrl) => {
      assert.deepEqual(await askEndpoint({ ...entry, authUrl }, limits), { token: "a.b.c", job: "j" });
    },
  );
});

test("a dead port, silence and an endless answer cost three seconds at most, less when told so", async () => {
  const asked = async (authUrl: string, timeLimit?: number): Promise<number> => {
    const began = performance.now();
    const more = timeLimit === undefined ? {} : { timeLimit };
    assert.equal(await askEndpoint({ ...entry, authUrl }, { ...limits, ...more }), undefined);
    return performance.now() - began;
  };
  const closed = await openLoopbackStage();
  await closed.close();
  assert.ok((await asked(closed.endpoint.authUrl)) < 1000);
  await withImpostor(
    () => undefined,
    async (authUrl) => {
      const [whole, short] = await Promise.all([asked(authUrl), asked(authUrl, 200)]);
      assert.ok(whole > 2900 && whole < 4500, `${whole}`);
      assert.ok(short > 190 && short < 1500, `${short}`);
    },
  );
  await withImpostor(
    (_, response) => {
      response.write("{");
      const drip = setInterval(() => response.write(" "), 20);
      response.once("close", () => {
        clearInterval(drip);
      });
    },
    async (authUrl) => {
      assert.ok((await asked(authUrl, 300)) < 1500);
    },
  );
});

test("who is told to stop asks no longer", async () => {
  await withImpostor(
    () => undefined,
    async (authUrl) => {
      const abort = new AbortController();
      const asked = askEndpoint({ ...entry, authUrl }, { clock: systemClock, signal: abort.signal });
      abort.abort();
      assert.equal(await asked, undefined);
    },
  );
  assert.equal(await askEndpoint(entry, { clock: systemClock, signal: AbortSignal.abort() }), undefined);
});

test("a keeper is ended with the job's secret, once, and tells what it did", async () => {
  const opened = await openLoopbackStage();
  assert.equal(await endKeeper({ ...opened.endpoint, clientSecret: "wrong" }, limits), undefined);
  assert.deepEqual(await endKeeper(opened.endpoint, limits), { renewals: 3, outages: 1, refused: false });
  await opened.closed;
  assert.equal(await endKeeper(opened.endpoint, limits), undefined);
  assert.equal(opened.ends(), 1);
});
