import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { runProcess, type ProcessResult } from "../support/processes.ts";
import { createTempDir } from "../support/temp-dir.ts";

const GUARD = new URL("../../action/exit-guard.ts", import.meta.url).href;
const { PATH, SystemRoot } = process.env;

interface GuardedOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  readonly closeStdout?: boolean;
}

/** Runs `body` in a guarded process, which prints the errors that are reported. */
const runGuardedProcess = (body: string, { env, flags = [], closeStdout = false }: GuardedOptions = {}) => {
  const script = `
    import { runGuarded } from ${JSON.stringify(GUARD)};
    runGuarded(async (signal, setTimeLimit) => { ${body} }, (error) => {
      console.log("reported: " + (error?.message ?? error));
    });`;
  return runProcess(process.execPath, [...flags, "--input-type=module", "--eval", script], {
    env: { PATH, SystemRoot, ...env },
    closeStdout,
  });
};

const summarize = ({ exitCode, stdout, stderr }: ProcessResult) => ({
  exitCode,
  stderr,
  reported: stdout.trim().split(/\r?\n/).filter(Boolean).join("; "),
});

const later = (code: string): string => `setTimeout(() => { ${code} }, 5);`;
const NEVER = "await new Promise(() => undefined);";
const SOON = "await new Promise((resolve) => setTimeout(resolve, 50));";
/** Keeps the process alive, as a DNS lookup without a response does. */
const HANDLE = "setInterval(() => undefined, 1000);";

const cases: readonly (readonly [run: string, body: string, exitCode: number, reported: string])[] = [
  ["that succeeds", SOON, 0, ""],
  ["that succeeds while a handle is open", HANDLE, 0, ""],
  ["that fails", `${SOON}throw new Error('a');`, 1, "reported: a"],
  ["that fails while a handle is open", `${HANDLE}throw new Error('a');`, 1, "reported: a"],
  ["that throws undefined", "throw undefined;", 1, "reported: undefined"],
  ["that never completes although the event loop is empty", NEVER, 1, "reported: the process exited before completing"],
  ["with an uncaught exception", `${later("throw new Error('a');")}${HANDLE}${NEVER}`, 1, "reported: a"],
  ["with an unhandled rejection", `${later("Promise.reject(new Error('a'));")}${HANDLE}${NEVER}`, 1, "reported: a"],
  ["that fails twice", `${later("throw new Error('b');")}throw new Error('a');`, 1, "reported: a"],
  ["that exceeds its time limit", `setTimeLimit(100);${HANDLE}${NEVER}`, 1, "reported: Network error: the step did not finish within 0.1 s."],
  ["that ends within its time limit", `setTimeLimit(60_000);${SOON}`, 0, ""],
  ["that reports whether the signal was aborted by a failure", `process.on('uncaughtException', () => console.log(signal.aborted));${later("throw new Error('a');")}${HANDLE}${NEVER}`, 1, "reported: a; true"],
]; // prettier-ignore
for (const [run, body, exitCode, reported] of cases) {
  test(`a run ${run} exits with ${exitCode}`, async () => {
    assert.deepEqual(summarize(await runGuardedProcess(body)), { exitCode, reported, stderr: "" });
  });
}

for (const [run, end, exitCode] of [
  ["that succeeds", "", 0],
  ["that fails", "throw new Error('a');", 1],
] as const) {
  test(
    `a run ${run} exits with ${exitCode} while a file operation is still pending`,
    { skip: process.platform === "win32" },
    async (t) => {
      const fifo = join(await createTempDir(t), "fifo");
      assert.equal((await runProcess("mkfifo", [fifo])).exitCode, 0);
      const body = `(await import("node:fs/promises")).open(${JSON.stringify(fifo)}); ${SOON}${end}`;
      const result = await runGuardedProcess(body, { env: { NODE_OPTIONS: "--trace-warnings" } });
      assert.deepEqual(summarize(result), { exitCode, reported: exitCode === 0 ? "" : "reported: a", stderr: "" });
    },
  );
}

test("a run that succeeds exits with 0 even if Node must not start other programs", async () => {
  const body = `process.getActiveResourcesInfo = () => ["FSReqCallback"];`;
  const env = { NODE_OPTIONS: "--permission --allow-fs-read=*" };
  assert.deepEqual(summarize(await runGuardedProcess(body, { env })), { exitCode: 0, reported: "", stderr: "" });
});

test(
  "a run that fails ends while a file operation is pending even if Node must not start other programs",
  { skip: process.platform === "win32" },
  async (t) => {
    const fifo = join(await createTempDir(t), "fifo");
    assert.equal((await runProcess("mkfifo", [fifo])).exitCode, 0);
    const body = `(await import("node:fs/promises")).open(${JSON.stringify(fifo)}); ${SOON}throw new Error('a');`;
    const env = { NODE_OPTIONS: "--permission --allow-fs-read=*" };
    const result = await runGuardedProcess(body, { env });
    assert.deepEqual(summarize(result), { exitCode: null, reported: "reported: a", stderr: "" });
    assert.ok(result.durationMs < 20_000);
  },
);

test("writes all output before the process exits, regardless of its size", async () => {
  const { stdout } = await runGuardedProcess("console.log('x'.repeat(1_000_000)); throw new Error('end');");
  assert.equal(stdout.trim().length, 1_000_000 + "\nreported: end".length);
});

test("exits when the runner no longer reads stdout", async () => {
  const body = `setInterval(() => console.log("x".repeat(100_000)), 1); ${NEVER}`;
  assert.equal((await runGuardedProcess(body, { closeStdout: true })).exitCode, 1);
});

const REQUEST = `
  const { createServer, request } = await import("node:https");
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  await new Promise((resolve) => request({ port: server.address().port, host: "127.0.0.1" }).on("error", resolve).end());`;

const warnings: readonly (readonly [what: string, body: string, env: Readonly<Record<string, string>>])[] = [
  ["deprecations", "process.emitWarning('x', 'DeprecationWarning', 'DEP1'); await new Promise(setImmediate);", {}],
  ["warnings with a trace", "process.emitWarning('x');", { NODE_OPTIONS: "--trace-warnings --trace-deprecation" }],
  ["deprecations with --throw-deprecation", "process.emitWarning('x', 'DeprecationWarning');", { NODE_OPTIONS: "--throw-deprecation" }],
  ["deprecations with --no-deprecation", "process.emitWarning('x', 'DeprecationWarning');", { NODE_OPTIONS: "--no-deprecation" }],
  ["Node's warning about NODE_TLS_REJECT_UNAUTHORIZED", REQUEST, { NODE_TLS_REJECT_UNAUTHORIZED: "0" }],
]; // prettier-ignore
for (const [what, body, env] of warnings) {
  test(`writes nothing to stderr: ${what}`, async () => {
    assert.deepEqual(summarize(await runGuardedProcess(body, { env })), { exitCode: 0, reported: "", stderr: "" });
  });
}
