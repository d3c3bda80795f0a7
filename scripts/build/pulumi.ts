import { builtinModules } from "node:module";
import * as esbuild from "esbuild";
import { PACKAGE_OPTIONS, TOOLKIT_PLUGINS } from "./options.ts";

/** The code of `scm-auth/pulumi`, and esbuild's metadata about it. */
export interface PulumiCode {
  readonly files: Readonly<Record<string, string>>;
  readonly outputs: esbuild.Metafile["outputs"];
}

const OPTIONS = {
  ...PACKAGE_OPTIONS,
  outdir: ".",
  external: ["@pulumi/pulumi", ...builtinModules],
  plugins: [...TOOLKIT_PLUGINS],
} as const satisfies esbuild.BuildOptions;

const COMMONJS = { ...OPTIONS, format: "cjs", outExtension: { ".js": ".cjs" } } as const;

/**
 * Bundles the module that programs import as `scm-auth/pulumi`, and the handler that Pulumi's dynamic provider process
 * loads. The handler is a single file without dependencies.
 */
export async function buildPulumi(): Promise<PulumiCode> {
  const [program, handler, esm] = await Promise.all([
    esbuild.build({ ...COMMONJS, entryPoints: { index: "provider/index.ts" } }),
    esbuild.build({
      ...COMMONJS,
      entryPoints: { handler: "provider/dynamic/handler.ts" },
      // The serialized provider in the state calls the value returned by `require`.
      footer: { js: "module.exports = handler;" },
    }),
    esbuild.build({ ...OPTIONS, format: "esm", entryPoints: { index: "provider/index.ts" } }),
  ]);
  const names = Object.values(esm.metafile.outputs).flatMap(({ exports }) => exports);
  return {
    files: {
      "index.cjs": program.outputFiles[0]?.text ?? "",
      // ES modules use the CommonJS file. With two copies, a program that loads both would sign in twice.
      "index.js": `import pulumi from "./index.cjs";\nexport const { ${names.sort().join(", ")} } = pulumi;\n`,
      "handler.cjs": handler.outputFiles[0]?.text ?? "",
      "handler.d.cts":
        "/** The provider behind the resources of scm-auth. Called by the serialized provider in the state. */\n" +
        "declare function handler(version: number): object;\nexport = handler;\n",
    },
    outputs: { ...program.metafile.outputs, ...handler.metafile.outputs },
  };
}
