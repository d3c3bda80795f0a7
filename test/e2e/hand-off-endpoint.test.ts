import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";

import { assertNoCanary } from "../support/canaries.ts";
import { HandOffStage, pause, readWritten, signInAsProvider } from "../support/hand-off-stage.ts";

/** The address of the real background process, among hostile neighbours. */

let stage: HandOffStage;

describe("The keeper's address", () => {
  before(async () => {
    stage = await HandOffStage.open();
  });
  after(() => stage.close());
  afterEach(() => stage.nextJob());

  test("answers its job while slow, many and broken requests come in", async () => {
    const run = await stage.signIn();
    const file = await readWritten(run.outputs["auth-file"] ?? "");
    const port = Number(new URL(file.auth_url).port);
    const sockets = Array.from({ length: 600 }, () => connect(port, "127.0.0.1").on("error", () => undefined));
    for (const [index, socket] of sockets.entries()) {
      const half = `POST /am/oauth2/access_token HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: 100\r\n`;
      if (index % 3 === 0) socket.write(half.slice(0, index % half.length));
      if (index % 3 === 1) socket.write(`${half}X: ${"x".repeat(20_000)}\r\n\r\n`);
    }
    await pause(300);
    for (let times = 0; times < 5; times++) assert.equal((await signInAsProvider(file)).status, 200);
    // Slow ones are cut, though they send a byte now and then.
    const slow = connect(port, "127.0.0.1").on("error", () => undefined);
    slow.write("POST /am/oauth2/access_token HTTP/1.1\r\nHost: ");
    const drip = setInterval(() => slow.write("1"), 200);
    slow.resume();
    const start = performance.now();
    await once(slow, "close", { signal: AbortSignal.timeout(9000) });
    clearInterval(drip);
    assert.ok(performance.now() - start < 8000);
    for (const socket of sockets) socket.destroy();
    await stage.post(run);
  });

  test("gives nothing to web pages, and shuts its port in the midst of requests", async () => {
    const run = await stage.signIn();
    const file = await readWritten(run.outputs["auth-file"] ?? "");
    const port = Number(new URL(file.auth_url).port);
    const basic = Buffer.from(`${file.client_id}:${file.client_secret}`).toString("base64");
    const body = "grant_type=client_credentials";
    const say = (headers: string, path = "/am/oauth2/access_token"): Promise<string> =>
      new Promise((resolve) => {
        let answer = "";
        const socket = connect(port, "127.0.0.1", () =>
          socket.end(
            `POST ${path} HTTP/1.1\r\nAuthorization: Basic ${basic}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`,
          ),
        );
        socket.on("data", (data) => (answer += data.toString()));
        socket.on("error", () => undefined);
        socket.on("close", () => {
          resolve(answer);
        });
      });
    const right = `Host: 127.0.0.1:${port}\r\n`;
    assert.match(await say(right), /^HTTP\/1\.1 200/);
    for (const [headers, status] of [
      ["Host: rebound.example\r\n", 421],
      [`Host: localhost:${port}\r\n`, 421],
      [`${right}Origin: https://page.example\r\n`, 403],
      [`${right}Origin: null\r\n`, 403],
      [`${right}Via: 1.1 proxy\r\n`, 403],
      [`${right}Host: 127.0.0.1:${port}\r\n`, 400],
      [`${right}Transfer-Encoding: chunked\r\n`, 400],
    ] as const) {
      const answer = await say(headers);
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status}`), headers);
      assertNoCanary([file.client_secret, run.token ?? ""], { [headers]: answer });
    }
    const halves = Array.from({ length: 20 }, () => connect(port, "127.0.0.1").on("error", () => undefined));
    for (const half of halves) half.write(`POST /am/oauth2/access_token HTTP/1.1\r\n${right}`);
    const [end] = await Promise.all([stage.post(run), ...Array.from({ length: 20 }, () => say(right))]);
    assert.match(end.log, /^The auth file is removed\. Its keeper/);
    await stage.untilNoKeeper(1000);
    await assert.rejects(signInAsProvider(file));
    for (const half of halves) half.destroy();
  });
});
