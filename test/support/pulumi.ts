import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand, type CommandPlace, type CommandRun } from "./command.ts";

/** What a machine must have to run Pulumi programs with the scm plugin. */
export const PULUMI_TOOLS = ["pulumi", "pulumi-language-nodejs", "pulumi-resource-scm"] as const;

/** A Pulumi program with what it needs beside it, and a place for its state. */
export interface PulumiProgram {
  readonly folder: string;
  readonly remove: () => Promise<void>;
}

/** The part of @pulumi/scm that the example uses. The package is made on a user's machine, and in no registry. */
const SCM_PACKAGE = `"use strict";
const pulumi = require("@pulumi/pulumi");
exports.Provider = class extends pulumi.ProviderResource {
  constructor(name, args, options) { super("scm", name, args, options); }
};
exports.Tag = class extends pulumi.CustomResource {
  constructor(name, args, options) { super("scm:index/tag:Tag", name, args, options); }
};
`;

/** Makes a program ready: its packages are installed from npm's registry. */
export async function preparePulumi(example: URL): Promise<PulumiProgram> {
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-pulumi-"));
  await cp(example, folder, { recursive: true });
  // With all of this machine's variables: they tell where its registry is.
  const { exitCode, log } = await runCommand("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts"], {
    folder,
    env: presentVariables(),
    timeoutMs: 300_000,
  });
  if (exitCode !== 0) throw new Error(`The program's packages can't be installed:\n${log}`);
  await mkdir(join(folder, "node_modules/@pulumi/scm"));
  await writeFile(join(folder, "node_modules/@pulumi/scm/index.js"), SCM_PACKAGE);
  await mkdir(join(folder, "state"));
  return { folder, remove: () => rm(folder, { recursive: true }) };
}

/** Runs `pulumi` in a program's folder. */
export const pulumi = (
  args: readonly string[],
  { folder, env }: Pick<CommandPlace, "folder" | "env">,
): Promise<CommandRun> =>
  runCommand("pulumi", [...args, "--non-interactive", "--color=never"], {
    folder,
    env: {
      HOME: folder,
      PULUMI_BACKEND_URL: `file://${folder}/state`,
      PULUMI_CONFIG_PASSPHRASE: "a passphrase",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      // Pulumi's parts speak with each other on loopback, and its node part looks at this spelling alone.
      no_proxy: "127.0.0.1",
      ...env,
    },
    timeoutMs: 120_000,
  });

const presentVariables = (): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined));
