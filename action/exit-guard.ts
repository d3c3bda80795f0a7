import type { Milliseconds } from "../shared/clock.ts";
import { formatDuration } from "../shared/duration.ts";
import { AuthError } from "../shared/errors.ts";
import { protectMemory } from "../shared/process-memory.ts";

/** How long to wait for stdout before exiting. A runner that does not read it must not keep the process alive. */
const FLUSH_TIMEOUT_MS: Milliseconds = 3000;

/**
 * The main function of the action. It must not produce outputs once `signal` is aborted, because something else has
 * failed.
 */
type GuardedRun = (signal: AbortSignal, setTimeLimit: (limit: Milliseconds) => void) => Promise<void>;

/**
 * Runs the whole action. The exit code is 0 only if `run` resolves and nothing else fails. The process then exits even
 * if something would keep it alive, for example a DNS lookup, which cannot be canceled.
 *
 * @param run - the action; it sets a time limit, after which the process fails no matter what it is waiting for
 * @param report - called at most once, with the first failure
 */
export function runGuarded(run: GuardedRun, report: (error: unknown) => void): void {
  // Node exits with code 0 when the event loop is empty, even if `run` has not settled.
  process.exitCode = 1;
  protectMemory();
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
      const hint =
        "A server, a proxy, or the file system is not responding. Run the job again. If the problem persists, report it.";
      const message = `the step did not finish within ${formatDuration(limit)}.`;
      fail(new AuthError(message, { kind: "timeout", code: "internal_error", hint }));
    }, limit).unref();
  };
  run(abort.signal, setTimeLimit).then(() => {
    if (!abort.signal.aborted) process.exitCode = 0;
    exitAfterFlush();
  }, fail);
}

/** Exits with `process.exitCode` once stdout has been written. Otherwise, `process.exit` could truncate the output. */
export function exitAfterFlush(): void {
  setTimeout(exit, FLUSH_TIMEOUT_MS);
  process.stdout.write("", exit);
}

/** How long a file operation or a DNS lookup may still take before a process that failed is killed. */
const PENDING_TIMEOUT_MS: Milliseconds = 1000;

/**
 * Exits with `process.exitCode` even if a DNS lookup or a file operation hangs. In that case, `process.exit` would wait
 * for the threads in libuv's pool. Therefore, on Node 24, the process is replaced with one that only exits. Where that
 * is not possible (on Windows, or with `--permission`), a process that failed is killed, which is also a failure.
 */
export function exit(): void {
  if (!isPoolBusy()) process.exit();
  const { execPath, exitCode = 0, platform, pid } = process;
  try {
    const args = [execPath, "-e", `process.exit(${exitCode})`];
    if (platform !== "win32") process.execve?.(execPath, args, { ...process.env, NODE_OPTIONS: "" });
  } catch {
    // With `--permission`, Node does not start other programs.
  }
  if (exitCode !== 1) process.exit();
  setTimeout(() => {
    if (isPoolBusy()) process.kill(pid, "SIGKILL");
    process.exit();
  }, PENDING_TIMEOUT_MS);
}

const isPoolBusy = (): boolean => process.getActiveResourcesInfo().some((type) => /^(GetAddrInfoReq|FSReq)/.test(type));

/**
 * Silences Node's warnings. The runner reads stderr separately from stdout, so it may process a warning before it
 * processes the masks.
 */
export function silenceWarnings(): void {
  // This also keeps --throw-deprecation in NODE_OPTIONS from ending the step. With --no-deprecation, the property is
  // already set and read-only.
  process.noDeprecation ??= true;
  process.removeAllListeners("warning");
}
