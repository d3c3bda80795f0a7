import { writeFileSync } from "node:fs";
import { Writable } from "node:stream";

/**
 * Makes of this process one that is red until `run` is through, and that says nothing behind our back.
 *
 * @param run - must hand out nothing once its signal is aborted: something else went wrong meanwhile
 * @param onFailure - tells of whatever ended `run`, once
 */
export function guard(run: (signal: AbortSignal) => Promise<void>, onFailure: (error: unknown) => void): void {
  // Red from the first line: an event loop that runs dry ends node with 0 otherwise.
  process.exitCode = 1;
  keepSecretsOutOfDumps();
  keepQuiet();
  let told = false;
  let through = false;
  const stop = new AbortController();
  const fail = (error: unknown): void => {
    process.exitCode = 1;
    if (told) return;
    told = true;
    onFailure(error);
    stop.abort();
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  // The first is the event loop run dry, the second a process.exit() of somebody's.
  for (const event of ["beforeExit", "exit"]) {
    process.on(event, () => {
      if (!through) fail(new Error("the work stopped before its end"));
    });
  }
  run(stop.signal).then(() => {
    through = true;
    if (!told) process.exitCode = 0;
  }, fail);
}

/** Reports and core files would hold the environment, which holds the secret. */
export function keepSecretsOutOfDumps(): void {
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

/**
 * Nothing goes to stderr: the runner reads it apart from stdout, so a line there may come before the masks.
 * Warnings (deprecations, NODE_TLS_REJECT_UNAUTHORIZED) and NODE_DEBUG of a job would write there.
 */
export function keepQuiet(): void {
  // With --throw-deprecation in NODE_OPTIONS a library's old habit would end the step. With --no-deprecation node has
  // set this already, and lets nobody set it.
  process.noDeprecation ??= true;
  // Not the stream itself: making it costs time, and nobody needs it.
  Object.defineProperty(process, "stderr", {
    value: new Writable({
      write: (_chunk, _encoding, done) => {
        done();
      },
    }),
  });
  Object.assign(process, { _rawDebug: () => undefined });
}
