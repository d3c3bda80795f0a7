import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";

import { run } from "./searched-process.ts";

/** Files of tests whose processes show a secret, each run as the tests are: it must fail. */

const folder = await mkdtemp(join(tmpdir(), "scm-auth-leaky-"));
after(() => rm(folder, { recursive: true }));

const here = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);

const SECRET = "never-6f1b-to-be-seen";
const START = `
  import { once } from "node:events";
  import { test } from "node:test";
  import { keepSecret } from ${here("canaries.ts")};
  import { mayShow, run, spawn } from ${here("searched-process.ts")};
  const env = { PATH: process.env.PATH, HELD_SECRET: ${JSON.stringify(SECRET)} };
  const shows = (text, then = "") => ["-e", "console." + text + ";" + then];
  const held = "log(process.env.HELD_SECRET)";
  const nothing = () => undefined;`;

/** Runs a file of tests. @returns what it comes to, and how it says so */
async function outcomeOf(name: string, body: string): Promise<{ readonly passes: boolean; readonly report: string }> {
  const file = join(folder, `${name.replace(/\W+/g, "-")}.mts`);
  await writeFile(file, `${START}\n${body}`);
  // Not the test runner's own mark, or its report would go to that.
  const options = { env: { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: "" }, timeout: 60_000 };
  return run(process.execPath, ["--test", "--test-reporter=tap", file], options).then(
    ({ stdout }) => ({ passes: true, report: stdout }),
    (error: unknown) => ({ passes: false, report: (error as { readonly stdout: string }).stdout }),
  );
}

const LEAKY: Readonly<Record<string, string>> = {
  "waits for the end of what it started": `test("t", async () => {
    const child = spawn(process.execPath, shows(held), { env });
    child.stdout.resume();
    await once(child, "close");
  });`,
  "reads what comes": `test("t", async () => {
    const child = spawn(process.execPath, shows("error(Buffer.from('x' + process.env.HELD_SECRET).toString('base64'))"), { env });
    let text = "";
    child.stderr.on("data", (data) => (text += data));
    await once(child, "close");
    if (text === "") throw new Error("nothing came");
  });`,
  "lets it write past this process": `test("t", async () => {
    await once(spawn(process.execPath, shows("error(process.env.HELD_SECRET)"), { env, stdio: ["ignore", "ignore", "inherit"] }), "close");
  });`,
  "is over before the process is": `test("t", () => {
    spawn(process.execPath, shows(held), { env }).stdout.resume();
  });`,
  "lets go of a process that goes on": `test("t", async () => {
    const child = spawn(process.execPath, shows(held, "setTimeout(() => 0, 3000)"), { env });
    await once(child.stdout, "data");
    for (const part of [child, child.stdout, child.stderr]) part.unref();
  });`,
  "runs a program to its end": `test("t", async () => {
    await run(process.execPath, shows(held), { env });
  });`,
  "catches what a failing program throws": `test("t", async () => {
    await run(process.execPath, shows(held, "process.exit(3)"), { env }).catch(nothing);
  });`,
  "gave the secret by another way than the environment": `test("t", async () => {
    keepSecret("token", env.HELD_SECRET);
    await run(process.execPath, shows("log(" + JSON.stringify(env.HELD_SECRET) + ")"));
  });`,
  "lets secrets of another sort be seen": `test("t", async () => {
    const child = mayShow(spawn(process.execPath, shows(held), { env }), { token: "it is asked for" });
    child.stdout.resume();
    await once(child, "close");
  });`,
  "has the password in a proxy's address": `test("t", async () => {
    const https_proxy = "http://bob:" + env.HELD_SECRET + "@proxy.test:3128";
    await run(process.execPath, shows("log(new URL(process.env.https_proxy).password)"), { env: { PATH: env.PATH, https_proxy } });
  });`,
};

describe("A file of tests whose process shows a secret fails when it", { concurrency: 2 }, () => {
  for (const [what, body] of Object.entries(LEAKY))
    test(what, async () => {
      const { passes, report } = await outcomeOf(what, body);
      assert.equal(passes, false);
      assert.match(report, /A secret leaked: [a-z ]+ \d+, as [\w -]+, in std(out|err) of node/);
      assert.ok(!report.replace(/^# .*$/gm, "").includes(SECRET), "the report repeats it");
    });
});

test("a file of tests passes whose process shows what it may, or nothing", async () => {
  const { passes, report } = await outcomeOf(
    "passes",
    `test("t", async () => {
      const child = mayShow(spawn(process.execPath, shows(held), { env }), { "client secret": "it is asked for" });
      child.stdout.resume();
      await once(child, "close");
      await run(process.execPath, shows("log('hello')"), { env });
    });`,
  );
  assert.ok(passes, report);
});
