import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { readAuthFileJson, requestTokenAsProvider } from "../support/auth-file-harness.ts";
import { runTrial, type Prepare, type RunningTrial, type Trial } from "../support/auth-file-trial.ts";
import { startChaosProxy, type Faults } from "../support/chaos-proxy.ts";
import { startConnectProxy, type ConnectProxyOptions } from "../support/connect-proxy.ts";
import { waitUntil } from "../support/poll.ts";
import { canListProcesses, findProgram } from "../support/processes.ts";
import { JWKS_PATH, TOKEN_PATH } from "../support/scm-auth-server.ts";
import type { EndpointFailure } from "../support/scm-server.ts";

/**
 * Each test runs a job with an auth file and tokens that are valid for seconds, while something fails. The file
 * contains a valid token at every look, or the post step warns since when and why it did not. All jobs run at the same
 * time.
 */

const durationMs = Number(process.env["SCM_AUTH_ENDURANCE_SECONDS"] ?? 45) * 1000;
const ttl = 15;
/** A failure that lasts this long leaves an expired token in the file. */
const LONG_MS = (ttl + 4) * 1000;
/** A failure that lasts this long ends well before the token expires, even if it starts right before a renewal. */
const SHORT_MS = 2500;
const HTML = { "content-type": "text/html" };
const OTHER_USER = 12_345;

const exec = promisify(execFile);
const needsRoot = process.getuid?.() !== 0 && "needs root";
const needsPrlimit = (await findProgram("prlimit")) === undefined && "prlimit is not on PATH";

/** Alternates between a failure and its end until the job ends. */
async function alternate({ end }: Pick<RunningTrial, "end">, fail: () => unknown, recover: () => unknown) {
  while (!end.aborted)
    for (const change of [fail, recover]) {
      await change();
      await delay(SHORT_MS);
    }
}

/** Makes something fail for longer than a token is valid. */
async function failLong(fail: () => unknown, recover: () => unknown): Promise<void> {
  await fail();
  await delay(LONG_MS);
  await recover();
}

/** Lets the server send each of these responses at least once, and issue a token after each. */
async function failOnce({ server }: RunningTrial, path: string, failures: readonly EndpointFailure[]): Promise<void> {
  const fail = path === JWKS_PATH ? server.failJwksRequests : server.failTokenRequests;
  const count = (): number => server.requests.filter((request) => request.path === path && request.status > 0).length;
  for (const failure of failures) {
    const [requests, tokens] = [count(), server.issued.length];
    fail(failure);
    await waitUntil("a failed request", () => count() > requests, durationMs);
    fail(undefined);
    await waitUntil("a token", () => server.issued.length > tokens, durationMs);
  }
}

/** Lets the server fail in many ways, and asks the token server in between. */
async function failRepeatedly(trial: RunningTrial): Promise<void> {
  const { server, path, pid } = trial;
  const failures: readonly (() => unknown)[] = [
    ...[403, 429, 503, 200].map((status) => () => {
      server.failTokenRequests({ status, headers: { ...HTML, "retry-after": "1" } });
    }),
    () => server.rotateKeys(),
    () => {
      server.delayTokenResponses(800);
    },
  ];
  let n = 0;
  const recover = async (): Promise<void> => {
    server.failTokenRequests(undefined);
    server.delayTokenResponses(0);
    assert.equal((await requestTokenAsProvider(await readAuthFileJson(path))).status, 200);
  };
  await alternate(trial, () => failures[n++ % failures.length]?.(), recover);
  const memory = Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
  assert.ok(memory < 200, `${memory} MiB`);
}

const toInputs = (origin: string) => ({ "token-url": origin + TOKEN_PATH, "jwks-url": origin + JWKS_PATH });

/** A step that reaches the server through a TCP relay. */
const throughRelay =
  (getFaults: () => Faults): Prepare =>
  async ({ server }, after) => {
    const relay = await startChaosProxy(server.port, getFaults);
    after(relay.close);
    return { inputs: toInputs(`https://127.0.0.1:${relay.port}`) };
  };

type ProxyOptions = { -readonly [Name in keyof ConnectProxyOptions]: ConnectProxyOptions[Name] };

/** A step that reaches the server through an HTTP proxy, which fails as long as `response` is set. */
function throughProxy(response: NonNullable<ProxyOptions["response"]> | "stopped"): Pick<Trial, "prepare" | "run"> {
  const options: ProxyOptions = { to: 0 };
  let proxy: Awaited<ReturnType<typeof startConnectProxy>>;
  return {
    prepare: async ({ server }, after) => {
      options.to = server.port;
      proxy = await startConnectProxy(options);
      options.port = proxy.port;
      after(() => proxy.close());
      return { inputs: toInputs(`https://auth.scm.test:${server.port}`), env: { https_proxy: proxy.url } };
    },
    run: (trial) =>
      response === "stopped"
        ? alternate(
            trial,
            () => proxy.close(),
            async () => (proxy = await startConnectProxy(options)),
          )
        : alternate(
            trial,
            () => (options.response = response),
            () => delete options.response,
          ),
  };
}

const inWorkspace: Prepare = () => Promise.resolve({ inputs: { "auth-file": ".scm/auth.json" } });
/** Returns the directory of the auth file, and the workspace. */
const getDirectories = (path: string): readonly string[] => [dirname(path), dirname(dirname(path))];

async function chownAll(path: string, user: number): Promise<void> {
  for (const entry of [path, ...getDirectories(path)]) await chown(entry, user, user);
}

async function chmodAll(path: string, fileMode: number, mode: number): Promise<void> {
  await chmod(path, fileMode);
  for (const directory of getDirectories(path)) await chmod(directory, mode);
}

/** Writes the auth file to a file system of 64 KiB. */
const onSmallDisk: Prepare = async ({ job }, after) => {
  const disk = join(job.workspace, "disk");
  await mkdir(disk);
  await exec("mount", ["-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", disk]);
  after(() => exec("umount", ["-l", disk]));
  return { inputs: { "auth-file": join(disk, "auth.json") } };
};

const limitFileSize = (pid: number, limit: string) => exec("prlimit", ["--pid", String(pid), `--fsize=${limit}:`]);

let faults: Faults = {};
const TRIALS: readonly Trial[] = [
  {
    name: "single 403, 500, and HTML responses at the token URL",
    run: (trial) =>
      failOnce(trial, TOKEN_PATH, [
        { status: 403, headers: HTML },
        { status: 403, body: { error: "Forbidden" } },
        { status: 500, body: { error: "server_error" } },
        { status: 200, headers: HTML },
      ]),
  },
  {
    name: "403 responses at the JWKS URL after a key rotation",
    run: async (trial) => {
      await trial.server.rotateKeys();
      await failOnce(trial, JWKS_PATH, [{ status: 403, headers: HTML }]);
    },
  },
  { name: "repeated failures of the server", run: failRepeatedly },
  {
    name: "an outage that is longer than the token's lifetime",
    run: ({ server }) =>
      failLong(
        () => {
          server.failTokenRequests({ status: 503 });
        },
        () => {
          server.failTokenRequests(undefined);
        },
      ),
    warning: /renewed.* after \d+ failed attempts\. The last error: .*503/,
  },
  {
    name: "a change of the client secret",
    run: ({ server }) => {
      server.changeSecret("another-secret-of-the-client");
    },
    warning: /was not renewed, after 1 failed attempt\. The last error: .*invalid_client/,
  },
  {
    name: "connection resets",
    prepare: throughRelay(() => faults),
    run: (trial) =>
      alternate(
        trial,
        () => (faults = { resetAfter: 2000 }),
        () => (faults = {}),
      ),
  },
  {
    name: "key rotations",
    run: ({ server, end }) =>
      alternate(
        { end },
        () => server.rotateKeys(),
        () => undefined,
      ),
  },
  { name: "a proxy that refuses the host at times", ...throughProxy(403) },
  { name: "a proxy that does not respond at times", ...throughProxy("hang") },
  { name: "restarts of the proxy", ...throughProxy("stopped") },
  ...[{ NODE_EXTRA_CA_CERTS: "ca.pem" }, { SSL_CERT_FILE: "ca.pem", NODE_OPTIONS: "--use-openssl-ca" }].map(
    (env): Trial => ({
      name: `a relative path in ${Object.keys(env)[0] ?? ""}`,
      prepare: async ({ server, job }) => {
        await writeFile(join(job.workspace, "ca.pem"), server.ca);
        return { inputs: { "ca-cert": "" }, env };
      },
    }),
  ),
  ...["--tls-max-v1.2", "--tls_max_v1.2"].map((flag): Trial => ({
    name: `a firewall that requires NODE_OPTIONS=${flag}`,
    // Node 24 sends a ClientHello of about 1,600 bytes for TLS 1.3.
    prepare: async (...args) => ({
      ...(await throughRelay(() => ({ maxHello: 1400 }))(...args)),
      env: { NODE_OPTIONS: flag },
    }),
  })),
  {
    name: "temporary changes of the workspace's owner",
    skip: needsRoot,
    prepare: inWorkspace,
    run: (trial) =>
      alternate(
        trial,
        () => chownAll(trial.path, OTHER_USER),
        () => chownAll(trial.path, 0),
      ),
  },
  {
    name: "a change of the workspace's owner",
    skip: needsRoot,
    prepare: inWorkspace,
    run: ({ path }) => chownAll(path, OTHER_USER),
    warning: /was not renewed, after \d+ failed attempts\. The last error: .*belongs to another user \(uid 12345\)/,
  },
  {
    name: "changes of the workspace's mode",
    prepare: inWorkspace,
    run: async (trial) => {
      await alternate(
        trial,
        () => chmodAll(trial.path, 0o666, 0o777),
        () => chmodAll(trial.path, 0o400, 0o500),
      );
      await chmodAll(trial.path, 0o600, 0o700);
    },
  },
  {
    name: "a disk that is full at times",
    skip: needsRoot,
    prepare: onSmallDisk,
    run: (trial) => {
      const filler = join(dirname(trial.path), "filler");
      return alternate(
        trial,
        () => assert.rejects(writeFile(filler, Buffer.alloc(200_000)), { code: "ENOSPC" }),
        () => writeFile(filler, ""),
      );
    },
  },
  {
    name: "a limit of the file size",
    skip: needsPrlimit,
    run: ({ pid }) =>
      failLong(
        () => limitFileSize(pid, "0"),
        () => limitFileSize(pid, "unlimited"),
      ),
    warning: /renewed.* after \d+ failed attempts\. The last error: .*file too large/,
  },
  {
    name: "a suspension that is longer than the token's lifetime",
    run: ({ pid }) =>
      failLong(
        () => process.kill(pid, "SIGSTOP"),
        () => process.kill(pid, "SIGCONT"),
      ),
    warning: /was renewed only .* later, because .* suspended/,
  },
  {
    name: "a suspension that does not end",
    run: ({ pid }) => process.kill(pid, "SIGSTOP"),
    warning: /did not respond\. The providers could not use its token after/,
  },
  {
    name: "the end of the refresher",
    run: ({ pid }) => process.kill(pid, "SIGKILL"),
    warning: /exited before the job ended\. The providers could not use its token after/,
  },
];

describe("the refresher", { skip: !canListProcesses && "needs /proc", concurrency: true }, () => {
  for (const trial of TRIALS) {
    const result = trial.warning ? "lets the post step explain an expired token after" : "holds a valid token despite";
    test(`${result} ${trial.name}`, { skip: trial.skip ?? false }, () => runTrial(trial, { ttl, durationMs }));
  }
});
