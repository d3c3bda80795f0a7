import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const repository = new URL("../../", import.meta.url);

/**
 * Bundles a program of this repository, which then starts several times as fast: for tests that start it often.
 *
 * @param entry - path in the repository
 * @param directory - where the file is written
 */
export async function bundle(entry: string, directory: string): Promise<string> {
  const outfile = join(directory, "program.mjs");
  await esbuild.build({
    entryPoints: [fileURLToPath(new URL(entry, repository))],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    // Packages that are CommonJS call require() for Node's modules.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    logLevel: "warning",
  });
  return outfile;
}
