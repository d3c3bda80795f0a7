import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { getSkipReason } from "../support/clients.ts";
import { runProcess } from "../support/processes.ts";
import { runAction } from "../support/run-action.ts";
import { createJob, inRepository } from "../support/runner-job.ts";
import { startScmServer } from "../support/scm-server.ts";
import { createTempDir } from "../support/temp-dir.ts";

/** A runner downloads the archive of a commit for `uses:`. GitHub creates it with the attributes in .gitattributes. */

test("the archive of a commit contains all files that the action needs, and no tests", async (t) => {
  const reason = await getSkipReason(["git"]);
  if (reason !== false) {
    t.skip(reason);
    return;
  }
  const root = await createTempDir(t);
  const file = join(root, "action.tar");
  const archive = ["archive", "--worktree-attributes", "--output", file, "HEAD"];
  assert.equal((await runProcess("git", archive, { cwd: inRepository(".") })).exitCode, 0);
  assert.equal((await runProcess("tar", ["-xf", "action.tar"], { cwd: root })).exitCode, 0);
  const listed = await readdir(root);
  for (const name of ["action.yml", "LICENSE", "package.json", "shared", "scripts"])
    assert.ok(listed.includes(name), name);
  for (const name of ["test", "docs", "examples", ".github"]) assert.ok(!listed.includes(name), name);

  const server = await startScmServer();
  const job = await createJob();
  t.after(async () => {
    await server.close();
    await job.remove();
  });
  const inputs = {
    ...{ "client-id": server.clientId, "client-secret": server.clientSecret, "tsg-id": server.tsgId },
    ...{ "token-url": server.tokenUrl, "ca-cert": server.ca, "auth-file": "true" },
  };
  const bundle = (name: string): string => join(root, "dist/action", name);
  const main = await runAction({ job, inputs: { ...inputs, seal: "true" }, entry: bundle("main.cjs") });
  assert.equal(main.exitCode, 0, main.log);
  const post = await runAction({ job, inputs, entry: bundle("post.cjs"), post: { state: main.state } });
  assert.deepEqual([post.exitCode, post.annotations], [0, []], post.log);
  const unsealed = { ...inputs, "auth-file": "false", "sealed-token": main.outputs["sealed-token"] ?? "" };
  const second = await runAction({ job, inputs: unsealed, entry: bundle("main.cjs") });
  assert.equal(second.token, main.token);
  const check = { ...inputs, "auth-file": "false", check: "true" };
  assert.equal((await runAction({ job, inputs: check, entry: bundle("main.cjs") })).exitCode, 0);
});

test("the commands in docs/performance.md measure the archive", { skip: process.platform === "win32" }, async () => {
  const page = await readFile(inRepository("docs/performance.md"), "utf8");
  const [, script = ""] = /```console\n(git archive [^]*?)```/.exec(page) ?? [];
  const { exitCode, stdout, log } = await runProcess("sh", ["-c", script], { cwd: inRepository(".") });
  assert.equal(exitCode, 0, log);
  const [compressed = 0, unpacked = 0, files = 0] = stdout.trim().split(/\s+/).map(Number);
  assert.ok(compressed > 100_000 && compressed < unpacked && files > 10, stdout);
});
