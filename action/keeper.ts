import inspector from "node:inspector";
import { systemClock } from "../shared/clock.ts";
import { keep } from "./keeper/keep.ts";
import { FILE_STANDS, readOrder, type KeeperAnswer } from "./keeper/order.ts";
import { keepSecretsOutOfDumps } from "./process-guard.ts";

/**
 * The background process of `keep-fresh`. It learns all from its standard input, answers with its port, and waits for
 * main to have written the file. Main going away before that is its end.
 */

// First of all: a process of the same user may send SIGUSR1, and node would open a debugger that reads the secret.
process.on("SIGUSR1", () => undefined);
keepSecretsOutOfDumps();
// Whatever goes wrong here must not write a core file, or end in a half state: main and post notice the end.
process.on("uncaughtException", () => process.exit(1));
process.on("unhandledRejection", () => process.exit(1));
// A terminal's or a runner's signal to the whole group is not for us: post, the file or the job end us.
for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);

const answer = (message: KeeperAnswer): Promise<void> =>
  new Promise((resolve) => {
    if (process.send)
      process.send(message, () => {
        resolve();
      });
    else resolve();
  });

async function run(): Promise<void> {
  if (inspector.url() !== undefined) {
    await answer({ failed: "a debugger is open in the background process, through which the secret could be read" });
    return;
  }
  const keeper = await keep(await readOrder(process.stdin), { clock: systemClock, random: Math.random });
  process.on("SIGTERM", () => void keeper.end());
  const fileStands = new Promise<boolean>((resolve) => {
    process.once("message", (message) => {
      resolve(message === FILE_STANDS);
    });
    process.once("disconnect", () => {
      resolve(false);
    });
  });
  await answer({ port: keeper.port });
  const stands = await fileStands;
  if (process.connected) process.disconnect();
  if (stands) keeper.watch();
  else void keeper.end();
  await keeper.ended;
}

run().then(
  () => process.exit(0),
  async () => {
    await answer({ failed: "the background process could not begin its work" });
    process.exit(1);
  },
);
