import { takeAuthFileAway } from "./auth-file/removal.ts";
import { keepQuiet, keepSecretsOutOfDumps } from "./process-guard.ts";
import { Runner } from "./runner.ts";

/**
 * The step's end: whatever happens here, the job's verdict is no longer ours to change.
 */

const runner = new Runner();
// The runner gives it to this step, too, which has no use for it.
runner.forget("client-secret");
keepSecretsOutOfDumps();
keepQuiet();

function tell(error: unknown): void {
  runner.warning(`The auth file could not be looked after: ${error instanceof Error ? error.message : "unknown"}`);
}
process.on("uncaughtException", tell);
process.on("unhandledRejection", tell);
// A runner that no longer listens can't be told so: that would fail again, and without end.
process.stdout.on("error", () => undefined);
process.on("exit", () => {
  process.exitCode = 0;
});

takeAuthFileAway(runner).catch(tell);
