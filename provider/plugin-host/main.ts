import { readFileSync } from "node:fs";
import { join } from "node:path";
import { main } from "@pulumi/pulumi/provider/index.js";
import { AuthFiles } from "../auth-files.ts";
import { ServiceAccounts } from "../service-accounts.ts";
import { EngineLog } from "./engine-log.ts";
import { createPluginProvider } from "./plugin-provider.ts";
import { ensureAtStart } from "./start-up.ts";
import { TokenServers } from "./token-servers.ts";

/** The process that the engine starts for the plugin in provider/plugin/. */

async function run(args: string[]): Promise<void> {
  const { ppid } = process;
  // If the engine was killed, this process has a different parent and must not request tokens forever.
  const servers = new TokenServers();
  const files = new AuthFiles(() => process.ppid === ppid, servers);
  const state = { accounts: new ServiceAccounts(), files };
  const log = new EngineLog(args.at(-1));
  const startUp = await ensureAtStart(state, (message) => void log.note(message));
  const schema = readFileSync(join(import.meta.dirname, "schema.json"), "utf8");
  const onEnd = (): Promise<void> => servers.release();
  const options = { schema, state, startUp, warn: (message: string) => log.warn(message), onEnd };
  // Prints the port, for which the engine waits.
  await main(createPluginProvider(options), args);
}

void run(process.argv.slice(2));
