import { mkdir, rm, writeFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";
import { bundledLicences } from "./licences.ts";
import { pulumiCode } from "./pulumi-code.ts";

/**
 * Builds `dist/pulumi/`, which `npm pack` takes along and git ignores: what programs import as `scm-auth/pulumi`, and
 * the handler for Pulumi's dynamic-provider process. Another folder can be given.
 */

const OUT = process.argv[2] ?? "dist/pulumi";

/** The public types in one file, which imports Pulumi's alone. */
async function types(): Promise<string> {
  const bundle = await rollup({
    input: "provider/program/index.ts",
    external: (id) => isBuiltin(id) || id.startsWith("@pulumi/"),
    plugins: [dts({ tsconfig: "tsconfig.library.json" })],
  });
  const { output } = await bundle.generate({ format: "es" });
  await bundle.close();
  return output[0].code;
}

/** The handler is for the text in the state alone. */
const HANDLER_TYPES = `/** Carries out the resources of scm-auth, for the text in a state that holds the number \`abi\`. */
declare function handler(abi: number): object;
export = handler;
`;

const { files, metafile } = await pulumiCode();
const texts = {
  ...files,
  "index.d.cts": await types(),
  // As for the library: told twice, a class would be a stranger to itself.
  "index.d.ts": 'export * from "./index.cjs";\n',
  "handler.d.cts": HANDLER_TYPES,
  "LICENSES.txt": await bundledLicences(metafile),
};

await rm(OUT, { recursive: true, force: true });
await mkdir(OUT, { recursive: true });
for (const [name, text] of Object.entries(texts)) await writeFile(join(OUT, name), text);
