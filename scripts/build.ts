import { rm, writeFile } from "node:fs/promises";
import * as esbuild from "esbuild";
import type { Plugin } from "esbuild";
import { bundledLicences } from "./licences.ts";

/** Builds `dist/action/`, which is committed: the runner reads it as it is. Another folder can be given. */

const OUT = process.argv[2] ?? "dist/action";

/**
 * The toolkit's HTTP client imports undici for one method that is never called here; it would be nine tenths
 * of the bundle.
 */
const withoutUndici: Plugin = {
  name: "without-undici",
  setup(build) {
    build.onResolve({ filter: /^undici$/ }, () => ({ path: "undici", namespace: "absent" }));
    build.onLoad({ filter: /.*/, namespace: "absent" }, () => ({
      contents: "export class ProxyAgent { constructor() { throw new Error('undici is not part of this bundle'); } }",
    }));
  },
};

/** @actions/* do nothing when they are loaded, but do not say so: what is not used of them may go. */
const sideEffectFree: Plugin = {
  name: "side-effect-free",
  setup(build) {
    build.onResolve({ filter: /^(@actions\/|\.)/ }, async ({ path, pluginData, ...options }) => {
      if (pluginData === "resolved" || !(path.startsWith("@actions/") || options.importer.includes("/@actions/")))
        return undefined;
      const found = await build.resolve(path, { ...options, pluginData: "resolved" });
      return { ...found, sideEffects: false };
    });
  },
};

const { metafile } = await esbuild.build({
  entryPoints: { main: "action/main.ts" },
  outdir: OUT,
  outExtension: { ".js": ".cjs" },
  bundle: true,
  platform: "node",
  // ARM32 runners and old versions of act run it on node 20.
  target: "node20",
  // Starts sooner than ESM.
  format: "cjs",
  minify: true,
  // Names stand in error reports.
  keepNames: false,
  legalComments: "none",
  charset: "utf8",
  metafile: true,
  write: true,
  logLevel: "warning",
  plugins: [withoutUndici, sideEffectFree],
});

await rm(`${OUT}/LICENSES.txt`, { force: true });
await writeFile(`${OUT}/LICENSES.txt`, await bundledLicences(metafile));
