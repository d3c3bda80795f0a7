import assert from "node:assert/strict";
import { chmod, mkdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, afterEach, describe, test } from "node:test";
import { AuthRequest } from "../../shared/auth-request.ts";
import { systemClock } from "../../shared/clock.ts";
import { createSignInContext, requestToken } from "../../shared/sign-in.ts";
import { AuthFileHarness, exists, readAuthFileJson, requestTokenAsProvider } from "../support/auth-file-harness.ts";
import { httpRequest } from "../support/http-request.ts";
import { waitUntil } from "../support/poll.ts";
import { canListProcesses } from "../support/processes.ts";
import type { ActionRun } from "../support/run-action.ts";
import { TAGS_PATH } from "../support/scm-api.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { createSigner, readClaims, validClaims } from "../support/tokens.ts";

/** Tests the auth file from the main step that writes it to the post step that removes it. */

const isWindows = process.platform === "win32";
const OTHER_TSG_ID = "2345678901";
const harness = await AuthFileHarness.start({ tsgIds: ["1234567890", OTHER_TSG_ID] });
after(() => harness.close());
afterEach(() => harness.nextJob());

const assertSucceeded = (run: ActionRun): void => {
  assert.equal(run.exitCode, 0, run.log);
};
const assertFailed = (run: ActionRun, message: RegExp): void => {
  assert.equal(run.exitCode, 1, run.log);
  assert.match(run.log, message);
  assert.equal(run.token, undefined);
};
/** Asserts that the job left no files or processes behind. */
async function assertCleanedUp(directory?: string): Promise<void> {
  assert.deepEqual(await harness.listFiles(directory), []);
  await harness.waitForRefresherExit();
}

test("writes a private file without the secret for the providers, keeps it refreshed, and removes it", async () => {
  const before = harness.server.countTokenRequests();
  const run = await harness.signIn();
  assertSucceeded(run);
  const path = run.outputs["auth-file"] ?? "";
  assert.match(path, /[/\\]scm-auth-[0-9a-f]{12}\.json$/);
  assert.equal(dirname(path), harness.job.temp);
  assert.equal(run.env["TF_VAR_scm_auth_file"], path);
  if (!isWindows) assert.equal((await stat(path)).mode & 0o777, 0o600);
  assertNoSecret({ "the auth file": await readFile(path) }, [harness.server.clientSecret]);
  const file = await readAuthFileJson(path);
  assert.equal(file.jwt, run.token);
  assert.deepEqual([file.client_id, file.scope], [harness.server.clientId, `tsg_id:${harness.server.tsgId}`]);
  assert.match(file.auth_url, /^http:\/\/127\.0\.0\.1:\d+\/am\/oauth2\/access_token$/);
  assert.ok(run.masks.includes(file.client_secret), "the secret of the token server is masked");
  assert.ok(Date.parse(file.jwt_expires_at) / 1000 <= readClaims(file.jwt).exp);
  const authorization = `Bearer ${file.jwt}`;
  const url = `${harness.server.apiUrl}${TAGS_PATH}?folder=All`;
  assert.equal((await httpRequest(url, { ca: harness.server.ca, headers: { authorization } })).status, 200);
  assert.match(run.log, /refreshed until the job ends/);
  assert.equal(harness.server.countTokenRequests() - before, 1);

  const post = await harness.post(run);
  assertSucceeded(post);
  assert.match(post.log, /removed/i);
  await assertCleanedUp();
  await assert.rejects(requestTokenAsProvider(file), "the token server is closed");
});

test("serves its token to a provider that presents either the credentials in the file or the account's credentials", async () => {
  const run = await harness.signIn();
  const file = await readAuthFileJson(run.outputs["auth-file"]);
  const before = harness.server.requests.length;
  const response = (await (await requestTokenAsProvider(file)).json()) as Record<string, unknown>;
  assert.deepEqual([response["access_token"], response["token_type"]], [run.token, "Bearer"]);
  const { clientSecret } = harness.server;
  assert.equal((await requestTokenAsProvider({ ...file, client_secret: clientSecret })).status, 200);
  assert.equal((await requestTokenAsProvider({ ...file, client_secret: "x".repeat(43) })).status, 401);
  assert.equal(harness.server.requests.length, before);
  await harness.post(run);
});

test("sets outputs with which other tools can sign in at the token server, also in a later step", async () => {
  const first = await harness.signIn();
  const later = await harness.signIn();
  const file = await readAuthFileJson(first.outputs["auth-file"]);
  for (const { outputs, masks } of [first, later]) {
    const { "token-endpoint": authUrl = "", "token-endpoint-secret": secret = "" } = outputs;
    assert.deepEqual([authUrl, secret], [file.auth_url, file.client_secret]);
    assert.ok(masks.includes(secret));
    const { clientId, tsgId } = harness.server;
    // Clients of this project also verify the token, with the key that the token server serves.
    const request = AuthRequest.parse({ clientId, clientSecret: secret, tsgId, tokenUrl: authUrl });
    const limits = { deadline: systemClock.monotonic() + 30_000 };
    assert.equal((await requestToken(createSignInContext(request), limits)).value, first.token);
  }
  for (const run of [later, first]) await harness.post(run);
});

test("with keep-fresh: false, writes the token URL and a placeholder secret and starts no process", async () => {
  const run = await harness.signIn({ "keep-fresh": "false" });
  assertSucceeded(run);
  const file = await readAuthFileJson(run.outputs["auth-file"]);
  assert.equal(file.auth_url, harness.server.tokenUrl);
  assert.notEqual(file.client_secret, harness.server.clientSecret);
  assert.match(run.log, /not refreshed/);
  assert.deepEqual([run.outputs["token-endpoint"], run.outputs["token-endpoint-secret"]], ["", ""]);
  assert.deepEqual(await harness.findRefreshers(), []);
  assert.match((await harness.post(run)).log, /removed/i);
  await assertCleanedUp();
});

test("reuses the file in later steps with the same identity, and removes it in the first step's post step", async () => {
  const before = harness.server.countTokenRequests();
  const first = await harness.signIn();
  const second = await harness.signIn();
  const third = await harness.signIn({ "keep-fresh": "false" });
  for (const run of [second, third]) {
    assertSucceeded(run);
    assert.match(run.log, /the token from the auth file/);
    assert.equal(run.token, first.token);
    assert.equal(run.outputs["auth-file"], first.outputs["auth-file"]);
  }
  assert.equal(harness.server.countTokenRequests() - before, 1);
  if (canListProcesses) assert.equal((await harness.findRefreshers()).length, 1);
  for (const run of [third, second]) assertSucceeded(await harness.post(run));
  assert.equal(await exists(first.outputs["auth-file"]), true);
  await harness.post(first);
  await assertCleanedUp();
});

test("creates one valid file and one refresher when four steps run at once", async () => {
  const runs = await Promise.all(Array.from({ length: 4 }, () => harness.signIn()));
  runs.forEach(assertSucceeded);
  if (canListProcesses) await waitUntil("one refresher", async () => (await harness.findRefreshers()).length === 1);
  assert.equal((await requestTokenAsProvider(await readAuthFileJson(runs[0]?.outputs["auth-file"]))).status, 200);
  for (const run of runs) assertSucceeded(await harness.post(run));
  await assertCleanedUp();
});

test("writes a second file for a different identity, but keeps the variable that names the first file", async () => {
  const first = await harness.signIn();
  const second = await harness.signIn({ "tsg-id": OTHER_TSG_ID }, { env: first.env });
  assertSucceeded(second);
  assert.notEqual(second.outputs["auth-file"], first.outputs["auth-file"]);
  assert.equal(second.env["TF_VAR_scm_auth_file"], undefined);
  assert.match(second.log, /TF_VAR_scm_auth_file/);
  for (const run of [second, first]) await harness.post(run);
  await assertCleanedUp();
});

for (const [who, more, env] of [
  ["identity", { "tsg-id": OTHER_TSG_ID }, {}],
  ["job", {}, { RUNNER_TRACKING_ID: "github_other", GITHUB_RUN_ID: "7" }],
] as const) {
  test(`rejects the path of a file that belongs to another ${who}, and changes nothing`, async () => {
    const path = join(harness.job.temp, "shared.json");
    const first = await harness.signIn({ "auth-file": path });
    const text = await readFile(path, "utf8");
    const other = await harness.signIn({ "auth-file": path, ...more }, { env });
    assertFailed(other, /shared\.json/);
    await harness.post(other, { env });
    assert.equal(await readFile(path, "utf8"), text);
    await harness.post(first);
    assert.equal(await exists(path), false);
  });
}

test("creates a private directory, ignored by Git, for a file in the workspace", async () => {
  const umask = isWindows ? undefined : process.umask(0);
  try {
    const run = await harness.signIn({ "auth-file": ".scm/auth.json" });
    assertSucceeded(run);
    const directory = join(harness.job.workspace, ".scm");
    assert.equal(run.outputs["auth-file"], join(directory, "auth.json"));
    if (!isWindows) assert.equal((await stat(directory)).mode & 0o777, 0o700);
    assert.equal(await readFile(join(directory, ".gitignore"), "utf8"), "*\n");
    await harness.post(run);
    assert.equal(await exists(join(directory, "auth.json")), false);
  } finally {
    if (umask !== undefined) process.umask(umask);
  }
});

test("works with special characters and symbolic links in RUNNER_TEMP", { skip: isWindows }, async () => {
  const real = join(harness.job.temp, 'a b\'c "d" ü 漢 %0A $HOME');
  const link = join(harness.job.temp, "link");
  await mkdir(real, { mode: 0o700 });
  await symlink(real, link);
  for (const temp of [real, link]) {
    const env = { RUNNER_TEMP: temp };
    const run = await harness.signIn({}, { env });
    assertSucceeded(run);
    assert.equal((await requestTokenAsProvider(await readAuthFileJson(run.outputs["auth-file"]))).status, 200);
    assert.match((await harness.post(run, { env })).log, /removed/i);
    await assertCleanedUp(real);
  }
});

test("neither overwrites nor removes a file that it did not create", async () => {
  const managed = await harness.signIn({ "keep-fresh": "false" });
  const text = await readFile(managed.outputs["auth-file"] ?? "", "utf8");
  const path = join(harness.job.temp, "other.json");
  for (const content of [
    JSON.stringify({ client_id: "a", client_secret: "a secret of a user", scope: "tsg_id:1" }),
    text.slice(0, -3),
    JSON.stringify({ ...(JSON.parse(text) as object), client_secret: "a secret of a user" }),
    "\n::error::evil\n",
    "x".repeat(100_000),
  ]) {
    await writeFile(path, content, { mode: 0o600 });
    const requests = harness.server.requests.length;
    const run = await harness.signIn({ "auth-file": path });
    assertFailed(run, /other\.json/);
    assert.equal(harness.server.requests.length, requests);
    assertSucceeded(await harness.post(run));
    assert.equal(await readFile(path, "utf8"), content);
  }
});

test("replaces a file whose token is invalid or that is accessible to other users", async () => {
  const first = await harness.signIn({ "keep-fresh": "false" });
  const path = first.outputs["auth-file"] ?? "";
  const content = JSON.parse(await readFile(path, "utf8")) as object;
  const other = await harness.signIn({ "auth-file": "", "tsg-id": OTHER_TSG_ID });
  const signer = await createSigner();
  const { clientId, tsgId } = harness.server;
  const tokens = [other.token, signer.sign(validClaims({ clientId, tsgId })), "opaque", "\n::add-mask::evil"];
  for (const [index, jwt] of [...tokens, first.token].entries()) {
    await writeFile(path, `${JSON.stringify({ ...content, jwt }, undefined, 2)}\n`);
    const isReadable = index === tokens.length && !isWindows;
    await chmod(path, isReadable ? 0o644 : 0o600);
    const run = await harness.signIn({ "keep-fresh": "false" });
    assertSucceeded(run);
    if (index < tokens.length || isReadable) assert.notEqual(run.token, jwt);
    assert.ok(harness.server.issued.includes(run.token ?? ""));
    assert.equal((await readAuthFileJson(path)).jwt, run.token);
    assert.ok(!run.masks.includes("evil"));
    if (!isWindows) assert.equal((await stat(path)).mode & 0o777, 0o600);
  }
  await harness.post(first);
});

test("rejects a world-writable directory before it sends a request", { skip: isWindows }, async () => {
  const directory = join(harness.job.workspace, "open");
  await mkdir(directory);
  await chmod(directory, 0o777);
  const before = harness.server.requests.length;
  assertFailed(await harness.signIn({ "auth-file": join(directory, "auth.json") }), /Hint: .*chmod go-w/);
  assert.equal(harness.server.requests.length, before);
});

test("rejects paths that cannot be files", async () => {
  for (const path of ["a\n::error::evil.json", "yes", ...(isWindows ? [] : ["/proc/nope/a.json", "/", "~/a.json"])])
    assertFailed(await harness.signIn({ "auth-file": path, timeout: "10" }), /Error: (auth-file|File error:)/);
});

test("rejects auth-file: true without RUNNER_TEMP", async () => {
  assertFailed(await harness.signIn({}, { env: { RUNNER_TEMP: undefined } }), /RUNNER_TEMP/);
});

test("leaves nothing behind after a failed sign-in", async () => {
  const run = await harness.signIn({ "client-secret": "3d0a9a40-27f6-43c8-9a44-6ff5e4e0d3c1" });
  assertFailed(run, /invalid_client/);
  const post = await harness.post(run);
  assert.deepEqual([post.exitCode, post.log], [0, ""]);
  await assertCleanedUp();
});

test("leaves nothing behind if the state for the post step cannot be saved", async () => {
  const env = { GITHUB_STATE: join(harness.job.temp, "missing", "state") };
  assertFailed(await harness.signIn({}, { env }), /state .* cannot be written/);
  await assertCleanedUp();
});

test("warns about variables that override the file without showing their values", async () => {
  const run = await harness.signIn({}, { env: { TF_LOG: "DEBUG", SCM_AUTH_URL: "https://other.example/token" } });
  for (const name of ["TF_LOG", "SCM_AUTH_URL"])
    assert.ok(
      run.annotations.some(({ level, message }) => level === "warning" && message.startsWith(`${name} is set`)),
    );
  assert.doesNotMatch(run.log, /other\.example/);
  await harness.post(run);
});

describe("a main step that is killed", () => {
  for (const [signal, keepFresh] of [
    ["SIGKILL", "true"],
    ["SIGINT", "true"],
    ["SIGKILL", "false"],
  ] as const) {
    test(`is cleaned up by the post step: ${signal}, keep-fresh: ${keepFresh}`, { skip: isWindows }, async () => {
      const start = performance.now();
      const complete = await harness.begin({ "keep-fresh": keepFresh });
      await complete.exited;
      const duration = performance.now() - start;
      await harness.post({ state: await complete.readState() });
      for (const part of [0.4, 0.6, 0.75, 0.9]) {
        const step = await harness.begin({ "keep-fresh": keepFresh });
        await new Promise((resolve) => setTimeout(resolve, duration * part));
        step.child.kill(signal);
        await step.exited;
        assertSucceeded(await harness.post({ state: await step.readState() }));
        await assertCleanedUp();
      }
    });
  }

  test("leaves no temporary file behind if it is killed before it renames the file", { skip: isWindows }, async () => {
    const script = join(harness.job.workspace, "kill-at-rename.cjs");
    await writeFile(
      script,
      `const fs = require("node:fs/promises");
       const { rename } = fs;
       fs.rename = async (from, to) => {
         if (to.endsWith(".json")) process.kill(process.pid, "SIGKILL");
         return rename(from, to);
       };`,
    );
    const env = { NODE_OPTIONS: `--require ${script}` };
    const run = await harness.signIn({ "keep-fresh": "false" }, { env });
    assert.equal(run.signal, "SIGKILL", run.log);
    assertSucceeded(await harness.post(run));
    await assertCleanedUp();
  });
});

describe("the post step", () => {
  test("does nothing without state and succeeds when it runs twice", async () => {
    const nothing = await harness.post({ state: {} });
    assert.deepEqual([nothing.exitCode, nothing.stdout], [0, ""]);
    const run = await harness.signIn();
    await harness.post(run);
    assertSucceeded(await harness.post(run));
  });

  test("succeeds with a warning if the file's directory was removed", async () => {
    const temp = join(harness.job.temp, "temp");
    await mkdir(temp, { mode: 0o700 });
    const run = await harness.signIn({}, { env: { RUNNER_TEMP: temp } });
    await rm(temp, { recursive: true });
    await harness.waitForRefresherExit();
    const post = await harness.post(run, { env: { RUNNER_TEMP: temp } });
    assertSucceeded(post);
    assert.equal(post.annotations.length, 1, post.log);
  });

  test("removes no files and writes no injected commands if the state is hostile", async () => {
    const run = await harness.signIn();
    const path = run.outputs["auth-file"] ?? "";
    const [pathKey = ""] = Object.entries(run.state).find(([, value]) => value === path) ?? [];
    for (const value of [
      `${path}\n::error::evil`,
      "::add-mask::x%0A::error::evil",
      "/proc/self/mem",
      "/dev/zero",
      "/",
    ]) {
      const post = await harness.post({ state: { ...run.state, [pathKey]: value } }, { timeoutMs: 20_000 });
      assertSucceeded(post);
      for (const line of post.stdout.split("\n")) assert.doesNotMatch(line, /^::(?!warning title=scm-auth::|debug::)/);
    }
    await harness.post(run);
  });

  test("succeeds when the runner no longer reads stdout", async () => {
    const run = await harness.signIn();
    const post = await harness.post(run, { closeStdout: true });
    assert.deepEqual([post.exitCode, post.signal], [0, null]);
    await assertCleanedUp();
  });
});
