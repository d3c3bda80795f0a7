import { mkdir, rm, writeFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { basename, join } from "node:path";
import * as esbuild from "esbuild";
import type { BuildOptions, Plugin } from "esbuild";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";
import { bundledLicences } from "./licences.ts";
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

const COMMON = {
  bundle: true,
  platform: "node",
  target: "node22",
  // It stands in the stack traces of other people's programs, and they step through it.
  minify: false,
  legalComments: "none",
  charset: "utf8",
  metafile: true,
  write: false,
  logLevel: "warning",
  outdir: OUT,
} as const satisfies BuildOptions;

/** The files that the index takes values from, by the names they get. */
async function partsOf(index: string): Promise<Readonly<Record<string, string>>> {
  const { metafile } = await esbuild.build({ ...COMMON, entryPoints: [index], packages: "external" });
  const parts = metafile.inputs[index]?.imports.map(({ path }) => path) ?? [];
  return Object.fromEntries(parts.map((path) => [path.replace(/^.*\/|\.ts$/g, ""), path]));
}

const parts = await partsOf(ENTRY);

/**
 * Each part in a file of its own, so that a bundler which hears of `sideEffects: false` leaves out whole files: who
 * imports AuthRequest alone gets no HTTP client.
 */
const esm = await esbuild.build({
  ...COMMON,
  entryPoints: { index: ENTRY, ...parts },
  format: "esm",
  splitting: true,
  chunkNames: "part-[hash]",
  plugins: [withoutUndici, sideEffectFree, importedBuiltins],
});

const cjs = await esbuild.build({
  ...COMMON,
  entryPoints: { index: ENTRY },
  format: "cjs",
  outExtension: { ".js": ".cjs" },
  plugins: [withoutUndici, sideEffectFree],
});

/** All public types in one file that imports nothing. */
async function types(): Promise<string> {
  const bundle = await rollup({
    input: ENTRY,
    external: isBuiltin,
    plugins: [dts({ tsconfig: "tsconfig.library.json" })],
  });
  const { output } = await bundle.generate({ format: "es" });
  await bundle.close();
  return output[0].code;
}

/**
 * What ES modules see are the types of the CommonJS file: were they told twice, a client of one kind would be a
 * stranger to a program of the other (classes with private fields are compared by where they are declared).
 */
const SAME_TYPES = 'export * from "./index.cjs";\n';

/** The parts' own entries have served: what they hold stands in files that the index reads as well. */
const isNeeded = (path: string): boolean => !Object.hasOwn(parts, basename(path, ".js"));

const code = [...esm.outputFiles.filter(({ path }) => isNeeded(path)), ...cjs.outputFiles];
const outputs = { ...esm.metafile.outputs, ...cjs.metafile.outputs };
const texts = {
  "index.d.cts": await types(),
  "index.d.ts": SAME_TYPES,
  "LICENSES.txt": await bundledLicences({ inputs: {}, outputs }),
};

await rm(OUT, { recursive: true, force: true });
await mkdir(OUT, { recursive: true });
for (const { path, contents } of code) await writeFile(path, contents);
for (const [name, text] of Object.entries(texts)) await writeFile(join(OUT, name), text);
