import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { killGroup, runProcess } from "../support/processes.ts";
import { inRepository } from "../support/runner-job.ts";
import { createTempDir } from "../support/temp-dir.ts";

/** Tests `npm start` with its output in a pipe. */

const DEMO = inRepository("scripts/demo/main.ts");

test("shows a sign-in, a failure, the auth file, and the command without secrets, and leaves no files behind", async (t) => {
  const TMPDIR = await createTempDir(t);
  const env = { ...process.env, TMPDIR, TEMP: TMPDIR, TMP: TMPDIR };
  const { exitCode, stdout, stderr } = await runProcess(process.execPath, [DEMO], { env, timeoutMs: 180_000 });
  assert.equal(exitCode, 0, stdout + stderr);
  assert.equal(stderr, "");
  assert.match(stdout, /Signed in to tenant 1234567890/);
  assert.match(stdout, /Hint: /);
  assert.match(stdout, /scm-auth-/);
  assert.match(stdout, /my next token: \*\*\*/);
  assert.doesNotMatch(stdout, /[0-9a-f]{8}-[0-9a-f]{4}-4|eyJ/, "a secret or a token");
  assert.doesNotMatch(stdout, /[^\n\x20-\x7e]/, "control characters");
  assert.deepEqual(await readdir(TMPDIR), []);
});

// On Windows, a signal terminates a process before it can clean up.
test("leaves no files behind when it is interrupted", { skip: process.platform === "win32" }, async (t) => {
  const TMPDIR = await createTempDir(t);
  const child = spawn(process.execPath, [DEMO], {
    env: { ...process.env, TMPDIR, NODE_TEST_CONTEXT: undefined },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  t.after(() => {
    killGroup(child);
  });
  const timer = setTimeout(() => {
    killGroup(child);
  }, 120_000);
  child.stdout.once("data", () => child.kill("SIGINT"));
  child.stdout.resume();
  await once(child, "close");
  clearTimeout(timer);
  assert.deepEqual(await readdir(TMPDIR), []);
});
