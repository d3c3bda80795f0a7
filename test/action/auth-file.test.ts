import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, chown, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { after, test, type TestContext } from "node:test";
import { cleanUpAuthFile, STATE } from "../../action/auth-file-cleanup.ts";
import { resolvePath, writeAuthFile } from "../../action/auth-file.ts";
import type { Source } from "../../action/log.ts";
import type { RefresherConfig } from "../../action/refresher/run.ts";
import { parseAuthFile, PLACEHOLDER_SECRET, type AuthFileContent } from "../../shared/auth-file/format.ts";
import { FIELDS, type FieldName } from "../../shared/auth-request-schema.ts";
import { AuthRequest } from "../../shared/auth-request.ts";
import { systemClock } from "../../shared/clock.ts";
import { isRunning } from "../../shared/process-id.ts";
import { createSignInContext, requestToken } from "../../shared/sign-in.ts";
import { waitUntil } from "../support/poll.ts";
import { runProcess } from "../support/processes.ts";
import { startScmServer, type ScmServerOptions } from "../support/scm-server.ts";
import { startScriptedServer } from "../support/scripted-server.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { RecordingRunner } from "./recording-runner.ts";

const notOnLinux = process.platform !== "linux" && "needs /proc";
const asRoot = notOnLinux || (process.getuid?.() !== 0 && "needs root");

const shared = await startScmServer();
after(shared.close);

/** A recording runner that also records the saved state and exported variables. */
class StepRunner extends RecordingRunner {
  readonly saved: Record<string, string> = {};
  readonly variables: Record<string, string> = {};
  readonly #state: Readonly<Record<string, string>>;

  constructor(state: Readonly<Record<string, string>> = {}) {
    super();
    this.#state = state;
  }

  get warnings(): readonly string[] {
    return this.lines.filter((line) => line.startsWith("warning"));
  }

  override saveState(name: string, value: string): void {
    this.saved[name] = value;
  }

  override getState(name: string): string {
    return this.#state[name] ?? "";
  }

  override exportVariable(name: string, value: string): void {
    this.variables[name] = value;
  }
}

interface StepOptions {
  readonly path?: string | true;
  readonly keepFresh?: boolean;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly verify?: boolean;
  readonly request?: AuthRequest;
  readonly refresherScript?: string;
}

/** Creates a job with its own directories and a function that runs a step in it. */
async function createJob(t: TestContext, serverOptions?: ScmServerOptions) {
  const server = serverOptions ? await startScmServer(serverOptions) : shared;
  if (serverOptions) t.after(server.close);
  const root = await createTempDir(t);
  const [temp, workspace] = [join(root, "_temp"), join(root, "work")];
  for (const directory of [temp, workspace]) await mkdir(directory);
  await writeFile(join(workspace, "main.tf"), "");
  const { clientId, clientSecret, tsgId, tokenUrl, ca } = server;
  const jobRequest = AuthRequest.parse({ clientId, clientSecret, tsgId, tokenUrl, ca });
  const jobEnv = {
    ...{ PATH: process.env["PATH"], RUNNER_TEMP: temp, GITHUB_WORKSPACE: workspace },
    ...{ RUNNER_ENVIRONMENT: "github-hosted", RUNNER_TRACKING_ID: root },
  };
  const run = async (options: StepOptions = {}) => {
    const { path = true, keepFresh = false, env = {}, verify = true, request = jobRequest } = options;
    const runner = new StepRunner();
    const context = createSignInContext(request, { verify, policy: { maxRetries: 0 } });
    const limits = { deadline: systemClock.monotonic() + 60_000 };
    const result = await writeAuthFile({
      ...{ runner, context, limits, env: { ...jobEnv, ...env } },
      inputs: { authFile: { path, keepFresh }, minTtl: undefined },
      signIn: async () => ({ token: await requestToken(context, limits), source: "new" satisfies Source }),
      refresherScript: options.refresherScript ?? resolve("action/refresher/main.ts"),
    });
    const [pid = "0", startedAt] = (runner.saved[STATE.refresher] ?? "").split(" ");
    const refresher = { pid: Number(pid), startedAt };
    t.after(() => {
      if (keepFresh && pid !== "0" && isRunning(refresher)) process.kill(refresher.pid, "SIGKILL");
    });
    const { saved, variables, lines, masked, warnings } = runner;
    return { saved, variables, lines, masked, warnings, result, refresher };
  };
  return { server, temp, workspace, run };
}

const read = async (path: string): Promise<AuthFileContent> => {
  const content = parseAuthFile(await readFile(path, "utf8"));
  assert.ok(content);
  return content;
};
const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
const post = async ({ saved }: { readonly saved: Readonly<Record<string, string>> }) => {
  const runner = new StepRunner(saved);
  await cleanUpAuthFile(runner);
  return runner;
};

test("writes a file without a refresher, sets TF_VAR_scm_auth_file, and removes the file in the post step", async (t) => {
  const { temp, run } = await createJob(t);
  const step = await run();
  const { path, source, isRefreshed } = step.result;
  assert.match(path, /\/scm-auth-[0-9a-f]{12}\.json$/);
  assert.ok(path.startsWith(temp));
  assert.deepEqual([source, isRefreshed, step.warnings], ["new", false, []]);
  assert.equal((await read(path)).clientSecret, PLACEHOLDER_SECRET);
  assert.deepEqual(step.variables, { TF_VAR_scm_auth_file: path });
  assert.deepEqual((await post(step)).lines, ["info: Removed the auth file."]);
  assert.deepEqual(await readdir(temp), []);
});

test("writes a file and starts a refresher that the next step reuses and only the first step's post step stops", async (t) => {
  const { server, temp, run } = await createJob(t);
  const requests = server.countTokenRequests();
  const first = await run({ keepFresh: true });
  const { path } = first.result;
  const { clientSecret } = await read(path);
  assert.ok(first.masked.includes(clientSecret), "the secret of the file is masked");
  assert.doesNotMatch(JSON.stringify(first.saved), new RegExp(clientSecret));
  const second = await run({ keepFresh: false });
  assert.deepEqual([second.result.source, second.result.isRefreshed, second.saved], ["auth-file", true, {}]);
  assert.match(second.lines.join("\n"), /An earlier step already refreshes this auth file/);
  assert.equal(server.countTokenRequests(), requests + 1);
  assert.deepEqual((await post(second)).lines, []);
  assert.equal(await exists(path), true);
  assert.deepEqual((await post(first)).lines, ["info: Removed the auth file (refreshed 0 times)."]);
  assert.deepEqual(await readdir(temp), []);
  await waitUntil("the refresher has exited", () => !isRunning(first.refresher));
});

test("passes every field of the request on to the refresher", async (t) => {
  const issuer = "https://auth.scm.test";
  const { server, temp, run } = await createJob(t, { issuer });
  const { clientId, clientSecret, tsgId, tokenUrl, jwksUrl, ca } = server;
  const scope = `tsg_id:${tsgId}`;
  const urls = { tokenUrl, jwksUrl, issuer };
  const fields: Record<FieldName, string> = { clientId, clientSecret, tsgId, scope, ...urls, ca: ca.trim() };
  const [script, output] = [join(temp, "refresher.mjs"), join(temp, "config.json")];
  await writeFile(
    script,
    `import { writeFileSync } from "node:fs";
    process.once("message", (config) => {
      writeFileSync(${JSON.stringify(output)}, JSON.stringify(config));
      process.send({}, () => process.disconnect());
    });`,
  );
  await run({ keepFresh: true, request: AuthRequest.parse(fields), refresherScript: script });
  const { authRequest } = JSON.parse(await readFile(output, "utf8")) as RefresherConfig;
  assert.deepEqual(authRequest, fields);
  assert.deepEqual(Object.keys(authRequest).sort(), [...FIELDS].sort());
});

test("writes one valid file if four steps without a refresher run at once, and removes it without a warning", async (t) => {
  const { temp, run } = await createJob(t);
  const steps = await Promise.all(Array.from({ length: 4 }, () => run()));
  const { jwt } = await read(steps[0]?.result.path ?? "");
  assert.ok(steps.some(({ result }) => result.token.value === jwt));
  const lines: string[] = [];
  for (const step of steps) lines.push(...(await post(step)).lines.map((line) => line.replace(/ \(.*\)/, "")));
  const again = "info: The auth file was already removed, for example by the post step of a later sign-in.";
  assert.deepEqual(lines, ["info: Removed the auth file.", again, again, again]);
  assert.deepEqual(await readdir(temp), []);
});

test("starts a refresher for a file written by an earlier step that did not start one", async (t) => {
  const { server, run } = await createJob(t);
  await run();
  const requests = server.countTokenRequests();
  const second = await run({ keepFresh: true });
  assert.deepEqual([second.result.source, server.countTokenRequests()], ["auth-file", requests]);
  assert.notEqual((await read(second.result.path)).clientSecret, PLACEHOLDER_SECRET);
  await post(second);
});

test("fails when the file belongs to another job", async (t) => {
  const { run } = await createJob(t);
  const first = await run({ keepFresh: true });
  const other = run({ keepFresh: true, env: { RUNNER_TRACKING_ID: "another job" } });
  await assert.rejects(other, { kind: "file", code: "auth_file_in_use" });
  await post(first);
});

test(
  "replaces a file whose refresher was killed and whose port is now used by another program",
  { skip: notOnLinux },
  async (t) => {
    const { run } = await createJob(t);
    const first = await run({ keepFresh: true });
    process.kill(first.refresher.pid, "SIGKILL");
    await waitUntil("the refresher has exited", () => !isRunning(first.refresher));
    const { path } = first.result;
    const stranger = await startScriptedServer({
      token: { body: { access_token: "x", token_type: "Bearer", job_id: "y" } },
      jwks: {},
      other: { status: 101, headers: { connection: "Upgrade", upgrade: "x" } },
    });
    t.after(stranger.close);
    const port = String(stranger.port);
    await writeFile(path, (await readFile(path, "utf8")).replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`));
    const second = await run({ keepFresh: true });
    assert.equal(second.result.source, "auth-file");
    assert.doesNotMatch(await readFile(path, "utf8"), new RegExp(`:${port}/`));
    await post(second);
  },
);

test(
  "the post step removes a killed refresher's file, and does not trust a program that now uses its port",
  { skip: notOnLinux },
  async (t) => {
    const { temp, run } = await createJob(t);
    const step = await run({ keepFresh: true });
    process.kill(step.refresher.pid, "SIGKILL");
    await waitUntil("the refresher has exited", () => !isRunning(step.refresher));
    const stranger = await startScriptedServer({ token: {}, jwks: {}, other: { body: { renewals: 9, outages: 0 } } });
    t.after(stranger.close);
    const { path } = step.result;
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${String(stranger.port)}`));
    assert.deepEqual((await post(step)).lines, [
      "warning: The auth file refresher exited before the job ended. The auth file was removed.",
    ]);
    assert.equal(stranger.requests.length, 0, "the secret is not sent to it");
    assert.deepEqual(await readdir(temp), []);
  },
);

test("the post step reports when the token expired and why it was not renewed", async (t) => {
  const { server, run } = await createJob(t, { ttl: 3 });
  const step = await run({ keepFresh: true });
  server.failTokenRequests({ status: 403 });
  await new Promise((done) => setTimeout(done, 6000));
  const { lines, warnings } = await post(step);
  assert.match(lines[0] ?? "", /refreshed \d+ times?, 1 outage/);
  assert.match(
    warnings.join(),
    /The token in the auth file expired at 20\S+Z and was not renewed, after \d+ failed attempts?\. The last error: .*403/,
  );
});

test("the post step reports a rejected renewal", async (t) => {
  const { server, run } = await createJob(t, { ttl: 12 });
  const step = await run({ keepFresh: true });
  server.changeSecret("another-secret");
  const requests = server.countTokenRequests();
  await waitUntil("a renewal was rejected", () => server.countTokenRequests() > requests, 30_000);
  await new Promise((done) => setTimeout(done, 300));
  assert.match((await post(step)).warnings.join(), /rejected a renewal|expired at.*invalid_client/);
});

test("the post step reports that the file was removed and stops a refresher that is still running", async (t) => {
  const { run } = await createJob(t);
  const step = await run({ keepFresh: true });
  await rm(step.result.path);
  assert.match(
    (await post(step)).lines.join(),
    /^warning: The auth file \(.*\) was removed before the job ended.*pkill node/,
  );
  await waitUntil("the refresher has exited", () => !isRunning(step.refresher));
});

test("the post step stops the refresher and removes the file if its owner was changed", { skip: asRoot }, async (t) => {
  const { temp, run } = await createJob(t);
  const step = await run({ keepFresh: true });
  await chown(step.result.path, 12_345, 12_345);
  assert.deepEqual((await post(step)).lines, ["info: Removed the auth file (refreshed 0 times)."]);
  await waitUntil("the refresher has exited", () => !isRunning(step.refresher));
  assert.deepEqual(await readdir(temp), []);
});

test(
  "the post step stops the refresher if the file now belongs to a user who denies access, and reports the user",
  { skip: asRoot },
  async (t) => {
    const { temp, run } = await createJob(t);
    await chmod(dirname(temp), 0o755);
    for (const [mode, message] of [
      [
        0o755,
        /^warning: The auth file .* belongs to another user \(uid 0\)\. .*last written at 20\S+Z\. It was not removed\.$/,
      ],
      [0o700, /permission denied\. Its directory belongs to another user \(uid 0\)\. It was not removed\.$/],
    ] as const) {
      const step = await run({ keepFresh: true });
      await chmod(temp, mode);
      process.seteuid?.(12_345);
      try {
        assert.match((await post(step)).lines.join(), message);
      } finally {
        process.seteuid?.(0);
      }
      assert.equal(isRunning(step.refresher), false);
    }
  },
);

test("the post step does not delete a file written by another program", async (t) => {
  const { run } = await createJob(t);
  const step = await run();
  await writeFile(step.result.path, "notes");
  assert.match(
    (await post(step)).lines.join(),
    /^warning: The file at .* was not created by this step\. It was not removed/,
  );
  assert.equal(await readFile(step.result.path, "utf8"), "notes");
});

test("the post step is silent when the main step did not write a file", async (t) => {
  const { temp } = await createJob(t);
  assert.deepEqual((await post({ saved: {} })).lines, []);
  assert.deepEqual((await post({ saved: { [STATE.path]: join(temp, "x"), [STATE.fingerprint]: "x" } })).lines, []);
});

test("the post step exits with 0 regardless of errors", async (t) => {
  const { temp } = await createJob(t);
  const runPost = (state: Readonly<Record<string, string>>, options = {}) =>
    runProcess(process.execPath, [resolve("action/post.ts")], {
      env: {
        ...process.env,
        ...Object.fromEntries(Object.entries(state).map(([name, value]) => [`STATE_${name}`, value])),
      },
      ...options,
    });
  const state = {
    [STATE.path]: temp,
    [STATE.fingerprint]: "x",
    [STATE.isWritten]: "true",
    [STATE.refresher]: "999999999 1",
  };
  const { exitCode, stdout } = await runPost(state);
  assert.match(stdout, /^::warning title=scm-auth::The auth file .* is a directory/);
  assert.equal(exitCode, 0);
  assert.equal((await runPost(state, { closeStdout: true })).exitCode, 0);
  const empty = await runPost({});
  assert.deepEqual([empty.exitCode, empty.log], [0, ""]);
});

test("removes the file and reports the reason when the refresher cannot start", async (t) => {
  const { workspace, run } = await createJob(t);
  const path = join(workspace, ".scm", "auth.json");
  await mkdir(join(workspace, ".scm"), { mode: 0o700 });
  await writeFile(path, "notes");
  await assert.rejects(run({ path, keepFresh: true }), { kind: "file", code: "auth_file_not_managed" });
  assert.equal(await readFile(path, "utf8"), "notes");
});

for (const [runnerEnvironment, level] of [
  ["github-hosted", "info"],
  ["self-hosted", "warning"],
  [undefined, "warning"],
] as const)
  test(`logs a message of level ${level} about a path outside RUNNER_TEMP if RUNNER_ENVIRONMENT is ${String(runnerEnvironment)}`, async (t) => {
    const { workspace, run } = await createJob(t);
    const step = await run({ path: join(workspace, "auth.json"), env: { RUNNER_ENVIRONMENT: runnerEnvironment } });
    assert.match(step.lines[0] ?? "", new RegExp(`^${level}: The auth file \\(.*\\) is outside RUNNER_TEMP`));
    assert.equal(step.lines.length, 1);
  });

test("warns about a file in an empty workspace because a checkout would delete it", async (t) => {
  const { workspace, run } = await createJob(t);
  await rm(join(workspace, "main.tf"));
  const step = await run({ path: join(workspace, ".scm", "auth.json") });
  assert.match(step.warnings.join(), /still empty. If actions\/checkout runs later/);
});

test("warns about a file that Git does not ignore", async (t) => {
  const { workspace, run } = await createJob(t);
  execFileSync("git", ["init", "--quiet", workspace]);
  assert.match((await run({ path: join(workspace, "auth.json") })).warnings.join(), /git does not ignore/);
  assert.deepEqual((await run({ path: join(workspace, ".scm", "auth.json") })).warnings, []);
});

test("warns about variables that override the file and about a group-writable directory", async (t) => {
  const { workspace, run } = await createJob(t);
  await chmod(workspace, 0o775);
  const step = await run({ path: join(workspace, "auth.json"), env: { TF_LOG: "DEBUG" } });
  assert.match(step.warnings.join("\n"), /TF_LOG is set.*\n.*can be written to by its group/s);
});

test("does not change TF_VAR_scm_auth_file when it names another file", async (t) => {
  const { run } = await createJob(t);
  const step = await run({ env: { TF_VAR_scm_auth_file: "/other.json" } });
  assert.deepEqual(step.variables, {});
  assert.match(step.warnings.join(), /already set to another auth file/);
});

test("the default path is different for each identity and requires RUNNER_TEMP", () => {
  const getPath = (tsgId: string, env = { RUNNER_TEMP: "/t" }): string =>
    resolvePath(
      true,
      AuthRequest.parse({ clientId: "ci@1.iam.panserviceaccount.com", clientSecret: "2e1c7f6b-8a56", tsgId }),
      env,
    );
  assert.notEqual(getPath("1"), getPath("2"));
  assert.throws(() => getPath("1", { RUNNER_TEMP: "" }), { kind: "config", message: /authFile cannot be true/ });
});
