import { basename } from "node:path";
import * as esbuild from "esbuild";
import { collectLicenses } from "./licenses.ts";
import { PACKAGE_OPTIONS, TOOLKIT_PLUGINS } from "./options.ts";

/** The files of a directory, by their names. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

/** The first lines of the command. They are parsed by every version of Node that can parse the rest. */
const COMMAND_BANNER = `#!/usr/bin/env node
if (Number(process.versions.node.split(".")[0]) < 22) {
  console.error("error: scm-auth needs Node.js 22 or later, but this is Node.js " + process.version + ".");
  console.error("hint: Install a current version of Node.js, or check which node is first in PATH.");
  process.exit(1);
}`;

/** Builds the command `scm-auth`: one file and its licenses. */
export async function buildCommand(): Promise<Files> {
  const { outputFiles, metafile } = await esbuild.build({
    ...PACKAGE_OPTIONS,
    entryPoints: { "scm-auth": "cli/main.ts" },
    outdir: "dist/cli",
    // Old versions must be able to parse the file, so that they can execute the banner.
    target: "node16",
    // Names would be kept by static blocks. For old versions, esbuild would turn them and all private fields into
    // functions and WeakMaps, which are slow.
    keepNames: false,
    // CommonJS starts faster than ES modules, and one file faster than several.
    format: "cjs",
    outExtension: { ".js": ".cjs" },
    supported: { "dynamic-import": false },
    banner: { js: COMMAND_BANNER },
    plugins: [...TOOLKIT_PLUGINS],
  });
  return {
    ...Object.fromEntries(outputFiles.map(({ path, contents }) => [basename(path), contents])),
    "LICENSES.txt": await collectLicenses(metafile.outputs),
  };
}
