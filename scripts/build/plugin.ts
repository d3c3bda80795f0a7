import { readFile } from "node:fs/promises";
import * as esbuild from "esbuild";
import { collectLicenses } from "./licenses.ts";
import { PACKAGE_OPTIONS, TOOLKIT_PLUGINS } from "./options.ts";
import { createPluginSchema } from "./plugin-schema.ts";

const toJson = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/**
 * Builds `provider/plugin/`, the Pulumi plugin. Pulumi downloads this directory from a tag and runs `npm install` in it.
 *
 * @returns the text of each file, by file name
 */
export async function buildPlugin(): Promise<ReadonlyMap<string, Uint8Array>> {
  const { outputFiles, metafile } = await esbuild.build({
    ...PACKAGE_OPTIONS,
    entryPoints: { index: "provider/plugin-host/main.ts" },
    outdir: ".",
    format: "cjs",
    external: ["@pulumi/pulumi"],
    define: { "import.meta.dirname": "__dirname" },
    plugins: [...TOOLKIT_PLUGINS],
  });
  const { version, license, engines, devDependencies } = JSON.parse(await readFile("package.json", "utf8")) as {
    readonly [name: string]: unknown;
    readonly devDependencies: Readonly<Record<string, string>>;
  };
  const texts = {
    "PulumiPlugin.yaml": "runtime: nodejs\n",
    "package.json": toJson({
      name: "scm-auth",
      version,
      description: "The Pulumi plugin of scm-auth. Built from provider/plugin-host/ by `npm run build`: do not edit.",
      license,
      private: true,
      main: "index.js",
      engines,
      dependencies: { "@pulumi/pulumi": devDependencies["@pulumi/pulumi"] },
    }),
    "schema.json": toJson(createPluginSchema()),
    "index.js": outputFiles[0]?.text ?? "",
    "LICENSES.txt": await collectLicenses(metafile.outputs),
  };
  return new Map(Object.entries(texts).map(([name, text]) => [name, Buffer.from(text)]));
}
