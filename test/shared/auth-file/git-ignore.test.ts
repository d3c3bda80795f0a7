import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { getGitWarnings } from "../../../shared/auth-file/git-ignore.ts";
import { createTempDir } from "../../support/temp-dir.ts";
import { setVariables } from "../../support/variables.ts";

test("warns about a file in a Git work tree until Git ignores it", async (t) => {
  const root = await createTempDir(t);
  const path = join(root, "a", "auth.json");
  await mkdir(join(root, "a"));
  assert.deepEqual(await getGitWarnings(path), [], "outside a work tree");
  execFileSync("git", ["init", "--quiet", root]);
  const [warning = "", ...others] = await getGitWarnings(path);
  const line = /Add this line to \.gitignore: (.*)$/.exec(warning)?.[1];
  assert.deepEqual([line, others], ["auth.json", []]);
  await writeFile(join(root, ".gitignore"), `${line}\n`);
  assert.deepEqual(await getGitWarnings(path), []);
});

test("does not warn if Git is not installed", async (t) => {
  const root = await createTempDir(t);
  execFileSync("git", ["init", "--quiet", root]);
  setVariables(t, { PATH: root });
  assert.deepEqual(await getGitWarnings(join(root, "auth.json")), []);
});

test(
  "does not wait longer than a third of the remaining time for git",
  { skip: process.platform === "win32" },
  async (t) => {
    const root = await createTempDir(t);
    await writeFile(join(root, "git"), '#!/bin/sh\ntrap "" TERM\nexec /bin/sleep 60\n', { mode: 0o700 });
    setVariables(t, { PATH: root });
    const start = performance.now();
    assert.deepEqual(await getGitWarnings(join(root, "auth.json"), { deadline: start + 600 }), []);
    assert.ok(performance.now() - start < 10_000);
  },
);
