import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** How to find out whether this machine has a tool. */
const PROBES: Readonly<Record<string, readonly [command: string, ...args: string[]]>> = {
  act: ["act", "--version"],
  curl: ["curl", "--version"],
  git: ["git", "--version"],
  "pan-scm-sdk": ["python", "-c", "import scm.client"],
};

/** The first of `tools` that this machine does not have. */
export async function missingTool(tools: readonly string[]): Promise<string | undefined> {
  for (const tool of tools) {
    const [command, ...args] = PROBES[tool] ?? [tool, "--version"];
    try {
      await promisify(execFile)(command, args);
    } catch {
      return tool;
    }
  }
  return undefined;
}

/** Version of the Python SDK on this machine. */
export async function sdkVersion(): Promise<string> {
  const code = "from importlib.metadata import version; print(version('pan-scm-sdk'))";
  return (await promisify(execFile)("python", ["-c", code])).stdout.trim();
}
