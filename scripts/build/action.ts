import { basename } from "node:path";
import * as esbuild from "esbuild";
import { lazyParts, TOOLKIT_PLUGINS } from "./options.ts";
import { collectLicenses } from "./licenses.ts";

/**
 * Builds `dist/action/`: the entry points and every module that is reachable from them by a dynamic import.
 *
 * @returns the content of each file, by file name
 */
export async function buildAction(): Promise<ReadonlyMap<string, Uint8Array>> {
  const sources = new Map([
    ["main", "action/main.ts"],
    ["post", "action/post.ts"],
    ["refresher", "action/refresher/main.ts"],
  ]);
  const files = new Map<string, Uint8Array>();
  const outputs: esbuild.Metafile["outputs"] = {};
  // The loop also visits entries that are added while it runs.
  for (const [name, source] of sources) {
    const { outputFiles, metafile } = await esbuild.build({
      entryPoints: { [name]: source },
      outdir: ".",
      outExtension: { ".js": ".cjs" },
      bundle: true,
      platform: "node",
      // ARM32 runners and older versions of act run the action with Node 20.
      target: "node20",
      // CommonJS starts faster than ES modules. esbuild converts import() to require().
      format: "cjs",
      supported: { "dynamic-import": false },
      minify: true,
      keepNames: false,
      legalComments: "none",
      charset: "utf8",
      metafile: true,
      write: false,
      logLevel: "warning",
      define: { "import.meta.dirname": "__dirname", "import.meta.filename": "__filename" },
      plugins: [
        ...TOOLKIT_PLUGINS,
        lazyParts((part, path) => {
          const known = sources.get(part);
          if (known !== undefined && known !== path) throw new Error(`${known} and ${path} need different names`);
          sources.set(part, path);
        }),
      ],
    });
    for (const { path, contents } of outputFiles) files.set(basename(path), contents);
    Object.assign(outputs, metafile.outputs);
  }
  return files.set("LICENSES.txt", Buffer.from(await collectLicenses(outputs)));
}
