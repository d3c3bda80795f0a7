import { writeFileSync } from "node:fs";
import type { Milliseconds } from "../shared/clock.ts";
import { formatDuration } from "../shared/duration.ts";
import { AuthError } from "../shared/errors.ts";

/** How long stdout may take at the end. A runner that does not read it must not hold the process. */
const FLUSH_TIMEOUT_MS: Milliseconds = 3000;

/** A run of the action. It must not produce outputs once `signal` is aborted: something else failed. */
type GuardedRun = (signal: AbortSignal, setTimeLimit: (limit: Milliseconds) => void) => Promise<void>;

/**
 * Runs the whole action: the exit code is 0 only if `run` resolved and nothing else failed. Afterwards the process ends
 * even if something still holds it, a DNS lookup for example, which cannot be canceled.
 *
 * @param run - sets a limit, after which the process fails whatever it waits for
 * @param report - is called at most once, with the first failure
 */
export function runGuarded(run: GuardedRun, report: (error: unknown) => void): void {
  // Node exits with 0 when nothing is left to wait for, also in the middle of `run`.
  process.exitCode = 1;
  disableDumps();
  silenceWarnings();
  const abort = new AbortController();
  const fail = (error: unknown): void => {
    process.exitCode = 1;
    if (abort.signal.aborted) return;
    abort.abort();
    report(error);
    exitAfterFlush();
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  process.on("beforeExit", () => {
    fail(new Error("the process exited before completing"));
  });
  const setTimeLimit = (limit: Milliseconds): void => {
    setTimeout(() => {
      const hint = "A server, a proxy or the file system does not respond. Run again; if it persists, report it.";
      const message = `the step did not end within ${formatDuration(limit)}.`;
      fail(new AuthError(message, { kind: "timeout", code: "internal_error", hint }));
    }, limit).unref();
  };
  run(abort.signal, setTimeLimit).then(() => {
    if (!abort.signal.aborted) process.exitCode = 0;
    exitAfterFlush();
  }, fail);
}

/** Ends the process with `process.exitCode`. Without waiting for stdout, `process.exit` would truncate the output. */
export function exitAfterFlush(): void {
  setTimeout(exit, FLUSH_TIMEOUT_MS);
  process.stdout.write("", exit);
}

/**
 * `process.exit` joins the threads of libuv's pool, so that a DNS lookup or a file operation that hangs holds the process.
 * A signal would end it with the wrong exit code, so Node 24 (not on Windows) replaces it by one that only exits.
 */
function exit(): void {
  const { execPath, exitCode = 0, platform } = process;
  const isPoolBusy = process.getActiveResourcesInfo().some((type) => /^(GetAddrInfoReq|FSReq)/.test(type));
  if (isPoolBusy && platform !== "win32")
    process.execve?.(execPath, [execPath, "-e", `process.exit(${exitCode})`], { ...process.env, NODE_OPTIONS: "" });
  process.exit();
}

/** Keeps the environment and the memory, which contain the secret, out of diagnostic reports and core files. */
export function disableDumps(): void {
  Object.assign(process.report, {
    excludeEnv: true,
    reportOnFatalError: false,
    reportOnSignal: false,
    reportOnUncaughtException: false,
  });
  try {
    writeFileSync("/proc/self/coredump_filter", "0");
  } catch {
    // Not Linux.
  }
}

/** The runner reads stderr separately from stdout, so that a warning there may be processed before the masks. */
export function silenceWarnings(): void {
  // Also prevents that --throw-deprecation in NODE_OPTIONS ends the step. With --no-deprecation it is set and read-only.
  process.noDeprecation ??= true;
  process.removeAllListeners("warning");
}
