import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { arch, platform, tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand, type CommandPlace, type CommandRun } from "./command.ts";
import { findProgram } from "./tools.ts";

/** What a machine must have to run OpenTofu with the scm provider. */
export const OPENTOFU_TOOLS = ["tofu", "terraform-provider-scm"] as const;

/** A folder that stands for the registry of providers. */
export interface ProviderMirror {
  /** What makes OpenTofu take providers from there alone. */
  readonly env: Readonly<Record<string, string>>;
  readonly remove: () => Promise<void>;
}

/** What the mirror says the provider's version is; the program itself does not tell. */
const VERSION = "1.0.9";
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64" };

/** Makes the scm provider on PATH one that `tofu init` can install, without any network. */
export async function makeProviderMirror(): Promise<ProviderMirror> {
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-mirror-"));
  const provider = await findProgram("terraform-provider-scm");
  if (provider !== undefined) {
    const target = `${platform()}_${ARCHITECTURES[arch()] ?? arch()}`;
    const place = join(folder, "registry.opentofu.org/paloaltonetworks/scm", VERSION, target);
    await mkdir(place, { recursive: true });
    await symlink(provider, join(place, `terraform-provider-scm_v${VERSION}`));
  }
  const config = join(folder, "config.tfrc");
  await writeFile(
    config,
    `provider_installation {\n  filesystem_mirror {\n    path = ${JSON.stringify(folder)}\n  }\n}\n`,
  );
  return { env: { TF_CLI_CONFIG_FILE: config }, remove: () => rm(folder, { recursive: true }) };
}

/** Runs `tofu` in a folder. */
export const tofu = (
  args: readonly string[],
  { folder, env }: Pick<CommandPlace, "folder" | "env">,
): Promise<CommandRun> =>
  runCommand("tofu", [...args, "-no-color"], {
    folder,
    env: { HOME: folder, TF_IN_AUTOMATION: "1", ...env },
    timeoutMs: 300_000,
  });
