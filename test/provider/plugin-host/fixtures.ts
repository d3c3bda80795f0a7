import { join } from "node:path";
import { after } from "node:test";
import { installPlugin, startEngineLog, type EngineLogServer } from "../../support/engine/plugin.ts";
import { ProviderProcess } from "../../support/engine/provider-process.ts";
import { writeFiles } from "../../support/engine/project.ts";
import type { ScmServer } from "../../support/scm-server.ts";
import { createEnv, root } from "../fixtures.ts";

const plugin = await installPlugin(join(root, "plugin"));

/** A running plugin. */
export interface TestPlugin {
  readonly directory: string;
  readonly process: ProviderProcess;
  readonly log: EngineLogServer;
  /** Everything that the plugin has sent. */
  readonly responses: readonly string[];
}

/** Starts the plugin in the directory of a program. It is stopped after all tests in the file. */
export async function startPlugin(
  name: string,
  server: ScmServer,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<TestPlugin> {
  const directory = join(root, name);
  await writeFiles(directory, { "Pulumi.yaml": "name: project\nruntime: yaml\n" });
  const log = await startEngineLog();
  const responses: string[] = [];
  const process = await ProviderProcess.startPlugin({
    ...{ plugin, directory, engine: log.address, env: { ...createEnv(server), ...env } },
    onMessage: (message, text) => {
      if (message.startsWith("from")) responses.push(text);
    },
  });
  after(async () => {
    await process.stop();
    log.close();
  });
  return { directory, process, log, responses };
}
