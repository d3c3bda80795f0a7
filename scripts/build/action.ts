import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import * as esbuild from "esbuild";
import { lazyParts, TOOLKIT_PLUGINS } from "./options.ts";
import { collectLicenses } from "./licenses.ts";

/**
 * `npm run build` builds `dist/action/`, which is committed because the runner executes it directly. The same sources
 * produce the same bytes with every version of Node. `npm run build -- --check` changes no files and fails if
 * dist/action is stale.
 */

const OUT = "dist/action";

/** Builds the entry points and every module that is reachable from them by a dynamic import. */
async function buildAction(): Promise<ReadonlyMap<string, Uint8Array>> {
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
      outdir: OUT,
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

/** Returns the names of files that differ, are missing, or are not part of the build. */
async function findDifferences(files: ReadonlyMap<string, Uint8Array>): Promise<readonly string[]> {
  const committed = await readdir(OUT).catch((): string[] => []);
  const differences: string[] = [];
  for (const name of new Set([...committed, ...files.keys()])) {
    const built = files.get(name);
    const found = committed.includes(name) ? await readFile(join(OUT, name)) : undefined;
    if (built === undefined || !found?.equals(built)) differences.push(name);
  }
  return differences.sort();
}

const files = await buildAction();
if (process.argv.includes("--check")) {
  const stale = await findDifferences(files);
  if (stale.length > 0) {
    console.error(`dist/action is stale (${stale.join(", ")}): run \`npm run build\` and commit the result.`);
    process.exitCode = 1;
  } else console.log(`dist/action is up to date (Node ${process.version}).`);
} else {
  await rm(OUT, { recursive: true, force: true });
  await mkdir(OUT, { recursive: true });
  for (const [name, contents] of files) await writeFile(join(OUT, name), contents);
  const sizes = [...files].map(([name, { length }]) => `${name} ${Math.ceil(length / 1024)} KiB`);
  console.log(`dist/action: ${sizes.join(", ")}`);
}
