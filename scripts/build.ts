import { rm, writeFile } from "node:fs/promises";
import { relative, resolve } from "node:path";
import * as esbuild from "esbuild";
import type { Plugin } from "esbuild";
import { bundledLicences } from "./licences.ts";
import { sideEffectFree, withoutUndici } from "./toolkit.ts";

/** Builds `dist/action/`, which is committed: the runner reads it as it is. Another folder can be given. */

const OUT = process.argv[2] ?? "dist/action";

/** Inputs are all that the action reads: how the library reads the environment stays out. */
const withoutEnvironment: Plugin = {
  name: "without-environment",
  setup(build) {
    build.onLoad({ filter: /shared[\\/]token[\\/]environment\.ts$/ }, () => ({
      contents: `
        export const readEnvironment = () => { throw new Error("the action reads no environment"); };
        export const completeFromEnvironment = readEnvironment;`,
    }));
  },
};

/** The main script's own parts that few steps need: files of their own, loaded when asked for. */
const LATER: Readonly<Record<string, string>> = {
  "auth-file": "action/auth-file/step.ts",
  check: "action/check/run-check.ts",
  sealing: "action/sealing/step.ts",
};

/** The package by which the toolkit's HTTP client goes through a proxy, and what it exports: for those who have one. */
const TUNNEL = "tunnel";
const TUNNELS = ["httpOverHttp", "httpsOverHttp", "httpOverHttps", "httpsOverHttps"];

/** Leaves out of main what has a file of its own; that is loaded by its path when it is first asked for. */
const loadedLater: Plugin = {
  name: "loaded-later",
  setup(build) {
    build.onResolve({ filter: new RegExp(`^${TUNNEL}$`) }, ({ path, kind }) =>
      kind === "entry-point" ? undefined : { path, namespace: "later" },
    );
    build.onLoad({ filter: /.*/, namespace: "later" }, () => ({
      contents: TUNNELS.map((name) => `exports.${name} = (...of) => require("./${TUNNEL}.cjs").${name}(...of);`).join(
        "",
      ),
    }));
    build.onResolve({ filter: /.*/, namespace: "later" }, ({ path }) => ({ path, external: true }));
    build.onResolve({ filter: /^\./ }, ({ path, kind, resolveDir }) => {
      if (kind !== "dynamic-import") return undefined;
      const source = relative(process.cwd(), resolve(resolveDir, path));
      const name = Object.keys(LATER).find((key) => LATER[key] === source);
      if (name === undefined) return { errors: [{ text: `${source} is imported on the way, and has no bundle.` }] };
      return { path: `./${name}.cjs`, external: true };
    });
  },
};

const { metafile } = await esbuild.build({
  entryPoints: {
    main: "action/main.ts",
    post: "action/post.ts",
    keeper: "action/keeper.ts",
    ...LATER,
    [TUNNEL]: TUNNEL,
  },
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
  // What CommonJS calls it.
  define: { "import.meta.dirname": "__dirname" },
  plugins: [withoutUndici, withoutEnvironment, sideEffectFree, loadedLater],
});

await rm(`${OUT}/LICENSES.txt`, { force: true });
await writeFile(`${OUT}/LICENSES.txt`, await bundledLicences(metafile));
