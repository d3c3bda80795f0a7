import { AuthError } from "../../shared/errors.ts";
import { disableDumps } from "../exit-guard.ts";
import { startRefresher, type RefresherConfig, type RefresherReply } from "./run.ts";

/**
 * The background process of `keep-fresh`. It receives its configuration from the main step by IPC, writes the file,
 * replies once, and disconnects. If the main step ends before the reply is delivered, the file is removed again.
 */

disableDumps();
// The main and the post step notice the end of this process. It must not continue in an undefined state.
process.on("uncaughtException", () => process.exit(1));
process.on("unhandledRejection", () => process.exit(1));
// Signals of a terminal or a runner to the whole process group. The post step, the file or the job end this process.
for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);

/** Whether the reply reached the main step, as far as this side can know. */
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

// If the main step ends before it has sent the configuration, nothing is left to wait for.
process.once("message", (config) => {
  run(config as RefresherConfig)
    .catch(fail)
    .finally(() => process.exit());
});
