import type { Milliseconds } from "../shared/clock.ts";
import { AuthError } from "../shared/errors.ts";
import { protectMemory } from "../shared/process-memory.ts";
import { cleanUpAuthFile, STATE } from "./auth-file-cleanup.ts";
import { exitAfterFlush, silenceWarnings } from "./exit-guard.ts";
import { Runner } from "./runner.ts";

/** The post step. It always exits with code 0, so that it does not change the result of the job. */

/** The time limit for the whole step. A file system that does not respond must not block the job. */
const TIMEOUT: Milliseconds = 10_000;

const runner = new Runner();
// The runner passes this input to the post step as well.
runner.clearInput("client-secret");
protectMemory();
silenceWarnings();

function finish(): void {
  process.exitCode = 0;
  exitAfterFlush();
}

function fail(error: unknown): void {
  const message = AuthError.isAuthError(error)
    ? `${error.message} ${error.hint} See ${error.docs}`
    : "unexpected error.";
  runner.warning(`The auth file (${runner.getState(STATE.path)}) could not be cleaned up: ${message}`);
  finish();
}

process.on("uncaughtException", fail);
process.on("unhandledRejection", fail);
// If the runner stopped reading, every attempt to report the error would cause another one.
process.stdout.on("error", () => process.exit(0));
process.on("exit", () => {
  process.exitCode = 0;
});
setTimeout(() => {
  fail(
    new AuthError(`cleanup did not finish within ${TIMEOUT / 1000} s.`, { kind: "file", code: "auth_file_io_error" }),
  );
}, TIMEOUT).unref();

cleanUpAuthFile(runner).then(finish, fail);
