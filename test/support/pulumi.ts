import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pack, projectWith, root } from "../package/tarball.ts";
import { runCommand, type CommandPlace, type CommandRun } from "./command.ts";
import { link, SDK, writeFiles } from "./pulumi-project.ts";
import { SCM_SDK } from "./scm-sdk.ts";
import { run } from "./searched-process.ts";

/** What a machine must have to run Pulumi programs with the scm plugin. */
export const PULUMI_TOOLS = ["pulumi", "pulumi-language-nodejs", "pulumi-resource-scm"] as const;

/** A folder for Pulumi programs, with the package as it is published. */
export interface PulumiPrograms {
  /**
   * Makes one ready: what npm installs for it is there, and a place for its state.
   *
   * @param files - beside Pulumi.yaml; or a folder of them, which has its own
   * @returns its folder
   */
  readonly make: (name: string, files: Readonly<Record<string, string>> | URL) => Promise<string>;
  readonly remove: () => Promise<void>;
}

/** Opens one. The package is built from the sources as they are now, packed by npm, and installed from the tarball. */
export async function openPulumiPrograms(): Promise<PulumiPrograms> {
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-programs-"));
  const built = join(folder, "package");
  await mkdir(built);
  await cp(join(root, "package.json"), join(built, "package.json"));
  // Not in the project's own dist/, where others may be building.
  await run(process.execPath, ["scripts/build-pulumi.ts", join(built, "dist/pulumi")], { cwd: root });
  await projectWith(await pack(built, folder), join(folder, "installed"), {}, {});
  return {
    make: async (name, files) => {
      const program = join(folder, name);
      await mkdir(join(program, "state"), { recursive: true });
      if (files instanceof URL) await cp(files, program, { recursive: true });
      else await writeFiles(program, { "package.json": "{}", "Pulumi.yaml": projectFile(name), ...files });
      await cp(join(folder, "installed/node_modules"), join(program, "node_modules"), { recursive: true });
      await writeFiles(join(program, "node_modules/@pulumi/scm"), SCM_SDK);
      await link(SDK, join(program, "node_modules/@pulumi/pulumi"));
      return program;
    },
    remove: () => rm(folder, { recursive: true }),
  };
}

const projectFile = (name: string): string => `name: ${name}\nruntime: nodejs\n`;

/** Runs `pulumi` in a program's folder. */
export const pulumi = (
  args: readonly string[],
  { folder, env }: Pick<CommandPlace, "folder" | "env">,
): Promise<CommandRun> =>
  runCommand("pulumi", [...args, "--non-interactive", "--color=never"], {
    folder,
    env: { ...pulumiSurroundings(folder), ...env },
    timeoutMs: 120_000,
  });

/** What keeps Pulumi on this machine, its state below a program's folder. */
export const pulumiSurroundings = (folder: string): Readonly<Record<string, string>> => ({
  HOME: folder,
  PULUMI_BACKEND_URL: `file://${folder}/state`,
  PULUMI_CONFIG_PASSPHRASE: "a passphrase",
  PULUMI_SKIP_UPDATE_CHECK: "true",
  // Pulumi's parts speak with each other on loopback, and its node part looks at this spelling alone.
  no_proxy: "127.0.0.1",
});
