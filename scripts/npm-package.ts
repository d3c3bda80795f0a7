import { mkdir, rm, writeFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";

/**
 * What ES modules see are the types of the CommonJS file: were they told twice, a class of one kind would be a stranger
 * to a program of the other (classes with private fields are compared by where they are declared).
 */
const SAME_TYPES = 'export * from "./index.cjs";\n';

/** For TypeScript before 4.7, which knows no `.d.cts`: Pulumi brings 3.8 for programs that bring none. */
const OLD_TYPES = "before-4.7.d.ts";

/**
 * All public types of an entry in one file, as TypeScript declarations.
 *
 * @param packages - begin the names of packages from which that file may import
 */
export async function typesOf(entry: string, packages: readonly string[] = []): Promise<string> {
  const bundle = await rollup({
    input: entry,
    external: (id) => isBuiltin(id) || packages.some((name) => id.startsWith(name)),
    plugins: [dts({ tsconfig: "tsconfig.library.json" })],
  });
  const { output } = await bundle.generate({ format: "es" });
  await bundle.close();
  return output[0].code;
}

/** The files by which every TypeScript finds `types`, which are those of `index.cjs`. */
export const typeFiles = (types: string): Readonly<Record<string, string>> => ({
  "index.d.cts": types,
  "index.d.ts": SAME_TYPES,
  [OLD_TYPES]: types,
});

/** Puts files into a folder, by their names; what was in it goes. */
export async function writeFolder(folder: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
}
