import { mkdir, rm, writeFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { basename, join } from "node:path";
import * as esbuild from "esbuild";
import { buildCommand, type Files } from "./command.ts";
import { collectLicenses } from "./licenses.ts";
import { PACKAGE_OPTIONS, TOOLKIT_PLUGINS } from "./options.ts";
import { buildPulumi } from "./pulumi.ts";
import { bundleTypes } from "./types.ts";

/**
 * `npm run build:package` builds the directories that npm publishes and git ignores: `dist/library/` (ES modules,
 * CommonJS, and types), `dist/pulumi/`, and `dist/cli/`. Each contains the licenses of the bundled code.
 */

/**
 * Makes bundled packages use the objects of built-in modules: in ES modules, because these have no `require`, and in the
 * HTTP client, because msw and nock intercept requests by replacing `https.request` on that object, which `import *`
 * does not see.
 */
const useBuiltinObjects: esbuild.Plugin = {
  name: "use-builtin-objects",
  setup(build) {
    build.onResolve({ filter: /.*/ }, ({ path, kind, importer }) =>
      isBuiltin(path) && (kind === "require-call" || importer.includes("/@actions/http-client/"))
        ? { path, namespace: "builtin" }
        : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `import builtin from "node:${path.replace(/^node:/, "")}"; module.exports = builtin;`,
    }));
  },
};

async function buildLibrary(): Promise<Files> {
  const options = { ...PACKAGE_OPTIONS, outdir: "dist/library" } as const;
  const esm = await esbuild.build({
    ...options,
    entryPoints: { index: "shared/index.ts" },
    format: "esm",
    splitting: true,
    chunkNames: "part-[hash]",
    plugins: [...TOOLKIT_PLUGINS, useBuiltinObjects],
  });
  const cjs = await esbuild.build({
    ...options,
    entryPoints: { index: "shared/index.ts" },
    format: "cjs",
    outExtension: { ".js": ".cjs" },
    plugins: [...TOOLKIT_PLUGINS],
  });
  const code = [...esm.outputFiles, ...cjs.outputFiles];
  return {
    ...Object.fromEntries(code.map(({ path, contents }) => [basename(path), contents])),
    ...(await bundleTypes("shared/index.ts")),
    "LICENSES.txt": await collectLicenses({ ...esm.metafile.outputs, ...cjs.metafile.outputs }),
  };
}

async function buildPulumiPackage(): Promise<Files> {
  const { files, outputs } = await buildPulumi();
  const types = await bundleTypes("provider/index.ts", ["@pulumi/"]);
  return { ...files, ...types, "LICENSES.txt": await collectLicenses(outputs) };
}

async function writeDirectory(dir: string, files: Files): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content);
}

await writeDirectory("dist/library", await buildLibrary());
await writeDirectory("dist/pulumi", await buildPulumiPackage());
await writeDirectory("dist/cli", await buildCommand());
