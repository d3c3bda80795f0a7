import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { frameOrder, type KeeperAnswer } from "../../action/keeper/order.ts";
import { watchable } from "../../action/keeper/job-watch.ts";
import { AuthRequest } from "../../shared/token/auth-request.ts";
import { folderFor } from "../support/bundled.ts";
import { assertNoSecret, keepSecret } from "../support/canaries.ts";
import { HandOffStage, until } from "../support/hand-off-stage.ts";
import { canSeeProcesses } from "../support/orphans.ts";
import { inputVariables, makeJobFolder, makeStepFolder, readInputDefaults } from "../support/runner-environment.ts";
import { startScriptedServer, type ScriptedServer } from "../support/scripted-server.ts";
import { run, spawn } from "../support/searched-process.ts";

/** What is left of processes that hold the secret when they crash on a machine that writes core files. */

const inRepository = (path: string): string => join(import.meta.dirname, "../..", path);

/** In bytes. A core file without memory has registers, names of files and the process's title. */
const LARGEST_CORE = 1024 * 1024;

let server: ScriptedServer;
const folders: string[] = [];

/** Starts node in a folder of its own, with core files of any size. */
async function start(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly child: ChildProcess; readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-core-"));
  folders.push(folder);
  // Not by a shell, which would drop variables with hyphens in their names.
  const child = spawn("prlimit", ["--core=unlimited", process.execPath, ...args], {
    cwd: folder,
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["pipe", "ignore", "ignore", "ipc"],
  });
  return { child, folder };
}

/** Crashes it. @returns the core file's path, if there is one */
async function crash({ child, folder }: Awaited<ReturnType<typeof start>>): Promise<string | undefined> {
  assert.deepEqual([child.exitCode, child.signalCode], [null, null], "it lives");
  const ended = once(child, "exit");
  child.kill("SIGABRT");
  assert.deepEqual(await ended, [null, "SIGABRT"]);
  const [core, ...others] = await readdir(folder);
  assert.deepEqual(others, []);
  return core === undefined ? undefined : join(folder, core);
}

/** Part by part, each with some of the one before. A core file with memory is long, and has holes. */
async function* partsOf(path: string): AsyncGenerator<Buffer> {
  const [size, overlap] = [1024 * 1024, 4096];
  const nothing = Buffer.alloc(size);
  const file = await open(path);
  try {
    const { size: end } = await file.stat();
    for (let at = 0; at < end; at += size - overlap) {
      const part = Buffer.alloc(size);
      await file.read(part, 0, size, at);
      if (!part.equals(nothing)) yield part;
    }
  } finally {
    await file.close();
  }
}

/** @throws Error when a secret lies in it */
async function assertHoldsNothing(path: string): Promise<void> {
  for await (const part of partsOf(path)) assertNoSecret({ "the core file": part });
}

const secret = randomBytes(32).toString("hex");
const jobSecret = randomBytes(32).toString("base64url");
const token = `eyJ.${randomBytes(60).toString("base64url")}.${randomBytes(200).toString("base64url")}`;

/** A keeper that knows all, and listens. */
async function startKeeper() {
  const started = await start([inRepository("dist/action/keeper.cjs")], {});
  const { tokenUrl, jwksUrl } = server;
  const { clientId, scope } = AuthRequest.parse({ clientId: "ci@1.iam.panserviceaccount.com", clientSecret: secret });
  const watched = watchable(process.pid);
  const life = 900_000;
  const order = {
    request: { clientId, clientSecret: secret, scope, tokenUrl, jwksUrl, ca: undefined },
    token: { value: token, expiresAt: Date.now() + life, lifetime: life, life, scope },
    ...{ roots: undefined, verify: true, path: join(started.folder, "auth.json"), jobSecret, job: "core", watched },
  };
  started.child.stdin?.end(frameOrder(order));
  const [answer] = (await once(started.child, "message")) as [KeeperAnswer];
  assert.ok("port" in answer);
  return started;
}

/** The action at the moment when it has sent the secret. */
async function startMain() {
  const asked = server.requestsTo("token").length;
  const job = await makeJobFolder();
  const folder = await makeStepFolder(job);
  const defaults = await readInputDefaults(inRepository("action.yml"));
  const inputs = { "client-id": "ci@1.iam.panserviceaccount.com", "client-secret": secret, "tsg-id": "1" };
  const env = { ...folder.env, ...inputVariables({ ...defaults, ...inputs, "token-url": server.tokenUrl }) };
  const started = await start([inRepository("dist/action/main.cjs")], env);
  await until("the secret was sent", () => server.requestsTo("token").length > asked, 20_000);
  await job.remove();
  return started;
}

const skip = await run("prlimit", ["--core=unlimited", "true"]).then(
  () => false,
  () => "this system lets nobody ask for core files",
);

describe("A crash", { skip }, () => {
  let writesCores = false;

  before(async () => {
    for (const [sort, value] of [
      ["client secret", secret],
      ["job secret", jobSecret],
      ["token", token],
    ] as const)
      keepSecret(sort, value);
    server = await startScriptedServer({ token: { hang: true }, keys: { hang: true } });
  });
  after(async () => {
    await server.close();
    for (const folder of folders) await rm(folder, { recursive: true });
  });

  test("of any program leaves its memory in a core file, where this search finds a secret", async (t) => {
    const holder = await start(["-e", "process.send(0); process.on('message', () => 0)"], { HELD: secret });
    await once(holder.child, "message");
    const core = await crash(holder);
    writesCores = core !== undefined;
    if (core === undefined) {
      t.skip("this system writes core files elsewhere, or none");
      return;
    }
    t.diagnostic(`a core file of ${(await stat(core)).blocks * 512} bytes, holes left out`);
    await assert.rejects(
      assertHoldsNothing(core),
      /^Error: A secret leaked: client secret \d+, as plain, in the core file/,
    );
  });

  for (const [name, begin] of [
    ["the action", startMain],
    ["the keeper", startKeeper],
  ] as const) {
    test(`of ${name} leaves no secret in a core file, and no memory at all`, async (t) => {
      const core = await crash(await begin());
      if (!writesCores || core === undefined) {
        t.skip("no core file was written");
        return;
      }
      const { size } = await stat(core);
      t.diagnostic(`a core file of ${size} bytes`);
      assert.ok(size < LARGEST_CORE);
      await assertHoldsNothing(core);
    });
  }
});

test("no flag of a job's for node makes the keeper write down its memory", { skip: !canSeeProcesses }, async (t) => {
  const stage = await HandOffStage.open();
  t.after(() => stage.close());
  const folder = await folderFor(t, tmpdir());
  const flags = [
    "--heapsnapshot-signal=SIGUSR2",
    "--heapsnapshot-near-heap-limit=3",
    "--report-on-signal",
    "--cpu-prof",
  ];
  const NODE_OPTIONS = [...flags, `--diagnostic-dir=${folder}`, `--report-directory=${folder}`].join(" ");
  const step = await stage.signIn({}, { env: { NODE_OPTIONS } });
  // Of the action itself, which must obey: how it spent its time.
  const before = await readdir(folder);
  assert.deepEqual([before.length, before.filter((name) => !name.endsWith(".cpuprofile"))], [1, []]);
  for (const name of before) assertNoSecret({ [name]: await readFile(join(folder, name)) });
  process.kill((await stage.keeper()).pid, "SIGUSR2");
  await stage.untilNoKeeper();
  assert.deepEqual(await readdir(folder), before);
  await stage.post(step);
});
