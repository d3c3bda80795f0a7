import { AuthError } from "../../shared/errors.ts";
import { protectMemory } from "../../shared/process-memory.ts";
import { exit } from "../exit-guard.ts";
import { startRefresher, type RefresherConfig, type RefresherReply } from "./run.ts";

/**
 * The background process for `keep-fresh`. It receives its configuration from the main step over IPC, writes the file,
 * replies once, and disconnects. If the main step ends before the reply is delivered, the file is removed.
 */

protectMemory();
// The main step and the post step notice if this process exits. It must not continue in an undefined state.
const exitWithError = (): void => {
  process.exitCode = 1;
  exit();
};
process.on("uncaughtException", exitWithError);
process.on("unhandledRejection", exitWithError);
// Ignore signals that a terminal or a runner sends to the whole process group. This process exits when the post step
// stops it, when the file is removed, or when the job ends.
for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);

/** Sends the reply. Resolves to true if it was sent successfully. */
const reply = (message: RefresherReply): Promise<boolean> =>
  new Promise((resolve) => {
    if (!process.connected) resolve(false);
    else
      process.send?.(message, (error: Error | null) => {
        resolve(error === null);
      });
  });

async function run(config: RefresherConfig): Promise<void> {
  const refresher = await startRefresher(config);
  process.on("SIGTERM", () => void refresher.stop());
  const isDelivered = await reply({});
  if (process.connected) process.disconnect();
  if (!isDelivered) await refresher.stop();
  await refresher.ended;
}

async function fail(error: unknown): Promise<void> {
  const unknown = "the background process that refreshes the auth file could not start.";
  const { description, kind, code, hint } = AuthError.isAuthError(error)
    ? error
    : new AuthError(unknown, { kind: "file", code: "refresher_failed" });
  await reply({ error: { description, kind, code, hint } });
}

// If the main step ends before it sends the configuration, nothing keeps this process alive.
process.once("message", (config) => {
  run(config as RefresherConfig)
    .catch(fail)
    .finally(exit);
});
