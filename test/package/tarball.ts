import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../support/searched-process.ts";
import { BUILDERS_SECRETS } from "../support/spelled-secrets.ts";

/** The folder of the project. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** No command here takes longer, in milliseconds. */
const PATIENCE = 120_000;

const env = { ...process.env, ...BUILDERS_SECRETS };

/** Runs npm as a user does; no command of these needs the network. @returns what it says on stdout */
async function npm(folder: string, ...args: readonly string[]): Promise<string> {
  const options = { cwd: folder, env, timeout: PATIENCE, shell: process.platform === "win32" };
  const { stdout } = await run("npm", [...args, "--offline", "--no-audit", "--no-fund"], options);
  return stdout;
}

/** What stands beside the code in the package, whatever its list of files says. */
const BESIDE = ["package.json", "README.md", "LICENSE", "CHANGELOG.md"];

/**
 * Builds the package and packs it, as publishing does. Not in the project's own `dist/`, where other tests may be
 * building at the same time.
 *
 * @returns the tarball's path
 */
export async function packInto(folder: string): Promise<string> {
  const built = join(folder, "built");
  await mkdir(built);
  for (const file of BESIDE) await copyFile(join(root, file), join(built, file));
  for (const [script, place] of [
    ["build-library", "library"],
    ["build-pulumi", "pulumi"],
  ] as const) {
    const args = [join(root, `scripts/${script}.ts`), join(built, "dist", place)];
    await run(process.execPath, args, { cwd: root, env, timeout: PATIENCE });
  }
  return pack(built, folder);
}

/** Packs a package that is built already. @returns the tarball's path */
export async function pack(from: string, folder: string): Promise<string> {
  await npm(from, "pack", "--silent", "--ignore-scripts", "--pack-destination", folder);
  return tarballIn(folder);
}

async function tarballIn(folder: string): Promise<string> {
  const tarball = (await readdir(folder)).find((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw new Error("npm pack left no tarball");
  return join(folder, tarball);
}

/**
 * Makes a project that has nothing but the package, installed from its tarball.
 *
 * @param manifest - what its package.json says
 * @param programs - files to lie beside it: those of `test/package/`, by the names they get
 */
export async function projectWith(
  tarball: string,
  folder: string,
  manifest: object,
  programs: Readonly<Record<string, string>>,
): Promise<void> {
  await mkdir(folder);
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "user", private: true, ...manifest }));
  for (const [name, source] of Object.entries(programs))
    await writeFile(join(folder, name), await readFile(join(root, "test/package", source)));
  await npm(folder, "install", "--ignore-scripts", "--no-package-lock", tarball);
}

/** The texts of all files of an installed package, by their paths in it. */
export async function filesOf(folder: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const texts = paths.sort().map(async (path) => {
    const name = path.slice(folder.length + 1).replaceAll("\\", "/");
    return [name, await readFile(path, "utf8")] as const;
  });
  return new Map(await Promise.all(texts));
}
