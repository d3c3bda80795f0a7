import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { run } from "./searched-process.ts";

/** How to find out whether this machine has a tool, where it says its version otherwise than by `--version`. */
const PROBES: Readonly<Record<string, readonly [command: string, ...args: string[]]>> = {
  jwcrypto: ["python", "-c", "from importlib.metadata import version; print(version('jwcrypto'))"],
  "pan-scm-sdk": ["python", "-c", "from importlib.metadata import version; print(version('pan-scm-sdk'))"],
  pulumi: ["pulumi", "version"],
};

/** Programs that other programs start, and that say nothing by themselves. */
const PLUGINS = ["terraform-provider-scm", "pulumi-resource-scm", "pulumi-language-nodejs"];

/** The first of `tools` that this machine does not have. */
export async function missingTool(tools: readonly string[]): Promise<string | undefined> {
  for (const tool of tools) {
    const has = PLUGINS.includes(tool) ? (await findProgram(tool)) !== undefined : (await saidBy(tool)) !== undefined;
    if (!has) return tool;
  }
  return undefined;
}

/** What a tool calls its version, as `1.12.6`. */
export async function versionOf(tool: string): Promise<string> {
  const [version = "of unknown version"] = /\d[\w.-]*/.exec((await saidBy(tool)) ?? "") ?? [];
  return version;
}

/** Where a program lies on PATH. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // The next folder may have it.
    }
  }
  return undefined;
}

async function saidBy(tool: string): Promise<string | undefined> {
  const [command, ...args] = PROBES[tool] ?? [tool, "--version"];
  try {
    return (await run(command, args)).stdout;
  } catch {
    return undefined;
  }
}
