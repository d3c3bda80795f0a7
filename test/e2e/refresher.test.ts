import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, readlink, unlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { AuthFileHarness, exists, readAuthFileJson, requestTokenAsProvider } from "../support/auth-file-harness.ts";
import { getSkipReason, reportRun } from "../support/clients.ts";
import { waitUntil } from "../support/poll.ts";
import { canListProcesses, killGroup } from "../support/processes.ts";
import { createStepFiles, inRepository, readInputDefaults, toInputVariables } from "../support/runner-job.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { readClaims } from "../support/tokens.ts";

/** Tests the background process that refreshes the auth file. */

const TTL_SECONDS = 6;
let harness: AuthFileHarness;

const isValid = (jwt: string): boolean => Date.now() / 1000 < readClaims(jwt).exp;

describe("the refresher", { skip: !canListProcesses && "needs /proc" }, () => {
  before(async () => {
    harness = await AuthFileHarness.start({ ttl: TTL_SECONDS });
  });
  after(() => harness.close());
  afterEach(() => harness.nextJob());

  test("keeps a valid token in the file with few requests, and the post step reports the renewals", async () => {
    const run = await harness.signIn();
    const path = run.outputs["auth-file"] ?? "";
    const before = harness.server.countTokenRequests();
    const tokens = new Set<string>();
    for (let n = 0; n < 480; n++) {
      const { jwt } = await readAuthFileJson(path);
      assert.ok(isValid(jwt), `an expired token at look ${n}`);
      tokens.add(jwt);
      await delay(25);
    }
    // A token is renewed after between one third and two thirds of its lifetime.
    const requests = harness.server.countTokenRequests() - before;
    assert.ok(requests >= 2 && requests <= 10, `${requests} requests`);
    assert.ok(tokens.size >= 3);
    assert.match((await harness.post(run)).log, /\d+ (times|renewals)/);
  });

  test("has no secret in its environment, arguments, or state, and inherits no unneeded variables or options", async (t) => {
    const profiles = await createTempDir(t);
    const NODE_OPTIONS = `--cpu-prof --report-on-signal --heapsnapshot-signal=SIGUSR2 --diagnostic-dir=${profiles}`;
    const env = { ACTIONS_RUNTIME_TOKEN: "a-token-of-the-runner", NODE_OPTIONS, NODE_V8_COVERAGE: profiles };
    const run = await harness.signIn({}, { env });
    const { pid, environment, commandLine } = await harness.findRefresher();
    const { client_secret: serverSecret } = await readAuthFileJson(run.outputs["auth-file"]);
    assertNoSecret({ environment, commandLine, state: JSON.stringify(run.state) }, [
      harness.server.clientSecret,
      serverSecret,
      run.token ?? "",
    ]);
    assert.doesNotMatch(environment, /INPUT_|ACTIONS_|GITHUB_|NODE_V8|--cpu-prof|--heapsnapshot/);
    assert.equal(await readlink(`/proc/${pid}/cwd`), "/");
    assert.equal(Number.parseInt(await readFile(`/proc/${pid}/coredump_filter`, "latin1"), 16), 0);
    const written = await readdir(profiles);
    process.kill(pid, "SIGUSR2");
    await harness.waitForRefresherExit();
    assert.deepEqual(await readdir(profiles), written);
    await harness.post(run);
  });

  for (const node of [process.execPath, "node20"])
    test(`opens no debugger on SIGUSR1 and ignores SIGINT, SIGHUP, and SIGPIPE (${basename(node)})`, async (t) => {
      const reason = await getSkipReason([node]);
      if (reason !== false) {
        t.skip(reason);
        return;
      }
      const run = await harness.signIn({}, { node });
      const { pid } = await harness.findRefresher();
      for (const signal of ["SIGUSR1", "SIGUSR1", "SIGINT", "SIGHUP", "SIGPIPE"] as const) process.kill(pid, signal);
      await delay(300);
      await assert.rejects(fetch("http://127.0.0.1:9229/json/version"));
      assert.equal((await requestTokenAsProvider(await readAuthFileJson(run.outputs["auth-file"]))).status, 200);
      assert.match((await harness.post(run, { node })).log, /removed/i);
      if (node === "node20") await reportRun(t, node, "the action, its refresher, and its post step");
    });

  test("exits when its file is removed and does not recreate it", async () => {
    const run = await harness.signIn();
    const path = run.outputs["auth-file"] ?? "";
    await unlink(path);
    await harness.waitForRefresherExit();
    await delay(300);
    assert.equal(await exists(path), false);
    const post = await harness.post(run);
    assert.equal(post.exitCode, 0);
    assert.notEqual(post.log, "");
  });

  test("exits when its file is replaced and leaves the new file unchanged", async () => {
    const run = await harness.signIn();
    const path = run.outputs["auth-file"] ?? "";
    await writeFile(path, "another file");
    await harness.waitForRefresherExit();
    assert.equal((await harness.post(run)).exitCode, 0);
    assert.equal(await readFile(path, "utf8"), "another file");
  });

  test("is replaced by the next step if it was killed", async () => {
    const first = await harness.signIn();
    process.kill((await harness.findRefresher()).pid, "SIGKILL");
    await harness.waitForRefresherExit();
    const second = await harness.signIn();
    assert.equal(second.exitCode, 0, second.log);
    await harness.findRefresher();
    assert.equal((await requestTokenAsProvider(await readAuthFileJson(second.outputs["auth-file"]))).status, 200);
    await harness.post(second);
    assert.deepEqual(await harness.listFiles(), []);
    assert.equal((await harness.post(first)).exitCode, 0);
  });

  test("leaves a complete file behind when it is killed during a renewal, and the post step removes the file with a warning", async () => {
    const run = await harness.signIn();
    const { pid } = await harness.findRefresher();
    const { length } = harness.server.issued;
    await waitUntil("a renewal", () => harness.server.issued.length > length, 20_000);
    process.kill(pid, "SIGKILL");
    await harness.waitForRefresherExit();
    assert.ok(harness.server.issued.includes((await readAuthFileJson(run.outputs["auth-file"])).jwt));
    const post = await harness.post(run);
    assert.equal(post.annotations.length, 1, post.log);
    assert.deepEqual(await harness.listFiles(), []);
  });

  test("exits and removes its file on SIGTERM, which the runner sends to orphaned processes", async () => {
    const run = await harness.signIn();
    process.kill((await harness.findRefresher()).pid, "SIGTERM");
    await harness.waitForRefresherExit();
    assert.equal(await exists(run.outputs["auth-file"]), false);
  });

  test("exits and removes its file when the process that ran the step is killed", async () => {
    const files = await createStepFiles(harness.job);
    const inputs = toInputVariables({ ...(await readInputDefaults()), ...harness.getInputs() });
    // This program replaces the runner. It outlives the main step and is killed before the post step.
    const program = `
      const { spawnSync } = require("node:child_process");
      spawnSync(process.execPath, [${JSON.stringify(inRepository("dist/action/main.cjs"))}], { stdio: "ignore" });
      console.log("done");
      setTimeout(() => undefined, 60_000);`;
    const parent = spawn(process.execPath, ["-e", program], {
      cwd: harness.job.workspace,
      env: { ...harness.job.env, ...files.env, ...inputs },
      stdio: ["ignore", "pipe", "ignore"],
      detached: true,
    });
    try {
      await once(parent.stdout, "data", { signal: AbortSignal.timeout(60_000) });
      assert.equal((await harness.listFiles()).length, 1);
    } finally {
      killGroup(parent);
    }
    await harness.waitForRefresherExit();
    assert.deepEqual(await harness.listFiles(), []);
  });

  test("exits when it resumes if the post step ran while it was suspended", async () => {
    const run = await harness.signIn();
    const { pid } = await harness.findRefresher();
    process.kill(pid, "SIGSTOP");
    const post = await harness.post(run, { timeoutMs: 60_000 });
    assert.equal(post.exitCode, 0);
    assert.match(post.log, /^Warning: The auth file refresher did not respond\./);
    assert.deepEqual(await harness.listFiles(), []);
    process.kill(pid, "SIGCONT");
    await harness.waitForRefresherExit();
    assert.deepEqual(await harness.listFiles(), []);
  });

  test("renews the token soon after it was suspended for longer than the token lifetime", async () => {
    const run = await harness.signIn();
    const { pid } = await harness.findRefresher();
    process.kill(pid, "SIGSTOP");
    await delay(TTL_SECONDS * 1000 + 1000);
    process.kill(pid, "SIGCONT");
    await waitUntil("a valid token", async () => isValid((await readAuthFileJson(run.outputs["auth-file"])).jwt));
    await harness.post(run);
  });

  test("stops renewing after a rejection by the auth server, and providers and the post step report the reason", async () => {
    const run = await harness.signIn();
    const file = await readAuthFileJson(run.outputs["auth-file"]);
    const { clientSecret } = harness.server;
    const countRejections = (): number => harness.server.requests.filter(({ status }) => status === 401).length;
    harness.server.changeSecret("another-secret-of-the-client");
    try {
      await waitUntil("a rejection", () => countRejections() > 0, 20_000);
      await delay(TTL_SECONDS * 1000);
      assert.equal(countRejections(), 1);
      const response = await requestTokenAsProvider(file);
      const text = await response.text();
      assert.equal(response.status, 401);
      assert.match(text, /invalid_client/);
      assertNoSecret({ response: text }, [clientSecret, file.client_secret]);
      const post = await harness.post(run);
      assert.equal(post.exitCode, 0);
      assert.match(post.log, /invalid_client|rejected/);
    } finally {
      harness.server.changeSecret(clientSecret);
    }
  });

  test("recovers after an outage of the auth server and after a 403 response from a proxy", async () => {
    const run = await harness.signIn();
    for (const status of [503, 403]) {
      harness.server.failTokenRequests({ status });
      const before = harness.server.countTokenRequests();
      await waitUntil("an attempt", () => harness.server.countTokenRequests() > before, 30_000);
    }
    harness.server.failTokenRequests(undefined);
    await waitUntil("a new token", async () => {
      const { jwt } = await readAuthFileJson(run.outputs["auth-file"]);
      return jwt !== run.token && isValid(jwt);
    }, 30_000); // prettier-ignore
    assert.match((await harness.post(run)).log, /outage/);
  });

  test("lets the post step warn that the token in the file has expired", async () => {
    const run = await harness.signIn();
    harness.server.failTokenRequests({ status: 503 });
    try {
      await delay(TTL_SECONDS * 1000 + 1000);
      const post = await harness.post(run);
      assert.equal(post.exitCode, 0);
      assert.deepEqual(
        post.annotations.map(({ level, message }) => [level, message.includes("expired") && message.includes("503")]),
        [["warning", true]],
      );
    } finally {
      harness.server.failTokenRequests(undefined);
    }
  });

  test("renews the token if NODE_EXTRA_CA_CERTS contains a relative path to the CA certificate", async () => {
    await writeFile(join(harness.job.workspace, "ca.pem"), harness.server.ca);
    const run = await harness.signIn({ "ca-cert": "" }, { env: { NODE_EXTRA_CA_CERTS: "ca.pem" } });
    assert.equal(run.exitCode, 0, run.log);
    const { length } = harness.server.issued;
    await waitUntil("a renewal", () => harness.server.issued.length > length, 20_000);
    await harness.post(run);
  });

  for (const [what, source] of [
    ["exits", "process.exit(3)"],
    ["does not respond", "setInterval(() => 0, 1000)"],
  ] as const) {
    test(`fails the step and leaves no file behind if it ${what}`, async (t) => {
      const entry = await harness.copyDist(await createTempDir(t), { "refresher.cjs": () => source });
      const run = await harness.signIn({}, { entry });
      assert.equal(run.exitCode, 1, run.log);
      assert.match(run.log, /background process/);
      assert.equal(run.token, undefined);
      await harness.waitForRefresherExit();
      assert.deepEqual(await harness.listFiles(), []);
      assert.equal((await harness.post(run)).exitCode, 0);
    });
  }

  test("fails the step if Node is not permitted to start processes", async () => {
    const env = { NODE_OPTIONS: "--permission --allow-fs-read=* --allow-fs-write=*" };
    const run = await harness.signIn({}, { env, allowStderr: true });
    assert.equal(run.exitCode, 1, run.log);
    assert.match(run.log, /background process/);
    assert.deepEqual(await harness.listFiles(), []);
  });
});
