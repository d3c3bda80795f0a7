import { relative, resolve } from "node:path";
import type { BuildOptions, Plugin } from "esbuild";

/**
 * Packages that @actions/http-client imports but that are not used here. undici is for a method that is not called, and
 * would be nine tenths of a bundle. tunnel makes the agent of a proxy, which shared/http/request.ts replaces: it opens
 * its tunnels itself (shared/http/connection.ts).
 */
const UNUSED_PACKAGES: Readonly<Record<string, string>> = {
  undici: "export class ProxyAgent { constructor() { throw new Error('undici is not part of this bundle'); } }",
  tunnel:
    "export const httpsOverHttp = () => undefined, httpsOverHttps = httpsOverHttp, httpOverHttp = httpsOverHttp, httpOverHttps = httpsOverHttp;",
};

const withoutUnusedPackages: Plugin = {
  name: "without-unused-packages",
  setup(build) {
    build.onResolve({ filter: /^(undici|tunnel)$/ }, ({ path }) => ({ path, namespace: "unused" }));
    build.onLoad({ filter: /.*/, namespace: "unused" }, ({ path }) => ({ contents: UNUSED_PACKAGES[path] ?? "" }));
  },
};

/** The packages of @actions/* have no side effects but do not declare it, so unused parts would stay in the bundle. */
const withoutSideEffects: Plugin = {
  name: "without-side-effects",
  setup(build) {
    build.onResolve({ filter: /^(@actions\/|\.)/ }, async ({ path, pluginData, ...options }) => {
      if (pluginData === "resolved" || !(path.startsWith("@actions/") || options.importer.includes("/@actions/")))
        return undefined;
      const found = await build.resolve(path, { ...options, pluginData: "resolved" });
      return { ...found, sideEffects: false };
    });
  },
};

/** The plugins of every bundle. */
export const TOOLKIT_PLUGINS: readonly Plugin[] = [withoutUnusedPackages, withoutSideEffects];

/** How the code of the npm package is bundled. It is not minified: users step through it and see its stack traces. */
export const PACKAGE_OPTIONS = {
  bundle: true,
  platform: "node",
  target: "node22",
  minify: false,
  legalComments: "none",
  charset: "utf8",
  metafile: true,
  write: false,
  logLevel: "warning",
} as const satisfies BuildOptions;

/**
 * Replaces each `import("./x.ts")` with a file of its own, `./x.cjs`, which is loaded when the import runs.
 *
 * @param onPart - receives the name and the source of each such file
 */
export const lazyParts = (onPart: (name: string, source: string) => void): Plugin => ({
  name: "lazy-parts",
  setup(build) {
    build.onResolve({ filter: /^\./ }, ({ path, kind, resolveDir }) => {
      if (kind !== "dynamic-import") return undefined;
      const source = relative(process.cwd(), resolve(resolveDir, path));
      const name = source.replace(/^.*[\\/]|\.ts$/g, "");
      onPart(name, source);
      return { path: `./${name}.cjs`, external: true };
    });
  },
});
