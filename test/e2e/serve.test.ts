import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createProviderMirror, ensureRsync, getSkipReason, OPENTOFU, reportRun } from "../support/clients.ts";
import { createProgramDirectory } from "../support/command-line.ts";
import { waitUntil } from "../support/poll.ts";
import { canListProcesses, findJobProcesses, killGroup, runProcess, type ProcessResult } from "../support/processes.ts";
import { createJob, createStepFiles, inRepository, parseFileCommands } from "../support/runner-job.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { readClaims } from "../support/tokens.ts";

/** Runs the blocks of docs/local-server.md as published, with a temporary home directory. */

const page = await readFile(inRepository("docs/local-server.md"), "utf8");
const blocks = [...page.matchAll(/```(\w+)\n([^]*?)```/g)].map(([, language, code = ""]) => ({ language, code }));

/** Returns the block in a language that contains a text. */
function findBlock(language: string, text: string): string {
  const found = blocks.filter((block) => block.language === language && block.code.includes(text));
  assert.equal(found.length, 1, `${found.length} blocks contain ${text}`);
  return found[0]?.code ?? "";
}

interface Terminal {
  readonly home: string;
  /** Runs a shell script. */
  readonly run: (script: string, cwd?: string, env?: Readonly<Record<string, string>>) => Promise<ProcessResult>;
  /** Returns what the server has written to the terminal. */
  readonly getLog: () => string;
  /** Ends the server and returns its exit code. */
  readonly stop: () => Promise<unknown>;
}

/** Starts the server as on the page. */
async function startServer(t: TestContext, script = findBlock("console", "--env")): Promise<Terminal> {
  const home = await createTempDir(t);
  const temp = join(home, "tmp");
  await mkdir(temp);
  const shared = { HOME: home, TMPDIR: temp, PATH: process.env["PATH"] ?? "", XDG_CONFIG_HOME: home };
  const child = spawn("sh", ["-c", script], {
    cwd: inRepository("."),
    env: shared,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  t.after(() => {
    killGroup(child);
  });
  let log = "";
  child.stdout.on("data", (data: Buffer) => (log += data.toString()));
  child.stderr.on("data", (data: Buffer) => (log += data.toString()));
  await waitUntil("the server is ready", () => log.includes("Ready"), 60_000);
  return {
    home,
    run: (script, cwd = home, env = {}) =>
      runProcess("sh", ["-c", script], { cwd, env: { ...shared, ...env }, timeoutMs: 120_000 }),
    getLog: () => log,
    stop: async () => {
      const [, pid] = /kill (\d+)$/m.exec(log) ?? [];
      process.kill(Number(pid), "SIGINT");
      await once(child, "close");
      const files = await readdir(temp);
      assert.ok(!files.some((file) => file.endsWith(".pem")), files.join());
      return child.exitCode;
    },
  };
}

const skip = process.platform === "win32" && "needs a POSIX shell";

test(
  "the server prints variables for a shell, counts requests without secrets, and removes its files",
  { skip },
  async (t) => {
    const reason = await getSkipReason(["curl", "jq"]);
    if (reason !== false) {
      t.skip(reason);
      return;
    }
    const terminal = await startServer(t);
    const script = findBlock("sh", "token=");
    const create =
      'curl -fsS -H "Authorization: Bearer $token" -d \'{"name":"new","folder":"All"}\' "$SCM_API_URL/config/objects/v1/tags?$SCM_CLIENT_SECRET"';
    const first = await terminal.run(script + create);
    assert.equal(first.exitCode, 0, first.log);
    assert.match(first.stdout, /"total":2.*"name":"new"/);
    const second = await terminal.run(script.replace("$SCM_TSG_ID", "$SCM_TSG_ID_2"));
    assert.match(second.stdout, /"name":"tenant-2345678901".*"total":2/, "the second tenant has its own tags");
    const bin = await createProgramDirectory(terminal.home);
    const command = findBlock("sh", "scm-auth token");
    const third = await terminal.run(`. ~/scm.env; PATH="${bin}:$PATH"; ${command}`);
    assert.deepEqual(readClaims(third.stdout.trim()).scope, ["tsg_id:2345678901"], third.log);

    assert.equal(await terminal.stop(), 130);
    const [ready = "", ...lines] = terminal.getLog().trim().split("\n");
    // The command sends its two requests at the same time.
    lines.push(...lines.splice(-2).sort().reverse());
    assert.match(ready, /^Ready at https:\/\/127\.0\.0\.1:\d+\. To stop the server, press Ctrl-C or run: kill \d+$/);
    const tags = "/config/objects/v1/tags";
    assert.deepEqual(lines, [
      "token request 1: POST /am/oauth2/access_token 200 (tsg_id:1234567890)",
      `API request 1: GET ${tags}?folder=All 200`,
      `API request 2: POST ${tags}?*** 201`,
      "token request 2: POST /am/oauth2/access_token 200 (tsg_id:2345678901)",
      `API request 3: GET ${tags}?folder=All 200`,
      "token request 3: POST /am/oauth2/access_token 200 (tsg_id:2345678901)",
      "key request 1: GET /am/oauth2/connect/jwk_uri 200",
    ]);
  },
);

test("the server rejects unknown options", async () => {
  const args = [inRepository("scripts/serve.ts"), "--env", "--help"];
  const { exitCode, stderr } = await runProcess(process.execPath, args);
  assert.deepEqual([exitCode, stderr], [2, "Usage: npm run --silent serve [-- --env]\n"]);
});

test("the Python SDK works with the variables of the server", { skip }, async (t) => {
  const reason = await getSkipReason(["pan-scm-sdk"]);
  if (reason !== false) {
    t.skip(reason);
    return;
  }
  const terminal = await startServer(t);
  await writeFile(join(terminal.home, "tags.py"), findBlock("py", "Scm("));
  const { exitCode, log } = await terminal.run(". ~/scm.env; python tags.py");
  assert.equal(exitCode, 0, log);
  assert.match(log, /production/);
  await reportRun(t, "pan-scm-sdk", "docs/local-server.md");
});

test("act reads the variables and the secret of the server", { skip }, async (t) => {
  const reason = await getSkipReason(["act", "git", "curl"]);
  if (reason !== false) {
    t.skip(reason);
    return;
  }
  const terminal = await startServer(t);
  const clone = await terminal.run(findBlock("console", "git clone"), inRepository("."));
  assert.equal(clone.exitCode, 0, clone.log);
  const project = join(terminal.home, "project");
  await mkdir(join(project, ".github/workflows"), { recursive: true });
  let workflow = findBlock("yaml", "workflow_dispatch");
  const withTofu = (await getSkipReason(OPENTOFU)) === false;
  if (withTofu) {
    await cp(inRepository("examples/opentofu"), project, { recursive: true });
    workflow += findBlock("yaml", "tofu apply").replace(/^/gm, "      ").trimEnd();
  }
  await writeFile(join(project, ".github/workflows/try.yml"), workflow);
  const commit = "git init -q && git add . && git -c user.name=me -c user.email=me@example.com commit -qm start";
  await terminal.run(commit, project);
  const mirror = await createProviderMirror();
  t.after(mirror.remove);
  const { exitCode, log } = await terminal.run(findBlock("sh", "act "), project, mirror.env);
  assert.equal(exitCode, 0, log);
  assert.match(log, /"name":"production"/);
  assert.match(terminal.getLog(), /^token request 1: POST \S+ 200 /m);
  assert.doesNotMatch(terminal.getLog(), /token request 2/);
  assert.equal(/API request \d+: POST \S+ 201/.test(terminal.getLog()), withTofu);
  await reportRun(t, "act", "docs/local-server.md");
});

test("gitlab-ci-local runs a pipeline with the variables of the server", { skip }, async (t) => {
  const reason = await getSkipReason(["gitlab-ci-local", "git", "curl"]);
  if (reason !== false) {
    t.skip(reason);
    return;
  }
  const terminal = await startServer(t);
  const bin = await createProgramDirectory(terminal.home);
  await ensureRsync(bin);
  const project = join(terminal.home, "project");
  await mkdir(project);
  const script =
    'curl -fsS -H "Authorization: Bearer $(scm-auth token)" "$SCM_API_URL/config/objects/v1/tags?folder=All"';
  await writeFile(join(project, ".gitlab-ci.yml"), JSON.stringify({ tags: { image: "node:24", script: [script] } }));
  const commit = `git init -q && git config user.email a@example.com && git config user.name a &&
    git remote add origin https://gitlab.com/a/b.git && git add -A && git commit -qm x`;
  const run = `${commit} && export PATH="${bin}:$PATH" && ${findBlock("sh", "gitlab-ci-local")}`;
  const { exitCode, log } = await terminal.run(run, project);
  assert.equal(exitCode, 0, log);
  assert.match(log, /"name":"production"/);
  assert.match(terminal.getLog(), /^token request 1: /m);
  await reportRun(t, "gitlab-ci-local", "docs/local-server.md");
});

const skipStep = !canListProcesses && "cannot find the background process";

test("in a workflow step, the server runs in the background and sets outputs", { skip: skipStep }, async (t) => {
  const job = await createJob();
  t.after(async () => {
    for (const { pid } of await findJobProcesses(job.env["RUNNER_TRACKING_ID"] ?? "")) process.kill(pid);
    await job.remove();
  });
  const files = await createStepFiles(job);
  const env = { ...job.env, ...files.env };
  const result = await runProcess(process.execPath, [inRepository("scripts/serve.ts")], { env });
  assert.equal(result.exitCode, 0, result.log);
  const outputs = parseFileCommands(await files.read("OUTPUT"));
  const names = ["client-id", "client-secret", "tsg-id", "tsg-id-2", "token-url", "api-url", "host", "ca-file"];
  assert.deepEqual(Object.keys(outputs), names);
  for (const name of names) assert.ok(page.includes(`\`${name}\``), name);
  assert.equal(result.stdout, `::add-mask::${outputs["client-secret"] ?? ""}\n`);
});
