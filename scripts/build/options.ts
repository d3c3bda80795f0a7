import { relative, resolve } from "node:path";
import type { BuildOptions, Plugin } from "esbuild";

/**
 * Replacements for packages that @actions/http-client imports but that this project does not use. undici would account
 * for 90% of a bundle, but only a method that is never called needs it. tunnel creates proxy agents, but this project
 * opens its own tunnels (shared/http/connection.ts).
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

/** The @actions/* packages have no side effects but do not declare that, so unused code would remain in the bundle. */
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

/** The plugins used for every bundle. */
export const TOOLKIT_PLUGINS: readonly Plugin[] = [withoutUnusedPackages, withoutSideEffects];

/** Options for bundling the npm package. The code is not minified because users debug it and see its stack traces. */
export const PACKAGE_OPTIONS = {
  bundle: true,
  platform: "node",
  target: "node22",
  minify: false,
  // Otherwise, a class that refers to itself is printed with an underscore before its name.
  keepNames: true,
  legalComments: "none",
  charset: "utf8",
  metafile: true,
  write: false,
  logLevel: "warning",
} as const satisfies BuildOptions;

/**
 * Makes each `import("./x.ts")` load a separate file, `./x.cjs`, when the import is evaluated.
 *
 * @param onPart - receives the name and source path of each such file
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
