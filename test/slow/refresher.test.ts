import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { AuthFileHarness, readAuthFileJson, requestTokenAsProvider } from "../support/auth-file-harness.ts";
import type { TokenEndpointFailure } from "../support/scm-server.ts";
import { readClaims } from "../support/tokens.ts";

/** Keeps an auth file up to date for a minute with tokens that are valid for seconds and a server that often fails. */

const DURATION_MS = Number(process.env["SCM_AUTH_ENDURANCE_SECONDS"] ?? 60) * 1000;
const TTL_SECONDS = 8;

const HTML = { "content-type": "text/html" };
/** Each failure ends before the current token expires, so the file must never contain an expired token. */
const FAILURES: readonly (TokenEndpointFailure | "rotation" | "delay")[] = [
  { status: 403, headers: HTML, body: {} },
  { status: 500, body: { error: "server_error" } },
  "rotation",
  { status: 429, headers: { "retry-after": "1" }, body: {} },
  { status: 200, headers: HTML, body: {} },
  "delay",
  { status: 503, body: {} },
];

test("always provides a valid token in the file and from the token server while the auth server fails", async (t) => {
  const harness = await AuthFileHarness.start({ ttl: TTL_SECONDS });
  try {
    const { server } = harness;
    const run = await harness.signIn();
    const path = run.outputs["auth-file"] ?? "";
    let phase = 0;
    // Alternates two seconds without a failure and two seconds with one, however long the requests below take.
    const schedule = setInterval(() => {
      server.failTokenRequests(undefined);
      server.delayTokenResponses(0);
      phase++;
      const failure = phase % 2 === 0 ? undefined : FAILURES[((phase - 1) / 2) % FAILURES.length];
      if (failure === "rotation") void server.rotateKeys();
      else if (failure === "delay") server.delayTokenResponses(800);
      else server.failTokenRequests(failure);
    }, 2000);
    t.after(() => {
      clearInterval(schedule);
    });
    const start = performance.now();
    const tokens = new Set<string>();
    for (let round = 0; performance.now() - start < DURATION_MS; round++) {
      const { jwt, ...file } = await readAuthFileJson(path);
      tokens.add(jwt);
      assert.ok(readClaims(jwt).exp > Date.now() / 1000, `an expired token in the file in round ${round}`);
      if (round % 10 === 0) {
        const { status } = await requestTokenAsProvider({ jwt, ...file });
        assert.equal(status, 200, `an error from the token server in round ${round}`);
      }
      await delay(100);
    }
    assert.ok(tokens.size > DURATION_MS / 1000 / TTL_SECONDS);
    const { pid } = await harness.findRefresher();
    const memory = Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
    console.log(`${tokens.size} tokens, ${memory.toFixed(0)} MiB`);
    assert.ok(memory < 200, `${memory} MiB`);
    assert.match((await harness.post(run)).log, /Removed the auth file \(refreshed \d+ times/);
  } finally {
    await harness.close();
  }
});
