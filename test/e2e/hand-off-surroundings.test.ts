import assert from "node:assert/strict";
import { chmod, mkdir, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";

import { HandOffStage, isThere, makeSmallDisk, readWritten, signInAsProvider } from "../support/hand-off-stage.ts";
import type { ActionRun } from "../support/runner.ts";

/** The auth file on machines that are not as one would wish. */

let stage: HandOffStage;

/** A step that must succeed, its file in use, its post step, and nothing left. */
async function wholeLife(
  env: Readonly<Record<string, string | undefined>>,
  more: Readonly<Record<string, string>> = {},
): Promise<ActionRun> {
  const run = await stage.signIn(more, { env });
  assert.equal(run.exitCode, 0, run.log);
  const path = run.outputs["auth-file"] ?? "";
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await signInAsProvider(await readWritten(path))).status, 200);
  const end = await stage.post(run, { env });
  assert.equal(end.exitCode, 0);
  assert.match(end.log, /^The auth file is removed\. Its keeper renewed it 0 times\.$/);
  assert.deepEqual(await stage.left(dirname(path)), []);
  await stage.untilNoKeeper();
  return run;
}

describe("The auth file", () => {
  before(async () => {
    stage = await HandOffStage.open();
  });
  after(() => stage.close());
  afterEach(() => stage.nextJob());

  test("lives in a RUNNER_TEMP with spaces, quotes and letters of the world", async () => {
    const temp = join(stage.job.temp, 'a b\'c "d" ü 漢 %0A $HOME');
    await mkdir(temp);
    const run = await wholeLife({ RUNNER_TEMP: temp });
    assert.equal(dirname(run.outputs["auth-file"] ?? ""), temp);
  });

  test("lives in a RUNNER_TEMP that is a link", async () => {
    const link = join(stage.job.temp, "link");
    await mkdir(join(stage.job.temp, "real"));
    await symlink(join(stage.job.temp, "real"), link);
    await wholeLife({ RUNNER_TEMP: link });
  });

  for (const [name, env] of Object.entries({
    "no HOME, no PATH": { HOME: undefined, PATH: "", USERPROFILE: undefined },
    "a TMPDIR that is not there": { TMPDIR: "/nowhere/at/all", TMP: "/nowhere/at/all", TEMP: "/nowhere/at/all" },
    "variables of node's that make it talk": {
      NODE_DEBUG: "http,https,tls,net,child_process,fs",
      NODE_PENDING_DEPRECATION: "1",
      NODE_OPTIONS: "--trace-warnings --throw-deprecation --max-old-space-size=256 --trace-uncaught",
    },
  })) {
    test(`lives with ${name}`, () => wholeLife(env).then(() => undefined));
  }

  test("leaves its keeper none of node's variables and flags", async () => {
    const coverage = join(stage.job.temp, "coverage");
    const run = await stage.signIn(
      {},
      {
        env: {
          NODE_OPTIONS: `--require ${join(import.meta.dirname, "preload/clock.cjs").replaceAll("\\", "/")} --max-old-space-size=300`,
          SHIFT_CLOCK: "0",
          NODE_V8_COVERAGE: coverage,
          NODE_REDIRECT_WARNINGS: join(stage.job.temp, "warnings"),
          NODE_COMPILE_CACHE: join(stage.job.temp, "cache"),
        },
      },
    );
    assert.equal(run.exitCode, 0, run.log);
    for (const { environment, commandLine } of await stage.keepers()) {
      assert.doesNotMatch(environment, /NODE_(?!CHANNEL_)|SHIFT_CLOCK/);
      assert.doesNotMatch(commandLine, /clock\.cjs|--max-old|--require/);
    }
    const before = await readdir(coverage);
    await stage.post(run);
    await stage.untilNoKeeper();
    assert.deepEqual(await readdir(coverage), before, "the keeper writes none");
  });

  test("is told to be impossible where node may start no process", async () => {
    const env = { NODE_OPTIONS: "--permission --allow-fs-read=* --allow-fs-write=*" };
    const run = await stage.signIn({}, { env, allowStderr: true });
    assert.equal(run.exitCode, 1, run.log);
    assert.match(run.log, /can't be kept fresh: the background process could not be started\./);
    assert.deepEqual(await stage.left(), []);
  });

  test("is this user's alone whatever the umask", { skip: process.platform === "win32" }, async () => {
    const old = process.umask(0);
    try {
      await wholeLife({});
      const run = await wholeLife({}, { "auth-file": "made/for it/auth.json" });
      assert.equal((await stat(dirname(run.outputs["auth-file"] ?? ""))).mode & 0o777, 0o700);
    } finally {
      process.umask(old);
    }
  });

  test(
    "is refused in a RUNNER_TEMP that every user can write, before any sign-in",
    {
      skip: process.platform === "win32",
    },
    async () => {
      const temp = join(stage.job.temp, "open");
      await mkdir(temp);
      await chmod(temp, 0o777);
      const before = stage.server.requests.length;
      const run = await stage.signIn({}, { env: { RUNNER_TEMP: temp } });
      assert.equal(run.exitCode, 1);
      assert.match(run.log, /can be written by every user/);
      assert.equal(stage.server.requests.length, before);
      assert.equal((await stage.post(run, { env: { RUNNER_TEMP: temp } })).exitCode, 0);
    },
  );

  test("that went with its whole folder is told of by post, which stays green", async () => {
    const temp = join(stage.job.temp, "soon gone");
    await mkdir(temp);
    const run = await stage.signIn({}, { env: { RUNNER_TEMP: temp } });
    await rm(temp, { recursive: true });
    await stage.untilNoKeeper();
    const end = await stage.post(run, { env: { RUNNER_TEMP: temp } });
    assert.equal(end.exitCode, 0);
    assert.match(end.log, /was gone before the job's end/);
    assert.equal(await isThere(temp), false);
  });

  test("whose folder became a file is told of by post, and the keeper has ended", async () => {
    const temp = join(stage.job.temp, "soon a file");
    await mkdir(temp);
    const run = await stage.signIn({}, { env: { RUNNER_TEMP: temp } });
    await rm(temp, { recursive: true });
    await writeFile(temp, "a file");
    await stage.untilNoKeeper();
    const end = await stage.post(run, { env: { RUNNER_TEMP: temp } });
    assert.equal(end.exitCode, 0);
    assert.notEqual(end.log, "");
  });

  for (const [name, lay] of Object.entries({
    "a folder": (path: string) => mkdir(path),
    "a text far too long": (path: string) => writeFile(path, "x".repeat(100_000)),
    "a link": (path: string) => symlink("/etc/hostname", path),
  })) {
    test(`whose place was taken by ${name} ends its keeper, and that stays`, async () => {
      const run = await stage.signIn();
      const path = run.outputs["auth-file"] ?? "";
      await rm(path);
      await lay(path);
      await stage.untilNoKeeper();
      const end = await stage.post(run);
      assert.equal(end.exitCode, 0);
      assert.match(end.log, /is not this step's .*; it stays/);
      assert.ok(await isThere(path));
    });
  }

  test("is not made, and no keeper started, where the runner takes nothing for post", async () => {
    for (const keepFresh of ["true", "false"]) {
      const gone = join(stage.job.temp, "no such folder", "state");
      const run = await stage.signIn({ "keep-fresh": keepFresh }, { env: { GITHUB_STATE: gone } });
      assert.equal(run.exitCode, 1);
      assert.match(run.log, /the state auth-file could not be written/);
      assert.deepEqual(await stage.left(), []);
      assert.deepEqual(await stage.keepers(), []);
      assert.equal(run.token, undefined);
    }
  });

  test("goes by an old runner's commands where there is no state file", async () => {
    const run = await stage.signIn({}, { env: { GITHUB_STATE: undefined } });
    assert.equal(run.exitCode, 0, run.log);
    assert.match((await stage.post(run)).log, /is removed/);
    assert.deepEqual(await stage.left(), []);
  });

  test("needs no working folder", { skip: process.platform === "win32" }, async () => {
    const script = async (bundle: string): Promise<string> => {
      const path = join(stage.job.temp, `${bundle}-without-a-folder.cjs`);
      const dist = JSON.stringify(join(import.meta.dirname, "../../dist/action", `${bundle}.cjs`));
      await writeFile(
        path,
        `const fs = require("node:fs"); fs.mkdirSync("gone"); process.chdir("gone"); fs.rmdirSync("../gone"); require(${dist});`,
      );
      return path;
    };
    const run = await stage.signIn({}, { entry: await script("main") });
    assert.equal(run.exitCode, 0, run.log);
    assert.match((await stage.post(run, { entry: await script("post") })).log, /is removed/);
  });

  test("on a full disk is a sentence and nothing left", async (t) => {
    const disk = await makeSmallDisk(16);
    if (disk === undefined) {
      t.skip("no disk can be mounted");
      return;
    }
    try {
      await writeFile(join(disk.path, "full"), Buffer.alloc(64 * 1024)).catch(() => undefined);
      const run = await stage.signIn({}, { env: { RUNNER_TEMP: disk.path } });
      assert.equal(run.exitCode, 1);
      assert.match(run.log, /can't be written: the disk is full/);
      assert.deepEqual(await stage.left(disk.path), []);
      await stage.untilNoKeeper();
      assert.equal((await stage.post(run)).exitCode, 0);
    } finally {
      await disk.remove();
    }
  });
});
