import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";

import { HandOffStage, isThere, pause, readWritten, signInAsProvider } from "../support/hand-off-stage.ts";
import { seededRandom } from "../support/seeded-random.ts";

/** The auth file of steps that are cut off, and of those that run at once. */

const dist = join(import.meta.dirname, "../../dist/action");
let stage: HandOffStage;

/** The action with one bundle changed, for as long as `work` takes. */
async function withChanged(
  bundle: string,
  change: (source: string) => string,
  work: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-dist-"));
  try {
    await cp(dist, folder, { recursive: true });
    const path = join(folder, `${bundle}.cjs`);
    await writeFile(path, change(await readFile(path, "utf8")));
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Lets main do something right before the auth file gets its name; variables for its environment. */
async function atRename(folder: string, statement: string): Promise<Readonly<Record<string, string>>> {
  const preload = join(folder, "at-rename.cjs");
  await writeFile(
    preload,
    `const fs = require("node:fs/promises");
    const { rename } = fs;
    fs.rename = async (from, to) => {
      if (to.endsWith(".json")) { ${statement} }
      return rename(from, to);
    };`,
  );
  return { NODE_OPTIONS: `--require "${preload.replaceAll("\\", "/")}"` };
}

describe("The auth file of a step that is cut off", () => {
  before(async () => {
    stage = await HandOffStage.open();
  });
  after(() => stage.close());
  afterEach(() => stage.nextJob());

  for (const [signal, keepFresh, rounds] of [
    ["SIGKILL", "true", 10],
    ["SIGINT", "true", 5],
    ["SIGKILL", "false", 8],
  ] as const) {
    test(`by ${signal} at any moment, keep-fresh ${keepFresh}, is gone after post`, async () => {
      // How long a whole step takes here and now.
      const start = performance.now();
      const whole = await stage.begin({ "keep-fresh": keepFresh });
      await whole.ended;
      const length = performance.now() - start;
      await stage.post({ state: await whole.state() });
      const random = seededRandom(7);
      const seen = { before: 0, after: 0 };
      for (let round = 0; round < rounds; round++) {
        const step = await stage.begin({ "keep-fresh": keepFresh });
        // The first third is node's own start.
        await pause(length * (0.35 + 0.65 * random()));
        step.child.kill(signal);
        await step.ended;
        const state = await step.state();
        if (state["auth-file"] === undefined) seen.before++;
        else seen.after++;
        const end = await stage.post({ state });
        assert.equal(end.exitCode, 0);
        await stage.untilNoKeeper();
        assert.deepEqual(await stage.left(), [], `round ${round}: ${end.log}`);
        assert.doesNotMatch(end.log, /checkout/, "nobody took it away");
      }
      assert.ok(seen.before + seen.after === rounds && seen.after > 0, JSON.stringify(seen));
    });
  }

  test("half-way through writing it is gone after post, its temporary and its lock too", async () => {
    const folder = await mkdtemp(join(tmpdir(), "scm-auth-preload-"));
    try {
      // The text is on the disk by then, and its name is not.
      const env = await atRename(folder, 'process.kill(process.pid, "SIGKILL");');
      for (const keepFresh of ["true", "false"]) {
        const run = await stage.signIn({ "keep-fresh": keepFresh }, { env });
        assert.equal(run.signal, "SIGKILL", run.log);
        if (keepFresh === "false") assert.equal((await stage.left()).length, 2, "a temporary and a lock");
        await stage.untilNoKeeper();
        const end = await stage.post(run);
        assert.deepEqual([end.exitCode, end.log], [0, ""]);
        assert.deepEqual(await stage.left(), []);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("stays another's when its state is cut or hostile", async () => {
    const run = await stage.signIn();
    const path = run.outputs["auth-file"] ?? "";
    const states: readonly Readonly<Record<string, string>>[] = [
      { "auth-file": path },
      { "auth-file": path, "auth-file-ownership": "", "auth-file-kept": "true" },
      { "auth-file": path, "auth-file-ownership": "0".repeat(64), "auth-file-kept": "true", "auth-file-stood": "true" },
      { ...run.state, "auth-file": `${path}\n::error::planted` },
      { ...run.state, "auth-file": "\u001b[2J::add-mask::x%0A::error::planted" },
      { ...run.state, "auth-file": "/proc/self/mem" },
      { ...run.state, "auth-file": "/dev/zero" },
      { ...run.state, "auth-file": "/" },
      { ...run.state, "auth-file": `/${"x".repeat(5000)}` },
      { "auth-file-ownership": run.state["auth-file-ownership"] ?? "", "auth-file-kept": "true" },
    ];
    for (const state of states) {
      const end = await stage.post({ state });
      assert.equal(end.exitCode, 0);
      assert.ok(end.ms < 3000);
      for (const line of end.stdout.split("\n")) assert.match(line, /^(::warning title=scm-auth::.*)?$/);
      assert.ok(await isThere(path));
    }
    assert.match((await stage.post(run)).log, /is removed/);
  });

  test("ends green although nobody listens to post", async () => {
    const run = await stage.signIn();
    const end = await stage.post(run, { deafRunner: true, timeoutMs: 10_000 });
    assert.deepEqual([end.exitCode, end.signal], [0, null]);
    assert.deepEqual(await stage.left(), []);
    const again = await stage.post(run, { deafRunner: true, timeoutMs: 10_000 });
    assert.deepEqual([again.exitCode, again.signal], [0, null]);
  });

  test("fails the step when the keeper dies before it is let go", async () => {
    const change = (source: string): string =>
      `{const send=process.send.bind(process);process.send=(message)=>send(message,()=>process.exit(3));}${source}`;
    await withChanged("keeper", change, async (folder) => {
      // Main takes its time meanwhile.
      const preload = await atRename(folder, "await new Promise((resolve) => setTimeout(resolve, 500));");
      const run = await stage.signIn({}, { entry: join(folder, "main.cjs"), env: preload });
      assert.equal(run.exitCode, 1, run.log);
      assert.match(run.log, /can't be kept fresh: the background process died/);
      assert.equal(run.token, undefined);
      assert.equal((await stage.post(run)).exitCode, 0);
      assert.deepEqual(await stage.left(), []);
    });
  });

  test("fails the step when the keeper hangs, or says what it should not", async () => {
    for (const [keeper, message] of [
      ["setInterval(()=>0,1000)", /did not answer within 5 s/],
      ['process.send({failed:"\\n::add-mask::x"});setInterval(()=>0,1000)', /can't be kept fresh/],
    ] as const) {
      await withChanged(
        "keeper",
        () => keeper,
        async (folder) => {
          const run = await stage.signIn({}, { entry: join(folder, "main.cjs") });
          assert.equal(run.exitCode, 1, run.log);
          assert.match(run.log, message);
          assert.ok(!run.masks.includes("x"));
          await stage.untilNoKeeper(500);
          assert.deepEqual(await stage.left(), []);
        },
      );
    }
  });
});

describe("The auth file of steps that run at once", () => {
  before(async () => {
    stage = await HandOffStage.open();
  });
  after(() => stage.close());
  afterEach(() => stage.nextJob());

  test("has one keeper and one token", async () => {
    const before = stage.server.issued.length;
    const runs = await Promise.all(Array.from({ length: 4 }, () => stage.signIn()));
    for (const run of runs) assert.equal(run.exitCode, 0, run.log);
    assert.equal(new Set(runs.map(({ token }) => token)).size, 1);
    assert.equal(stage.server.issued.length - before, 1);
    const keeper = await stage.keeper();
    assert.ok(keeper.pid > 0);
    assert.equal((await signInAsProvider(await readWritten(runs[0]?.outputs["auth-file"] ?? ""))).status, 200);
    for (const run of runs) assert.equal((await stage.post(run)).exitCode, 0);
    await stage.untilNoKeeper();
    assert.deepEqual(await stage.left(), []);
  });
});
