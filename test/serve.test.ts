import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { test, type TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";

import { folderFor } from "./support/bundled.ts";
import { canSeeProcesses, processesOf } from "./support/orphans.ts";
import { spawn } from "./support/searched-process.ts";

const script = fileURLToPath(new URL("../scripts/serve.ts", import.meta.url));
const PATIENCE = { timeout: 30_000 };
/** On Windows a signal from another process ends this one without a word. */
const NO_SIGNALS = { ...PATIENCE, skip: process.platform === "win32" };

/** `npm run serve` in a temporary folder of its own, ended after the test. */
async function serve(t: TestContext, env: NodeJS.ProcessEnv = {}) {
  const folder = await folderFor(t, tmpdir());
  const child = spawn(process.execPath, [script], {
    env: { PATH: process.env["PATH"], RUNNER_TEMP: folder, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  return { child, folder };
}

/** The path of the CA's file, as the server tells it when it listens. */
async function caFileOf({ stdout }: ChildProcess): Promise<string> {
  assert.ok(stdout);
  for await (const line of createInterface(stdout)) if (line.startsWith("ca-file=")) return line.slice(8);
  throw new Error("the server ended before it listened");
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  test(`the local server leaves nothing behind when it is ended by ${signal}`, NO_SIGNALS, async (t) => {
    const { child, folder } = await serve(t);
    const caFile = await caFileOf(child);
    assert.match(await readFile(caFile, "utf8"), /^-----BEGIN CERTIFICATE-----/);
    child.kill(signal);
    assert.deepEqual(await once(child, "exit"), [code, null]);
    assert.deepEqual(await readdir(folder), []);
  });
}

const FOR_LINUX = { ...PATIENCE, skip: !canSeeProcesses };
test("as a step it goes on for the next ones, and leaves nothing when the runner ends it", FOR_LINUX, async (t) => {
  const output = join(await folderFor(t, tmpdir()), "output");
  await writeFile(output, "");
  const trackingId = `serve-${randomUUID()}`;
  const { child, folder } = await serve(t, { GITHUB_OUTPUT: output, RUNNER_TRACKING_ID: trackingId });
  assert.deepEqual(await once(child, "exit"), [0, null]);
  const [left, ...more] = await processesOf(trackingId);
  assert.ok(left !== undefined && more.length === 0);
  t.after(() => {
    if (existsSync(`/proc/${left.pid}`)) process.kill(left.pid, "SIGKILL");
  });
  const caFile = /^ca-file=(.*)$/m.exec(await readFile(output, "utf8"))?.[1] ?? "";
  assert.ok(existsSync(caFile));
  process.kill(left.pid, "SIGTERM");
  for (let look = 0; look < 100 && existsSync(caFile); look++) await setTimeout(50);
  assert.deepEqual(await readdir(folder), []);
});
