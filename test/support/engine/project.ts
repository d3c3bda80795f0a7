import { cp, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPulumi, type PulumiCode } from "../../../scripts/build/pulumi.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
/** The path of the SDK that all projects use. */
export const SDK = join(root, "node_modules/@pulumi/pulumi");

let code: Promise<PulumiCode> | undefined;

/** Writes files and creates their directories. */
export async function writeFiles(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
}

/** Creates a symbolic link at `path`. */
export async function link(target: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await symlink(target, path);
}

/**
 * Installs the package, built from the current sources, as a copy, because Node resolves imports from the real path.
 */
export async function installPackage(directory: string): Promise<void> {
  code ??= buildPulumi();
  await mkdir(directory, { recursive: true });
  await cp(join(root, "package.json"), join(directory, "package.json"));
  await writeFiles(join(directory, "dist/pulumi"), (await code).files);
}

/** Creates a project with the package and the SDK in `node_modules`, as after `npm install`. */
export async function createProject(directory: string, files: Readonly<Record<string, string>>): Promise<string> {
  await writeFiles(directory, { "package.json": "{}", ...files });
  await installPackage(join(directory, "node_modules/scm-auth"));
  await link(SDK, join(directory, "node_modules/@pulumi/pulumi"));
  return directory;
}

/**
 * Installs the SDK like a package manager that hoists dependencies. The SDK's programs are copies, because Node
 * resolves imports from a program's real path. Everything else is linked.
 */
export async function installSdk(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const entry of await readdir(SDK)) {
    if (entry === "cmd") await cp(join(SDK, entry), join(directory, entry), { recursive: true });
    else await symlink(join(SDK, entry), join(directory, entry));
  }
  // The SDK's programs need these dependencies.
  for (const name of await readdir(join(root, "node_modules")))
    if (name !== "@pulumi" && !name.startsWith("."))
      await symlink(join(root, "node_modules", name), join(directory, "../..", name));
}
