import { bundledLicences } from "./licences.ts";
import { typeFiles, typesOf, writeFolder } from "./npm-package.ts";
import { pulumiCode } from "./pulumi-code.ts";

/**
 * Builds `dist/pulumi/`, which `npm pack` takes along and git ignores: what programs import as `scm-auth/pulumi`, and
 * the handler for Pulumi's dynamic-provider process. Another folder can be given.
 */

const OUT = process.argv[2] ?? "dist/pulumi";

/** The handler is for the text in the state alone. */
const HANDLER_TYPES = `/** Carries out the resources of scm-auth, for the text in a state that holds the number \`abi\`. */
declare function handler(abi: number): object;
export = handler;
`;

const { files, metafile } = await pulumiCode();
await writeFolder(OUT, {
  ...files,
  ...typeFiles(await typesOf("provider/program/index.ts", ["@pulumi/"])),
  "handler.d.cts": HANDLER_TYPES,
  "LICENSES.txt": await bundledLicences(metafile),
});
