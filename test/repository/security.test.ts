import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { getSkipReason } from "../support/clients.ts";
import { runProcess } from "../support/processes.ts";
import { inRepository } from "../support/runner-job.ts";
import { startScmServer } from "../support/scm-server.ts";
import { createTempDir } from "../support/temp-dir.ts";

/** Checks what docs/security.md and docs/threat-model.md say about tests and commands. */

const read = (path: string): Promise<string> => readFile(inRepository(path), "utf8");
const page = await read("docs/security.md");
const skip = process.platform === "win32" && "needs a POSIX shell";

test("every test that the security pages name exists", async () => {
  const missing: string[] = [];
  let count = 0;
  for (const text of [page, await read("docs/threat-model.md")])
    for (const [, path = "", names = ""] of text.matchAll(/`(test\/[\w/.-]+\.ts)`((?:,? "[^"]+")+)/g)) {
      const source = await read(path);
      for (const [, name = ""] of names.matchAll(/"([^"]+)"/g)) {
        count++;
        if (!source.includes(name)) missing.push(`${path}: ${name}`);
      }
    }
  assert.deepEqual(missing, []);
  assert.ok(count > 100, String(count));
});

test("the commands in docs/security.md print what the page says", { skip }, async () => {
  const rows = [...page.matchAll(/^\| .*`(grep .*?)`(?!.*`grep).*\|$/gm)].map(([, command = ""]) =>
    command.replaceAll("\\|", "|"),
  );
  const output = await Promise.all(
    rows.map(async (row) =>
      (await runProcess("sh", ["-c", row], { cwd: inRepository(".") })).stdout.trim().split("\n"),
    ),
  );
  const first = output.map((lines) => [...new Set(lines.map((line) => line.replace(/:.*| [0-9.]+ .*/, "")))].sort());
  assert.deepEqual(first, [
    ["  main", "  post", "  using", "runs"],
    ["action/refresher/spawn.ts", "shared/auth-file/git-ignore.ts", "shared/auth-file/safe-files.ts"],
    ["cli/child-process.ts"],
    ["https"],
    ["@actions/core", "@actions/http-client", "jose", "zod"],
    [""],
    [""],
  ]);
  assert.deepEqual([...new Set(output[3])].sort(), ["https://auth.apps.paloaltonetworks.com", "https://github.com"]);
});

test("the traces in docs/security.md show two connections, and no secret", { skip }, async (t) => {
  const reason = await getSkipReason(["strace", "git"]);
  if (reason !== false) {
    t.skip(reason);
    return;
  }
  if ((await runProcess("strace", ["true"])).exitCode !== 0) {
    t.skip("NOT RUN strace: it may not trace processes here");
    return;
  }
  const home = await createTempDir(t);
  const server = await startScmServer();
  t.after(server.close);
  await writeFile(join(home, "ca.pem"), server.ca);
  const variables = {
    ...{ SCM_CLIENT_ID: server.clientId, SCM_CLIENT_SECRET: server.clientSecret, SCM_TSG_ID: server.tsgId },
    ...{ SCM_TOKEN_URL: server.tokenUrl, NODE_EXTRA_CA_CERTS: join(home, "ca.pem") },
  };
  const exports = Object.entries(variables).map(([name, value]) => `export ${name}='${value}'\n`);
  await writeFile(join(home, "scm.env"), exports.join(""));
  const [trace = "", search = ""] = [...page.matchAll(/```sh\n([^]*?)```/g)].map(([, block]) => block);
  const env = { HOME: home, PATH: process.env["PATH"] };
  const run = (script: string) => runProcess("sh", ["-c", script], { cwd: inRepository("."), env, timeoutMs: 90_000 });

  const traced = (await run(trace)).stdout.split("\n").filter((line) => /^\d+ +(execve|connect|bind)\(/.test(line));
  const count = (pattern: RegExp): number => traced.filter((line) => pattern.test(line)).length;
  assert.equal(count(/execve.*main\.cjs/), 1);
  assert.equal(count(/execve.*"git".*"check-ignore"/), 1);
  assert.equal(count(/execve.*refresher\.cjs/), 1);
  assert.equal(count(new RegExp(`connect.*htons\\(${server.port}\\).*"127\\.0\\.0\\.1"`)), 2);
  assert.equal(count(/bind.*"127\.0\.0\.1"/), 1);
  assert.equal(traced.length, 6, traced.join("\n"));

  const lines = (await run(search)).stdout.trim().split("\n");
  assert.equal(lines.length, 3, lines.join("\n"));
  assert.match(lines.join("\n"), /^\/proc\/\d+\/environ:0\n\/proc\/\d+\/cmdline:0\n-rw------- .*scm-auth-\w+\.json$/);
});
