import { systemClock } from "../../shared/clock.ts";
import { AuthError } from "../../shared/errors.ts";
import { disableDumps } from "../exit-guard.ts";
import { AuthFileRefresher, type RefresherConfig, type RefresherReply } from "./run.ts";

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

/** The message of the main step; undefined if it disconnects first. */
const receiveConfig = (): Promise<RefresherConfig | undefined> =>
  new Promise((resolve) => {
    process.once("message", (message) => {
      resolve(message as RefresherConfig);
    });
    process.once("disconnect", () => {
      resolve(undefined);
    });
  });

/** Whether the reply reached the main step, as far as this side can know. */
const reply = (message: RefresherReply): Promise<boolean> =>
  new Promise((resolve) => {
    if (!process.connected) resolve(false);
    else
      process.send?.(message, (error: Error | null) => {
        resolve(error === null);
      });
  });

async function run(): Promise<void> {
  const config = await receiveConfig();
  if (config === undefined) return;
  const refresher = await AuthFileRefresher.start(config, { clock: systemClock, random: Math.random });
  process.on("SIGTERM", () => void refresher.stop());
  const isDelivered = await reply({ path: config.path, port: refresher.port });
  if (process.connected) process.disconnect();
  if (!isDelivered) await refresher.stop();
  await refresher.ended;
}

function toReply(error: unknown): RefresherReply {
  if (!AuthError.isAuthError(error)) {
    const description = "the background process that refreshes the auth file could not start.";
    return { error: { description, kind: "file", code: "refresher_failed" } };
  }
  const { description, kind, code, hint } = error;
  return { error: { description, kind, code, hint } };
}

run().then(
  () => process.exit(0),
  async (error: unknown) => {
    await reply(toReply(error));
    process.exit(1);
  },
);
