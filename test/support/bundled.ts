import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const repository = new URL("../../", import.meta.url);

/**
 * A program of this repository as one file, which starts several times as fast as its sources: for tests that start
 * it by the dozen.
 *
 * @param entry - its path in the repository
 * @param folder - where the file goes
 */
export async function bundle(entry: string, folder: string): Promise<string> {
  const outfile = join(folder, "program.mjs");
  await esbuild.build({
    entryPoints: [fileURLToPath(new URL(entry, repository))],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    // Packages that are CommonJS ask for node's modules in their own way.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    logLevel: "warning",
  });
  return outfile;
}

/** A folder for one test, or all of a file, which goes with it. */
export async function folderFor(
  t: { readonly after: (work: () => Promise<void>) => void },
  within: string,
): Promise<string> {
  const folder = await mkdtemp(join(within, "scm-auth-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
