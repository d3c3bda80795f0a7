import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { after, test, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { getFingerprint } from "../../../shared/auth-file/managed-file.ts";
import type { RefresherConfig } from "../../../action/refresher/run.ts";
import { getEnvironment, getNetworkFlags, getProcessFlags, spawnRefresher } from "../../../action/refresher/spawn.ts";
import { parseAuthFile, type AuthFileContent } from "../../../shared/auth-file/format.ts";
import { requestServedToken, stopRefresher } from "../../../shared/auth-file/token-server-client.ts";
import { AuthRequest } from "../../../shared/auth-request.ts";
import { systemClock } from "../../../shared/clock.ts";
import { AuthError } from "../../../shared/errors.ts";
import { isRunning, type ProcessId } from "../../../shared/process-id.ts";
import { createSignInContext, requestToken } from "../../../shared/sign-in.ts";
import { waitUntil } from "../../support/poll.ts";
import { runProcess } from "../../support/processes.ts";
import { startScmServer, type ScmServer, type ScmServerOptions } from "../../support/scm-server.ts";
import { assertNoSecret } from "../../support/secrets.ts";
import { createTempDir } from "../../support/temp-dir.ts";

const SCRIPT = resolve("action/refresher/main.ts");
const JOB_SECRET = "j".repeat(43);
const notOnLinux = process.platform !== "linux" && "needs /proc";

const server = await startScmServer();
after(server.close);

const limits = (timeoutMs = 30_000) => ({ deadline: systemClock.monotonic() + timeoutMs });

async function createConfig(path: string, from = server): Promise<RefresherConfig> {
  const { clientId, clientSecret, tsgId, tokenUrl, jwksUrl, ca } = from;
  const authRequest = AuthRequest.parse({ clientId, clientSecret, tsgId, tokenUrl, ca });
  const token = await requestToken(createSignInContext(authRequest), limits());
  return {
    authRequest: { clientId, clientSecret, scope: authRequest.scope, tokenUrl, jwksUrl, ca },
    verify: true,
    token: {
      ...{ value: token.value, expiresAt: token.expiresAt?.getTime(), remaining: token.remaining(systemClock) },
      ...{ lifetime: token.lifetime, scope: token.scope, signingKey: token.signingKey },
    },
    ...{ path, jobSecret: JOB_SECRET, jobId: "job-1" },
  };
}

interface RunningRefresher {
  readonly path: string;
  readonly process: ProcessId;
  readonly config: RefresherConfig;
  readonly read: () => Promise<AuthFileContent>;
  readonly waitForExit: () => Promise<void>;
}

async function start(
  t: TestContext,
  options?: ScmServerOptions,
  script = SCRIPT,
): Promise<RunningRefresher & { server: ScmServer }> {
  const own = options && (await startScmServer(options));
  if (own) t.after(own.close);
  const path = join(await createTempDir(t), "auth.json");
  const config = await createConfig(path, own ?? server);
  const processId = await spawnRefresher(script, config, { limits: limits() });
  assert.ok(processId);
  t.after(() => {
    if (isRunning(processId)) process.kill(processId.pid, "SIGKILL");
  });
  const read = async (): Promise<AuthFileContent> => {
    const content = parseAuthFile(await readFile(path, "utf8"));
    assert.ok(content);
    return content;
  };
  const waitForExit = () => waitUntil("the refresher has exited", () => !isRunning(processId));
  return { server: own ?? server, path, config, process: processId, read, waitForExit };
}

test("writes the file, serves its token, and exits on request", async (t) => {
  const { path, config, read, waitForExit } = await start(t);
  const content = await read();
  assert.equal(content.jwt, config.token.value);
  assert.equal(getFingerprint(content), getFingerprint({ ...content, clientSecret: JOB_SECRET }));
  assert.deepEqual(await requestServedToken(content), { token: config.token.value, jobId: "job-1" });
  const stats = { renewals: 0, outages: 0 };
  assert.deepEqual(await stopRefresher(content), stats);
  await waitForExit();
  await assert.rejects(readFile(path), { code: "ENOENT" });
});

test("exits on request while a file operation is still pending", { skip: process.platform === "win32" }, async (t) => {
  const [dir, file] = [await createTempDir(t), JSON.stringify(pathToFileURL(SCRIPT))];
  assert.equal((await runProcess("mkfifo", [join(dir, "fifo")])).exitCode, 0);
  const script = `import { open } from "node:fs/promises"; open(import.meta.dirname + "/fifo"); import ${file};`;
  await writeFile(join(dir, "main.mjs"), script);
  const { read, waitForExit } = await start(t, undefined, join(dir, "main.mjs"));
  await stopRefresher(await read());
  await waitForExit();
});

test("renews the token in the file", async (t) => {
  const { server: own, read } = await start(t, { ttl: 4 });
  await waitUntil("the token was renewed twice", () => own.issued.length >= 3, 30_000);
  await waitUntil("the file contains the new token", async () => own.issued.indexOf((await read()).jwt) >= 1);
  const stats = await stopRefresher(await read());
  assert.ok(stats !== undefined && stats.renewals >= 1);
});

test("reports the period without a valid token", async (t) => {
  const { server: own, read } = await start(t, { ttl: 3 });
  own.failTokenRequests({ status: 503 });
  await waitUntil("the token has expired", async () => (await requestServedToken(await read())) === undefined, 30_000);
  await new Promise((done) => setTimeout(done, 3000));
  const stats = await stopRefresher(await read());
  assert.match(stats?.gap?.error?.message ?? "", /503/);
  assert.ok((stats?.gap?.failedAttempts ?? 0) > 0);
});

test("exits when the file is removed and does not recreate it", async (t) => {
  const { path, waitForExit } = await start(t);
  await rm(path);
  await waitForExit();
  await assert.rejects(readFile(path), { code: "ENOENT" });
});

test("exits when its file is replaced by another file, and leaves that file unchanged", async (t) => {
  const { path, waitForExit } = await start(t);
  await writeFile(path, "notes");
  await waitForExit();
  assert.equal(await readFile(path, "utf8"), "notes");
});

test("removes the file on SIGTERM and ignores SIGINT and SIGHUP", async (t) => {
  if (notOnLinux) return;
  const { path, process: processId, waitForExit, read } = await start(t);
  for (const signal of ["SIGINT", "SIGHUP"] as const) process.kill(processId.pid, signal);
  await read();
  process.kill(processId.pid, "SIGTERM");
  await waitForExit();
  await assert.rejects(readFile(path), { code: "ENOENT" });
});

test(
  "has no secret in its arguments or environment and disables memory in core dumps",
  { skip: notOnLinux },
  async (t) => {
    process.env["INPUT_CLIENT-SECRET"] = server.clientSecret;
    t.after(() => delete process.env["INPUT_CLIENT-SECRET"]);
    const { process: processId, config } = await start(t);
    const read = (name: string): Promise<string> => readFile(`/proc/${processId.pid}/${name}`, "latin1");
    const texts = { arguments: await read("cmdline"), environment: await read("environ") };
    assertNoSecret(texts, [server.clientSecret, JOB_SECRET, config.token.value]);
    assert.doesNotMatch(texts.environment, /INPUT_/);
    assert.equal((await read("coredump_filter")).trim(), "00000000");
  },
);

for (const [name, prepare, code] of [
  ["a directory at the path", (path: string) => mkdir(path), "auth_file_invalid_path"],
  ["an unmanaged file", (path: string) => writeFile(path, "notes"), "auth_file_not_managed"],
] as const)
  test(`reports ${name} and leaves neither a process nor a file behind`, async (t) => {
    const directory = await createTempDir(t);
    const path = join(directory, "auth.json");
    await prepare(path);
    const error = { kind: "file", code };
    await assert.rejects(spawnRefresher(SCRIPT, await createConfig(path), { limits: limits() }), error);
    assert.deepEqual(await readdir(directory), ["auth.json"]);
  });

test("reports an invalid refresher configuration", async (t) => {
  const config = await createConfig(join(await createTempDir(t), "auth.json"));
  const invalid = { ...config, authRequest: { ...config.authRequest, tokenUrl: "ftp://x" } };
  await assert.rejects(spawnRefresher(SCRIPT, invalid, { limits: limits() }), { kind: "config" });
});

test("reports a refresher that exits, does not respond, or cannot be started", async (t) => {
  const directory = await createTempDir(t);
  const config = await createConfig(join(directory, "auth.json"));
  const write = async (name: string, code: string): Promise<string> => {
    await writeFile(join(directory, name), code);
    return join(directory, name);
  };
  const cases = [
    [await write("exit.cjs", "process.exit(3)"), limits(), /exited \(code 3\)/],
    [
      await write("hang.cjs", "setTimeout(() => {}, 60_000); process.on('message', () => {})"),
      limits(1500),
      /did not start within/,
    ],
    [join(directory, "missing.cjs"), limits(), /exited \(code 1\)/],
  ] as const;
  for (const [script, within, message] of cases)
    await assert.rejects(spawnRefresher(script, config, { limits: within }), { code: "refresher_failed", message });
  const signal = AbortSignal.timeout(200);
  const hang = join(directory, "hang.cjs");
  const aborted = spawnRefresher(hang, config, { limits: { ...limits(), signal } });
  await assert.rejects(aborted, (error) => AuthError.isAuthError(error) && error.kind === "aborted");
});

test(
  "removes the file and exits if the main step is killed before it receives the reply",
  { skip: notOnLinux },
  async (t) => {
    const directory = await createTempDir(t);
    const path = join(directory, "auth.json");
    // This parent kills itself as soon as it has sent the configuration.
    const code = `
    const child = require("node:child_process").spawn(process.execPath, [process.argv[1]], { detached: true, stdio: ["ignore", "ignore", "ignore", "ipc"] });
    console.log(child.pid);
    child.send(JSON.parse(process.argv[2]), () => process.kill(process.pid, "SIGKILL"));`;
    const args = ["-e", code, SCRIPT, JSON.stringify(await createConfig(path))];
    const main = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
    const [output] = (await once(main.stdout, "data")) as [Buffer];
    const processId = { pid: Number(String(output)), startedAt: undefined };
    await once(main, "exit");
    await waitUntil("the refresher has exited", () => !isRunning(processId), 30_000);
    assert.deepEqual(await readdir(directory), []);
  },
);

test("passes only allowed variables to the refresher and makes their paths absolute", () => {
  const env = {
    ...{ PATH: "/bin", HTTPS_PROXY: "http://proxy:3128", no_proxy: "x", RUNNER_TEMP: "/t", RUNNER_TRACKING_ID: "id" },
    ...{ NODE_EXTRA_CA_CERTS: "ca.pem", SSL_CERT_DIR: ["certs", "/etc/ssl"].join(delimiter), SSL_CERT_FILE: "" },
    ...{ "INPUT_CLIENT-SECRET": "x", ACTIONS_RUNTIME_TOKEN: "x", GITHUB_TOKEN: "x", NODE_OPTIONS: "--inspect" },
  };
  assert.deepEqual(getEnvironment(env), {
    ...{ PATH: "/bin", HTTPS_PROXY: "http://proxy:3128", no_proxy: "x", RUNNER_TEMP: "/t", RUNNER_TRACKING_ID: "id" },
    NODE_EXTRA_CA_CERTS: resolve("ca.pem"),
    SSL_CERT_DIR: [resolve("certs"), resolve("/etc/ssl")].join(delimiter),
    NODE_V8_COVERAGE: undefined,
  });
});

for (const [options, expected] of [
  ["--tls-max-v1.2 --inspect --max-old-space-size=50", ["--tls-max-v1.2"]],
  ["--tls-cipher-list=A:B --use-system-ca", ["--tls-cipher-list=A:B", "--use-system-ca"]],
  ["--dns-result-order ipv4first --require ./x.cjs", ["--dns-result-order=ipv4first"]],
  ["--no-network-family-autoselection", ["--no-network-family-autoselection"]],
  ["--network-family-autoselection-attempt-timeout=500", ["--network-family-autoselection-attempt-timeout=500"]],
  ['--openssl-config="my openssl.cnf"', [`--openssl-config=${resolve("my openssl.cnf")}`]],
  ["--max-http-header-size 32768", ["--max-http-header-size=32768"]],
  ["--tls_max_v1.2 --max_http_header_size=32768", ["--tls-max-v1.2", "--max-http-header-size=32768"]],
  ["--insecure-http-parser --openssl-legacy-provider", ["--insecure-http-parser", "--openssl-legacy-provider"]],
  ["--tls-keylog=/tmp/keys", []],
  ["", []],
] as const)
  test(`extracts the network flags from NODE_OPTIONS=${JSON.stringify(options)}`, () => {
    assert.deepEqual(getNetworkFlags([], options), expected);
  });

test("passes only the process flags that this version of Node supports", () => {
  assert.deepEqual(getProcessFlags(new Set(["--disable-sigusr1"])), ["--max-semi-space-size=2", "--disable-sigusr1"]);
  assert.deepEqual(getProcessFlags(new Set()), ["--max-semi-space-size=2"]);
});

test("starts the refresher with network flags that Node accepts", async (t) => {
  const env = { ...process.env, NODE_OPTIONS: "--tls-max-v1.2 --dns-result-order=ipv4first --use-bundled-ca" };
  const path = join(await createTempDir(t), "auth.json");
  await spawnRefresher(SCRIPT, await createConfig(path), { env, limits: limits() });
  const content = parseAuthFile(await readFile(path, "utf8"));
  assert.ok(content && (await stopRefresher(content)));
});
