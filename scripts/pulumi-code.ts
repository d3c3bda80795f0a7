import { builtinModules } from "node:module";
import * as esbuild from "esbuild";
import type { BuildOptions, Metafile } from "esbuild";
import { PACKAGE_CODE } from "./package-code.ts";
import { sideEffectFree, withoutUndici } from "./toolkit.ts";

/** A file that was built, and what went into all of them. */
export interface PulumiCode {
  readonly files: Readonly<Record<string, string>>;
  readonly metafile: Metafile;
}

const CODE = {
  ...PACKAGE_CODE,
  format: "cjs",
  outExtension: { ".js": ".cjs" },
  outdir: ".",
  external: ["@pulumi/pulumi", ...builtinModules],
  plugins: [withoutUndici, sideEffectFree],
} as const satisfies BuildOptions;

/**
 * ES modules get what CommonJS gets: were there two copies, a program of both kinds would sign in twice. The names
 * are written out, so that whoever imports one that there isn't hears it at once.
 */
const asModule = (names: readonly string[]): string =>
  `import pulumi from "./index.cjs";\nexport const { ${[...names].sort().join(", ")} } = pulumi;\n`;

/**
 * The code of `scm-auth/pulumi`: what a program imports, and the handler that Pulumi's dynamic-provider process
 * loads, which needs nothing beside itself.
 */
export async function pulumiCode(): Promise<PulumiCode> {
  const [program, handler] = await Promise.all([
    esbuild.build({ ...CODE, entryPoints: { index: "provider/program/index.ts" } }),
    esbuild.build({
      ...CODE,
      entryPoints: { handler: "provider/process/handler.ts" },
      // The text in the state calls what `require` gives.
      footer: { js: "module.exports = handler;" },
    }),
  ]);
  const exported = await esbuild.build({
    ...CODE,
    format: "esm",
    entryPoints: { index: "provider/program/index.ts" },
  });
  const names = Object.values(exported.metafile.outputs).flatMap(({ exports }) => exports);
  return {
    files: {
      "index.cjs": program.outputFiles[0]?.text ?? "",
      "index.js": asModule(names),
      "handler.cjs": handler.outputFiles[0]?.text ?? "",
    },
    metafile: {
      inputs: { ...program.metafile.inputs, ...handler.metafile.inputs },
      outputs: { ...program.metafile.outputs, ...handler.metafile.outputs },
    },
  };
}
