import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { STATE } from "../../action/auth-file-cleanup.ts";
import { identifyProcess } from "../../action/refresher/job-monitor.ts";
import { getFingerprint } from "../../shared/auth-file/managed-file.ts";
import { serializeAuthFile, toTokenServerUrl } from "../../shared/auth-file/format.ts";
import { sealToken } from "../../shared/index.ts";
import { runProcess } from "../support/processes.ts";
import { runAction } from "../support/run-action.ts";
import { createJob } from "../support/runner-job.ts";
import { TOKEN_PATH } from "../support/scm-auth-server.ts";
import { startScmServer } from "../support/scm-server.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { validClaims } from "../support/tokens.ts";
import { FILES, NETWORK, PORTS, TIMEOUT, type Fault, type Setup } from "./faults.ts";
import { signer } from "./fixtures.ts";
import type { Operation } from "./operation-process.ts";

// Runs each operation with each fault that it can meet, as a real process. It must end soon after its time limit, with
// a message that names the cause.

/**
 * The time limit of the post step, in seconds. Operations that wait for a token server, which takes up to 3 s, also use
 * it, so that enough time is left on a busy machine.
 */
const LONG_TIMEOUT = 10;
/** How long after its time limit an operation may end, in milliseconds. */
const GRACE_MS = 2000;
/** The limit also grows with the time that the process took to start, which shows how busy the machine is. */
const START_FACTOR = 3;
/**
 * When a system call that does not respond completes, in milliseconds after its start. It cannot be canceled. The action
 * ends without waiting for it, but the library cannot end its caller's process.
 */
const SILENT_MS = String(TIMEOUT * 1000 + 1000);
/** Processes mostly wait, so more of them can run at once than there are cores. */
const CONCURRENCY = 8;

const JOB_SECRET = "j".repeat(43);
const server = await startScmServer({ signer });
after(server.close);
const { clientId, clientSecret, tsgId, ca, tokenUrl } = server;
const scope = `tsg_id:${tsgId}`;
const account = { clientId, clientSecret, tsgId, ca };
const jwt = signer.sign(validClaims({ clientId, tsgId }));
const sealed = await sealToken({ ...account, tokenUrl }, jwt);

/** Compiled modules, which processes that run TypeScript share. */
const cache = await mkdtemp(join(tmpdir(), "scm-auth-cache-"));
after(() => rm(cache, { recursive: true, force: true, maxRetries: 10 }));

// Operations

interface Outcome {
  readonly exitCode: number | null;
  readonly log: string;
  readonly durationMs: number;
  readonly firstOutputMs: number;
}

type Run = (setup: Setup, t: TestContext) => Promise<Outcome>;
type Variables = Readonly<Record<string, string | undefined>>;

const runMain =
  (more: Readonly<Record<string, string>> = {}): Run =>
  async ({ origin = server.origin, path, env = {}, timeout = TIMEOUT }, t) => {
    const inputs = {
      ...{ "client-id": clientId, "client-secret": clientSecret, "tsg-id": tsgId, "ca-cert": ca },
      ...{ "token-url": origin + TOKEN_PATH, timeout: String(timeout), "max-retries": "1" },
      ...(path !== undefined && { "auth-file": path }),
      ...more,
    };
    const job = await createJob();
    t.after(job.remove);
    return runAction({ inputs, env, job, secrets: () => server.issued });
  };

/** Runs the post step of a step whose refresher is running, but does not listen on its port. */
const runPost: Run = async ({ path = "", env = {} }, t) => {
  const refresher = spawn(process.execPath, ["-e", "setInterval(() => undefined, 1000)"], { stdio: "ignore" });
  t.after(() => refresher.kill("SIGKILL"));
  const { pid = 0, startedAt = "" } = identifyProcess(refresher.pid ?? 0) ?? {};
  const state = {
    [STATE.path]: path,
    [STATE.fingerprint]: getFingerprint({ clientId, scope, clientSecret: JOB_SECRET }),
    [STATE.isWritten]: "true",
    [STATE.refresher]: `${pid} ${startedAt}`,
  };
  // The step's only output is its result.
  return { ...(await runAction({ env, post: { state } })), firstOutputMs: 0 };
};

const runOperation =
  (name: Operation["name"], variables: Variables = {}): Run =>
  async ({ origin = server.origin, path, env, timeout = TIMEOUT }, t) => {
    const isApi = name === "session.request";
    const operation: Operation = {
      ...{ name, path, sealed, options: { timeout, maxRetries: 1 } },
      request: { ...account, tokenUrl: isApi ? tokenUrl : origin + TOKEN_PATH },
      ...(isApi && { apiUrl: origin }),
    };
    return runProcess(process.execPath, [fileURLToPath(new URL("operation-process.ts", import.meta.url))], {
      cwd: await createTempDir(t),
      env: {
        PATH: process.env["PATH"],
        NODE_COMPILE_CACHE: cache,
        SCM_CLIENT_SECRET: clientSecret,
        SILENT_MS,
        ...env,
        ...variables,
      },
      input: JSON.stringify(operation),
      timeoutMs: 20_000,
    });
  };

// The table

/** Sets up a valid auth file whose token server has ended. Something else listens on its port. */
const createStaleFile = async (directory: string, port: number): Promise<Setup> => {
  const path = join(directory, "a.json");
  const content = {
    ...{ clientId, clientSecret: JOB_SECRET, scope, authUrl: toTokenServerUrl(port), jwt },
    ...{ jwtExpiresAt: Date.now() + 600_000, jwtLifetime: 900_000 },
  };
  await writeFile(path, serializeAuthFile(content), { mode: 0o600 });
  return { path, timeout: LONG_TIMEOUT };
};

type Operations = Readonly<Record<string, Run>>;

// The post step, removeAuthFile, and the deletion of a resource use no network.
const NETWORK_OPERATIONS: Operations = {
  "the action": runMain(),
  "the action with auth-file": runMain({ "auth-file": "true" }),
  "the action with seal": runMain({ seal: "true" }),
  "the action with sealed-token": runMain({ "sealed-token": sealed }),
  "the action with check": runMain({ check: "true" }),
  "OAuth2Client.connect": runOperation("connect"),
  "session.request": runOperation("session.request"),
  unsealToken: runOperation("unsealToken"),
  ensureAuthFile: runOperation("ensureAuthFile"),
  "check of an AuthFile": runOperation("check of an AuthFile"),
  "read of an AuthFile": runOperation("read of an AuthFile"),
  "create of an AccessToken": runOperation("create of an AccessToken"),
};

// All others use no file.
const FILE_OPERATIONS: Operations = {
  "the action with auth-file": runMain(),
  ensureAuthFile: runOperation("ensureAuthFile"),
  "check of an AuthFile": runOperation("check of an AuthFile"),
  "check of an AuthFile without a secret": runOperation("check of an AuthFile", { SCM_CLIENT_SECRET: undefined }),
  "read of an AuthFile": runOperation("read of an AuthFile"),
};
/** Operations that do not fail. */
const REMOVALS: Operations = {
  "the post step": runPost,
  removeAuthFile: runOperation("removeAuthFile"),
  "delete of an AuthFile": runOperation("delete of an AuthFile"),
};

async function assertEnds(work: Promise<Outcome>, exitCode: 0 | 1, message: RegExp, timeout = TIMEOUT): Promise<void> {
  const { log, durationMs, firstOutputMs, ...outcome } = await work;
  assert.equal(outcome.exitCode, exitCode, log);
  assert.match(log, message);
  const [took, limit] = [durationMs - firstOutputMs, timeout * 1000 + GRACE_MS + START_FACTOR * firstOutputMs];
  assert.ok(took < limit, `took ${Math.round(took)} ms, more than ${Math.round(limit)}:\n${log}`);
}

function testEach(operations: Operations, faults: Readonly<Record<string, Fault>>): void {
  for (const [operation, run] of Object.entries(operations))
    for (const [fault, { set, message }] of Object.entries(faults))
      test(`${operation} fails in time: ${fault}`, async (t) => {
        const directory = await createTempDir(t);
        const path = join(directory, "new.json");
        await assertEnds(
          run({ ...(operation.includes("AuthFile") && { path }), ...(await set(directory)) }, t),
          1,
          message,
        );
      });
}

describe("network", { concurrency: CONCURRENCY }, () => {
  testEach(NETWORK_OPERATIONS, NETWORK);
});

describe("files", { concurrency: CONCURRENCY }, () => {
  testEach(FILE_OPERATIONS, FILES);
  for (const [operation, run] of Object.entries(REMOVALS))
    for (const [fault, { set, message }] of Object.entries(FILES))
      test(`${operation} ends in time: ${fault}`, async (t) => {
        const isPost = run === runPost;
        const timeout = isPost ? LONG_TIMEOUT : TIMEOUT;
        await assertEnds(run(await set(await createTempDir(t)), t), 0, isPost ? message : /succeeded/, timeout);
      });
});

describe("a stranger on the port of a token server", { concurrency: CONCURRENCY }, () => {
  for (const [operation, run] of Object.entries({ ...FILE_OPERATIONS, ...REMOVALS }))
    for (const [fault, port] of Object.entries(PORTS))
      test(`${operation} succeeds in time: ${fault}`, async (t) => {
        const setup = await createStaleFile(await createTempDir(t), port);
        await assertEnds(run(setup, t), 0, /succeeded|Signed in|The auth file was removed/, LONG_TIMEOUT);
        const text = await readFile(setup.path ?? "", "utf8").catch(() => "");
        if (!operation.includes("without a secret")) assert.ok(!text.includes(`:${port}/`), text);
      });
});
