import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../support/searched-process.ts";

/** The pins of the SDK and all that it brings along, which CI installs too. */
const PINS = fileURLToPath(new URL("../../.ci/requirements.txt", import.meta.url));

/** A Python that has the SDK. */
export interface PythonSdk {
  readonly python: string;
  /** Of Python, and of the SDK. */
  readonly versions: { readonly python: string; readonly sdk: string };
}

/** Makes a virtual environment with the pinned SDK in the machine's temporary folder, or finds the one made before. */
export async function installPythonSdk(): Promise<PythonSdk> {
  const sdk = /^pan-scm-sdk==(\S+)$/m.exec(await readFile(PINS, "utf8"))?.[1];
  if (sdk === undefined) throw new Error(`${PINS} does not pin pan-scm-sdk`);
  const folder = join(tmpdir(), `scm-auth-peer-${sdk}`);
  const python = join(folder, "bin/python");
  const found = await versionsOf(python).catch(() => undefined);
  if (found?.sdk === sdk) return { python, versions: found };
  await run("python3", ["-m", "venv", "--clear", folder]);
  const install = [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--constraint",
    PINS,
    "pan-scm-sdk",
  ];
  await run(python, install, { timeout: 300_000 });
  return { python, versions: await versionsOf(python) };
}

async function versionsOf(python: string): Promise<PythonSdk["versions"]> {
  const code = "import platform, importlib.metadata as m; print(platform.python_version(), m.version('pan-scm-sdk'))";
  const { stdout } = await run(python, ["-c", code]);
  const [version = "", sdk = ""] = stdout.trim().split(" ");
  return { python: version, sdk };
}
