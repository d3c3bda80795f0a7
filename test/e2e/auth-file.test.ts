import assert from "node:assert/strict";
import { once } from "node:events";
import { cp, lstat, mkdtemp, readdir, readFile, rm, stat, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { ask } from "../support/ask.ts";
import { assertNoCanary } from "../support/canaries.ts";
import { canSeeProcesses, processesOf, type SeenProcess } from "../support/orphans.ts";
import {
  inputVariables,
  makeJobFolder,
  makeStepFolder,
  readInputDefaults,
  type JobFolder,
} from "../support/runner-environment.ts";
import { runAction, type ActionOptions, type ActionRun } from "../support/runner.ts";
import { startScmServer, type ScmServer } from "../support/scm-server.ts";
import { spawn } from "../support/searched-process.ts";

/** The auth file of the real action, from the step that makes it to the post step that takes it away. */

const linux = canSeeProcesses ? {} : { skip: "processes are seen in /proc" };
const dist = fileURLToPath(new URL("../../dist/action/", import.meta.url));

interface AuthFile {
  readonly client_id: string;
  readonly client_secret: string;
  readonly scope: string;
  readonly host: string;
  readonly protocol: string;
  readonly auth_url: string;
  readonly jwt: string;
  readonly jwt_expires_at: string;
  readonly jwt_lifetime: number;
}

const readAuthFile = async (path: string): Promise<AuthFile> => JSON.parse(await readFile(path, "utf8")) as AuthFile;
const expiryOf = (jwt: string): number =>
  (JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString()) as { exp: number }).exp;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what: string, isSo: () => Promise<boolean>, limit = 5000): Promise<number> {
  const start = performance.now();
  while (!(await isSo())) {
    if (performance.now() - start > limit) assert.fail(`${what}: not so within ${limit} ms`);
    await pause(20);
  }
  return performance.now() - start;
}

let server: ScmServer;
let job: JobFolder;

const inputs = (more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> => ({
  "client-id": server.clientId,
  "client-secret": server.clientSecret,
  "tsg-id": server.tsgId,
  "token-url": server.tokenUrl,
  "ca-cert": server.ca,
  "auth-file": "true",
  ...more,
});
const signIn = (more?: Readonly<Record<string, string>>, options: Partial<ActionOptions> = {}): Promise<ActionRun> =>
  runAction({ inputs: inputs(more), job, canaries: () => [server.clientSecret, ...server.issued], ...options });
const post = (main: ActionRun, more?: Readonly<Record<string, string>>): Promise<ActionRun> =>
  runAction({
    inputs: inputs(more),
    job,
    post: { state: main.state },
    canaries: () => [server.clientSecret, ...server.issued],
  });
const tokenRequests = (): number => server.requests.filter(({ method }) => method === "POST").length;
const keepers = (): Promise<readonly SeenProcess[]> => processesOf(job.env["RUNNER_TRACKING_ID"] ?? "");
const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );
const leftIn = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder)).filter((name) => name.includes("scm-auth"));

/** What a provider does whose token has ended: signs in at the file's address with the file's credentials. */
async function signInAsProvider({ auth_url, client_id, client_secret, scope }: AuthFile): Promise<Response> {
  return fetch(auth_url, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString("base64")}` },
    body: new URLSearchParams({ grant_type: "client_credentials", scope }),
  });
}

describe("The auth file", () => {
  before(async () => {
    server = await startScmServer({ tenants: ["1234567890", "2345678901"] });
  });
  after(() => server.close());
  beforeEach(async () => {
    job = await makeJobFolder();
  });
  afterEach(async () => {
    for (const { pid } of canSeeProcesses ? await keepers() : []) process.kill(pid, "SIGKILL");
    await job.remove();
  });

  test("is what the providers read, for this user alone, without the secret, and gone after post", async () => {
    const before = tokenRequests();
    const run = await signIn();
    assert.equal(run.exitCode, 0, run.log);
    const path = run.outputs["auth-file"] ?? "";
    assert.equal(dirname(path), job.temp);
    assert.equal(run.env["TF_VAR_scm_auth_file"], path);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const text = await readFile(path, "utf8");
    assertNoCanary([server.clientSecret], { "the auth file": text });
    const file = await readAuthFile(path);
    assert.equal(file.jwt, run.token);
    assert.deepEqual(
      [file.client_id, file.scope, file.host, file.protocol, file.jwt_lifetime],
      [server.clientId, `tsg_id:${server.tsgId}`, "api.strata.paloaltonetworks.com", "https", 899],
    );
    assert.match(file.auth_url, /^http:\/\/127\.0\.0\.1:\d+\/am\/oauth2\/access_token$/);
    assert.ok(run.masks.includes(file.client_secret), "the job's secret is masked");
    assert.ok(Math.abs(Date.parse(file.jwt_expires_at) / 1000 - (expiryOf(file.jwt) - 60)) < 2);
    const { status } = await ask(`${server.apiUrl}/config/objects/v1/tags?folder=All`, {
      ca: server.ca,
      headers: { authorization: `Bearer ${file.jwt}` },
    });
    assert.equal(status, 200);
    assert.match(run.log, /kept fresh until the job ends/);
    assert.equal(tokenRequests() - before, 1);

    const end = await post(run);
    assert.equal(end.exitCode, 0);
    assert.match(end.log, /^The auth file is removed\. Its keeper renewed it 0 times\.$/);
    assert.equal(await exists(path), false);
    assert.deepEqual(await leftIn(job.temp), []);
    await assert.rejects(signInAsProvider(file), "the port is shut");
    if (canSeeProcesses) await until("the keeper has ended", async () => (await keepers()).length === 0, 1000);
  });

  test("lets a provider whose token ended sign in again, without the auth server", async () => {
    const run = await signIn();
    const file = await readAuthFile(run.outputs["auth-file"] ?? "");
    const before = server.requests.length;
    const answer = (await (await signInAsProvider(file)).json()) as Record<string, unknown>;
    assert.equal(answer["access_token"], run.token);
    assert.equal(answer["token_type"], "Bearer");
    assert.equal((await signInAsProvider({ ...file, client_secret: server.clientSecret })).status, 200);
    assert.equal((await signInAsProvider({ ...file, client_secret: "x".repeat(43) })).status, 401);
    assert.equal(server.requests.length, before);
    await post(run);
  });

  test("without keep-fresh names the auth server and a placeholder, has no keeper, and goes with post", async () => {
    const run = await signIn({ "keep-fresh": "false" });
    assert.equal(run.exitCode, 0, run.log);
    const path = run.outputs["auth-file"] ?? "";
    const file = await readAuthFile(path);
    assert.equal(file.auth_url, server.tokenUrl);
    assert.notEqual(file.client_secret, server.clientSecret);
    assert.match(run.log, /good as long as its token/);
    if (canSeeProcesses) assert.deepEqual(await keepers(), []);
    const end = await post(run);
    assert.equal(end.log, "The auth file is removed.");
    assert.deepEqual(await leftIn(job.temp), []);
  });

  test("serves two steps with one identity from one token request, and the first one's post ends it", async () => {
    const before = tokenRequests();
    const first = await signIn();
    const second = await signIn();
    assert.equal(second.exitCode, 0, second.log);
    assert.match(second.log, /the auth file's token/);
    assert.equal(second.token, first.token);
    assert.equal(second.outputs["auth-file"], first.outputs["auth-file"]);
    assert.equal(tokenRequests() - before, 1);
    if (canSeeProcesses) assert.equal((await keepers()).length, 1);
    assert.equal((await post(second)).log, "");
    assert.equal(await exists(first.outputs["auth-file"] ?? ""), true);
    await post(first);
    assert.deepEqual(await leftIn(job.temp), []);
  });

  test("goes on being kept when a second step does without, and the log says so", async () => {
    const first = await signIn();
    const second = await signIn({ "keep-fresh": "false" });
    assert.match(second.log, /A step before keeps this auth file fresh; that goes on/);
    assert.match((await readAuthFile(first.outputs["auth-file"] ?? "")).auth_url, /^http:\/\/127/);
    assert.equal((await post(second)).log, "");
    assert.equal(await exists(first.outputs["auth-file"] ?? ""), true);
    await post(first);
    assert.equal(await exists(first.outputs["auth-file"] ?? ""), false);
  });

  test("is another one for another identity, and the variable of the first one stays", async () => {
    const first = await signIn();
    const second = await signIn({ "tsg-id": "2345678901" }, { env: first.env });
    assert.equal(second.exitCode, 0, second.log);
    assert.notEqual(second.outputs["auth-file"], first.outputs["auth-file"]);
    assert.equal(second.env["TF_VAR_scm_auth_file"], undefined);
    assert.match(second.log, /TF_VAR_scm_auth_file names another auth file/);
    await post(second, { "tsg-id": "2345678901" });
    await post(first);
    assert.deepEqual(await leftIn(job.temp), []);
  });

  test("is never shared: another identity at its path is told so, and nothing changes", async () => {
    const path = join(job.temp, "shared.json");
    const first = await signIn({ "auth-file": path });
    const text = await readFile(path, "utf8");
    const second = await signIn({ "auth-file": path, "tsg-id": "2345678901" });
    assert.equal(second.exitCode, 1);
    assert.ok(second.log.includes(path), second.log);
    assert.equal(second.outputs["access-token"], undefined);
    assert.equal(await readFile(path, "utf8"), text);
    await post(second);
    assert.equal(await readFile(path, "utf8"), text);
    await post(first);
  });

  test("is never shared: another job at its path is told so, and nothing changes", async () => {
    const path = join(job.temp, "shared.json");
    const first = await signIn({ "auth-file": path });
    const text = await readFile(path, "utf8");
    const other = await signIn(
      { "auth-file": path },
      { env: { RUNNER_TRACKING_ID: "github_other", GITHUB_RUN_ID: "7" } },
    );
    assert.equal(other.exitCode, 1);
    assert.ok(other.log.includes(path), other.log);
    assert.equal(await readFile(path, "utf8"), text);
    await post(other);
    assert.equal(await readFile(path, "utf8"), text);
    await post(first);
    assert.equal(await exists(path), false);
  });

  test("outside the runner's folder is made where it was wished, with a warning", async () => {
    const run = await signIn({ "auth-file": ".scm/auth.json" });
    const path = join(job.workspace, ".scm/auth.json");
    assert.equal(run.outputs["auth-file"], path);
    assert.match(run.log, /outside the runner's temporary folder/);
    assert.equal(await readFile(join(job.workspace, ".scm/.gitignore"), "utf8"), "*\n");
    await post(run);
    assert.equal(await exists(path), false);
  });

  test("of a user's own is never overwritten", async () => {
    const path = join(job.workspace, "scm.json");
    const own = JSON.stringify({ client_id: "a", client_secret: "a secret of the user's", scope: "tsg_id:1" });
    await writeFile(path, own);
    const run = await signIn({ "auth-file": path });
    assert.equal(run.exitCode, 1);
    assert.ok(run.log.includes(path));
    assert.equal(await readFile(path, "utf8"), own);
    assert.equal((await post(run)).exitCode, 0);
    assert.equal(await readFile(path, "utf8"), own);
  });

  test("can't be the usual one without a RUNNER_TEMP", async () => {
    const run = await signIn({}, { env: { RUNNER_TEMP: undefined } });
    assert.equal(run.exitCode, 1);
    assert.match(run.log, /auth-file can't be true here: the runner set no RUNNER_TEMP/);
  });

  test("is not left by a sign-in that fails, and no keeper either", async () => {
    const run = await signIn({ "client-secret": "3d0a9a40-27f6-43c8-9a44-6ff5e4e0d3c1" });
    assert.equal(run.exitCode, 1);
    assert.deepEqual(await leftIn(job.temp), []);
    if (canSeeProcesses) assert.deepEqual(await keepers(), []);
    const end = await post(run);
    assert.deepEqual([end.exitCode, end.log], [0, ""]);
  });

  test("warns of each variable that would undo it, by name and without its value", async () => {
    const run = await signIn({}, { env: { TF_LOG: "DEBUG", SCM_AUTH_URL: "https://other.example/access_token" } });
    assert.match(run.log, /TF_LOG is set in this job\./);
    assert.match(run.log, /SCM_AUTH_URL is set in this job\./);
    assert.doesNotMatch(run.log, /other\.example/);
    await post(run);
  });

  test("post that has nothing to do, and post run twice, are quiet and green", async () => {
    const nothing = await runAction({ inputs: inputs(), job, post: { state: {} } });
    assert.deepEqual([nothing.exitCode, nothing.stdout], [0, ""]);
    const run = await signIn();
    await post(run);
    const again = await post(run);
    assert.equal(again.exitCode, 0);
    assert.match(again.log, /was gone before the job's end/);
  });
});

describe("The keeper", linux, () => {
  before(async () => {
    server = await startScmServer({ ttl: 6 });
  });
  after(() => server.close());
  beforeEach(async () => {
    job = await makeJobFolder();
  });
  afterEach(async () => {
    for (const { pid } of await keepers()) process.kill(pid, "SIGKILL");
    await job.remove();
  });

  test("keeps a living token in the file at every look, with few requests, and tells how often", async () => {
    const run = await signIn();
    const path = run.outputs["auth-file"] ?? "";
    const before = tokenRequests();
    const start = performance.now();
    const seen = new Set<string>();
    let looks = 0;
    while (performance.now() - start < 15_000) {
      const { jwt } = await readAuthFile(path);
      assert.ok(Date.now() / 1000 < expiryOf(jwt), `a dead token after ${Math.round(performance.now() - start)} ms`);
      seen.add(jwt);
      looks++;
      await pause(25);
    }
    const requests = tokenRequests() - before;
    // A renewal falls between a third and two thirds of a token's life.
    assert.ok(requests >= 3 && requests <= 9, `${requests} requests`);
    assert.ok(looks > 200);
    assert.ok(seen.size >= 4);
    assert.match((await post(run)).log, /renewed it \d+ times?\.$/);
  });

  test("is alone with what it needs: neither its environment, its arguments nor a file of its own holds a secret", async () => {
    const run = await signIn(
      {},
      { env: { ACTIONS_RUNTIME_TOKEN: "a-token-of-the-runner", NODE_OPTIONS: "--no-deprecation" } },
    );
    const [keeper, ...others] = await keepers();
    assert.ok(keeper);
    assert.deepEqual(others, []);
    const { client_secret: jobSecret } = await readAuthFile(run.outputs["auth-file"] ?? "");
    assertNoCanary([server.clientSecret, jobSecret, run.token ?? ""], {
      "the keeper's environment": keeper.environment,
      "the keeper's arguments": keeper.commandLine,
      "the state": JSON.stringify(run.state),
    });
    assert.doesNotMatch(keeper.environment, /INPUT_|ACTIONS_|GITHUB_/);
    const open = await readdir(`/proc/${keeper.pid}/fd`);
    assert.ok(open.length < 40);
    await post(run);
  });

  test("opens no debugger on SIGUSR1", async () => {
    const run = await signIn();
    const [keeper] = await keepers();
    assert.ok(keeper);
    for (let times = 0; times < 3; times++) process.kill(keeper.pid, "SIGUSR1");
    await pause(300);
    await assert.rejects(fetch("http://127.0.0.1:9229/json/version"));
    assert.equal((await keepers()).length, 1);
    assert.match((await post(run)).log, /removed/);
  });

  test("ends within a second when the file is gone, and the file stays gone", async () => {
    const run = await signIn();
    const path = run.outputs["auth-file"] ?? "";
    await unlink(path);
    await until("the keeper has ended", async () => (await keepers()).length === 0, 1500);
    await pause(300);
    assert.equal(await exists(path), false);
    const end = await post(run);
    assert.equal(end.exitCode, 0);
    assert.match(end.log, /was gone before the job's end/);
  });

  test("ends when somebody puts another file there, which stays", async () => {
    const run = await signIn();
    const path = run.outputs["auth-file"] ?? "";
    await writeFile(path, "another's");
    await until("the keeper has ended", async () => (await keepers()).length === 0, 1500);
    const end = await post(run);
    assert.match(end.log, /is not this step's .*; it stays/);
    assert.equal(await readFile(path, "utf8"), "another's");
  });

  test("that was killed is told of by post, which takes the file away", async () => {
    const run = await signIn();
    const [keeper] = await keepers();
    process.kill(keeper?.pid ?? 0, "SIGKILL");
    await until("the keeper is dead", async () => (await keepers()).length === 0);
    const end = await post(run);
    assert.equal(end.exitCode, 0);
    assert.match(end.log, /had died before the job's end; the file is removed now/);
    assert.deepEqual(await leftIn(job.temp), []);
  });

  test("that was killed is replaced by the next step's", async () => {
    const first = await signIn();
    const [keeper] = await keepers();
    process.kill(keeper?.pid ?? 0, "SIGKILL");
    await until("the keeper is dead", async () => (await keepers()).length === 0);
    const second = await signIn();
    assert.equal(second.exitCode, 0, second.log);
    assert.equal((await keepers()).length, 1);
    assert.equal((await signInAsProvider(await readAuthFile(second.outputs["auth-file"] ?? ""))).status, 200);
    await post(second);
    assert.deepEqual(await leftIn(job.temp), []);
    assert.equal((await post(first)).exitCode, 0);
  });

  test("ends with the runner's clean-up, and takes the file along", async () => {
    const run = await signIn();
    for (const { pid } of await keepers()) process.kill(pid, "SIGTERM");
    await until("the keeper has ended", async () => (await keepers()).length === 0, 1500);
    assert.equal(await exists(run.outputs["auth-file"] ?? ""), false);
  });

  test("ends with the process that ran the step, and takes the file along", async () => {
    const step = await makeStepFolder(job);
    const defaults = await readInputDefaults(fileURLToPath(new URL("../../action.yml", import.meta.url)));
    // The runner's stand-in: a parent that outlives main, and then is killed before any post step.
    const program = `
      const { spawnSync } = require("node:child_process");
      spawnSync(process.execPath, [${JSON.stringify(join(dist, "main.cjs"))}], { stdio: "ignore" });
      console.log("through");
      setTimeout(() => undefined, 60_000);`;
    const parent = spawn(process.execPath, ["-e", program], {
      cwd: job.workspace,
      env: { ...step.env, ...inputVariables({ ...defaults, ...inputs() }) },
      stdio: ["ignore", "pipe", "ignore"],
    });
    try {
      await once(parent.stdout, "data");
      assert.equal((await leftIn(job.temp)).length, 1);
      assert.ok((await keepers()).some(({ commandLine }) => commandLine.includes("keeper.cjs")));
    } finally {
      parent.kill("SIGKILL");
    }
    await until(
      "the keeper has ended",
      async () => !(await keepers()).some(({ commandLine }) => commandLine.includes("keeper.cjs")),
      3000,
    );
    assert.deepEqual(await leftIn(job.temp), []);
  });

  test("that can't start fails the step, and leaves no file", async () => {
    const copy = await mkdtemp(join(tmpdir(), "scm-auth-dist-"));
    try {
      await cp(dist, copy, { recursive: true });
      await writeFile(join(copy, "keeper.cjs"), "process.exit(3)");
      const run = await signIn({}, { entry: join(copy, "main.cjs") });
      assert.equal(run.exitCode, 1);
      assert.match(run.log, /the auth file can't be kept fresh: the background process ended at once/);
      assert.equal(run.outputs["access-token"], undefined);
      assert.deepEqual(await leftIn(job.temp), []);
      assert.equal((await post(run)).exitCode, 0);
    } finally {
      await rm(copy, { recursive: true });
    }
  });

  test("of a main that dies before the file stands ends by itself", async () => {
    const copy = await mkdtemp(join(tmpdir(), "scm-auth-dist-"));
    try {
      await cp(dist, copy, { recursive: true });
      // Once the keeper listens, main is killed: its folder can no longer be written to be read.
      const source = await readFile(join(copy, "main.cjs"), "utf8");
      await writeFile(
        join(copy, "main.cjs"),
        `process.on("message",()=>0);const c=require("node:child_process"),s=c.spawn;c.spawn=(...a)=>{const p=s(...a);p.once("message",()=>process.kill(process.pid,"SIGKILL"));return p};${source}`,
      );
      const run = await signIn({}, { entry: join(copy, "main.cjs") });
      assert.equal(run.signal, "SIGKILL");
      await until("the keeper has ended", async () => (await keepers()).length === 0, 3000);
    } finally {
      await rm(copy, { recursive: true });
    }
  });
});
