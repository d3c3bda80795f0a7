import type { Plugin } from "esbuild";

/**
 * The toolkit's HTTP client imports undici for one method that is never called here; it would be nine tenths
 * of the bundle.
 */
export const withoutUndici: Plugin = {
  name: "without-undici",
  setup(build) {
    build.onResolve({ filter: /^undici$/ }, () => ({ path: "undici", namespace: "absent" }));
    build.onLoad({ filter: /.*/, namespace: "absent" }, () => ({
      contents: "export class ProxyAgent { constructor() { throw new Error('undici is not part of this bundle'); } }",
    }));
  },
};

/** @actions/* do nothing when they are loaded, but do not say so: what is not used of them may go. */
export const sideEffectFree: Plugin = {
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
