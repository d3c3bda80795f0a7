import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pulumiCode } from "../../scripts/pulumi-code.ts";

/** The folder of this project. */
const root = fileURLToPath(new URL("../..", import.meta.url));
/** Where the SDK lies that all projects here use. */
export const SDK = join(root, "node_modules/@pulumi/pulumi");

/** A folder for the programs of one file of tests, with the package as npm would unpack it. */
export interface Workbench {
  readonly folder: string;
  /** Puts a copy of the package into a folder, which is then its own. */
  readonly unpackInto: (folder: string) => Promise<void>;
  readonly remove: () => Promise<void>;
}

/** Makes one. The package's code is built from the sources as they are now. */
export async function openWorkbench(): Promise<Workbench> {
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-pulumi-"));
  const { files } = await pulumiCode();
  return {
    folder,
    unpackInto: async (place) => {
      await mkdir(join(place, "dist/pulumi"), { recursive: true });
      await cp(join(root, "package.json"), join(place, "package.json"));
      for (const [name, text] of Object.entries(files)) await writeFile(join(place, "dist/pulumi", name), text);
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Writes files below a folder, and the folders that they need. */
export async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

/** A link at `path`, its folder included. */
export async function link(target: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await symlink(target, path);
}

/** A project as `npm install` leaves it: package and SDK in its `node_modules`. @returns its folder */
export async function npmProject(
  bench: Workbench,
  name: string,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const folder = join(bench.folder, name);
  await writeFiles(folder, { "package.json": "{}", ...files });
  await bench.unpackInto(join(folder, "node_modules/scm-auth"));
  await link(SDK, join(folder, "node_modules/@pulumi/pulumi"));
  return folder;
}

/**
 * The SDK at a place of its own, as a package manager that links puts it. Node names a program by its real path, so
 * what is started lies there itself, and what it reads may be a link.
 */
export async function sdkAt(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const entry of await readdir(SDK)) {
    if (entry === "cmd") await cp(join(SDK, entry), join(folder, entry), { recursive: true });
    else await symlink(join(SDK, entry), join(folder, entry));
  }
  // What `cmd` needs of other packages, as the manager links it beside the SDK.
  for (const name of await readdir(join(root, "node_modules")))
    if (name !== "@pulumi" && !name.startsWith("."))
      await symlink(join(root, "node_modules", name), join(folder, "../..", name));
}
