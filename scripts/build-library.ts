import { isBuiltin } from "node:module";
import { basename } from "node:path";
import * as esbuild from "esbuild";
import type { BuildOptions, Plugin } from "esbuild";
import { bundledLicences } from "./licences.ts";
import { typeFiles, typesOf, writeFolder } from "./npm-package.ts";
import { PACKAGE_CODE } from "./package-code.ts";
import { sideEffectFree, withoutUndici } from "./toolkit.ts";

/**
 * Builds `dist/library/`, which `npm pack` takes along and git ignores: ES modules, CommonJS, types for both and the
 * licences of bundled code. Another folder can be given.
 */

const OUT = process.argv[2] ?? "dist/library";
const ENTRY = "shared/index.ts";

/**
 * CommonJS packages ask for node's modules by `require`, which ES modules don't have: in these they are imported.
 */
const importedBuiltins: Plugin = {
  name: "imported-builtins",
  setup(build) {
    build.onResolve({ filter: /.*/ }, ({ path, kind }) =>
      kind === "require-call" && isBuiltin(path) ? { path, namespace: "builtin" } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `import builtin from "node:${path.replace(/^node:/, "")}"; module.exports = builtin;`,
    }));
  },
};

const CODE = { ...PACKAGE_CODE, outdir: OUT } as const satisfies BuildOptions;

/** The files that the index takes values from, by the names they get. */
async function partsOf(index: string): Promise<Readonly<Record<string, string>>> {
  const { metafile } = await esbuild.build({ ...CODE, entryPoints: [index], packages: "external" });
  const parts = metafile.inputs[index]?.imports.map(({ path }) => path) ?? [];
  return Object.fromEntries(parts.map((path) => [path.replace(/^.*\/|\.ts$/g, ""), path]));
}

const parts = await partsOf(ENTRY);

/**
 * Each part in a file of its own, so that a bundler which hears of `sideEffects: false` leaves out whole files: who
 * imports AuthRequest alone gets no HTTP client.
 */
const esm = await esbuild.build({
  ...CODE,
  entryPoints: { index: ENTRY, ...parts },
  format: "esm",
  splitting: true,
  chunkNames: "part-[hash]",
  plugins: [withoutUndici, sideEffectFree, importedBuiltins],
});

const cjs = await esbuild.build({
  ...CODE,
  entryPoints: { index: ENTRY },
  format: "cjs",
  outExtension: { ".js": ".cjs" },
  plugins: [withoutUndici, sideEffectFree],
});

/** The parts' own entries have served: what they hold stands in files that the index reads as well. */
const isNeeded = (path: string): boolean => !Object.hasOwn(parts, basename(path, ".js"));

const code = [...esm.outputFiles.filter(({ path }) => isNeeded(path)), ...cjs.outputFiles];
const outputs = { ...esm.metafile.outputs, ...cjs.metafile.outputs };

await writeFolder(OUT, {
  ...Object.fromEntries(code.map(({ path, contents }) => [basename(path), contents])),
  ...typeFiles(await typesOf(ENTRY)),
  "LICENSES.txt": await bundledLicences({ inputs: {}, outputs }),
});
