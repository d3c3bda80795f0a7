import { isBuiltin } from "node:module";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";

/**
 * The ES module declarations re-export the CommonJS declarations. If the types were declared twice, a class from one
 * file would not be assignable to the same class from the other, because classes with private fields are compared
 * nominally.
 */
const SAME_TYPES = 'export * from "./index.cjs";\n';

/**
 * Bundles all public types of an entry point into one declaration file.
 *
 * @param external - prefixes of package names that the types may import
 * @returns the text of each file, by file name
 */
export async function bundleTypes(
  entry: string,
  external: readonly string[] = [],
): Promise<Readonly<Record<string, string>>> {
  const bundle = await rollup({
    input: entry,
    external: (id) => isBuiltin(id) || external.some((prefix) => id.startsWith(prefix)),
    plugins: [dts({ tsconfig: "tsconfig.library.json" })],
  });
  const { output } = await bundle.generate({ format: "es" });
  await bundle.close();
  return { "index.d.cts": output[0].code, "index.d.ts": SAME_TYPES };
}
