import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** The root directory of the repository. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Compiler options that a user may have in tsconfig.json, and the file extensions with which they are tested. */
export interface CompilerSetup {
  readonly options: Readonly<Record<string, unknown>>;
  readonly extensions: readonly string[];
}

const WITH_NODE = { lib: ["es2023"], types: ["node"] };
/** With these options, `URL` and `AbortSignal` have the types of the DOM library. */
const WITHOUT_NODE = { lib: ["es2023", "dom"], types: [] };

export const SETUPS: Readonly<Record<string, CompilerSetup>> = {
  nodenext: { options: { module: "nodenext", ...WITH_NODE }, extensions: ["mts", "cts"] },
  "nodenext without @types/node": { options: { module: "nodenext", ...WITHOUT_NODE }, extensions: ["mts"] },
  bundler: { options: { module: "esnext", moduleResolution: "bundler", ...WITH_NODE }, extensions: ["ts"] },
  node10: {
    options: { module: "commonjs", moduleResolution: "node10", ignoreDeprecations: "6.0", ...WITH_NODE },
    extensions: ["ts"],
  },
};

const STRICT = {
  target: "es2023",
  strict: true,
  exactOptionalPropertyTypes: true,
  noPropertyAccessFromIndexSignature: true,
  noUncheckedIndexedAccess: true,
  isolatedModules: true,
  noEmit: true,
  typeRoots: [join(root, "node_modules/@types")],
};

const OTHER_LIBRARY = /[/\\](typescript[/\\]lib|@types|@pulumi)[/\\]/;

/** Returns the type errors in a user's files and in this package's declarations. */
export function findTypeErrors(files: readonly string[], setup: CompilerSetup["options"]): readonly string[] {
  const { options, errors } = ts.convertCompilerOptionsFromJson({ ...STRICT, ...setup }, root);
  const program = ts.createProgram(files, options);
  // Checking all libraries as well would take several seconds.
  const sources = program.getSourceFiles().filter(({ fileName }) => !OTHER_LIBRARY.test(fileName));
  if (!sources.some(({ fileName }) => /scm-auth[/\\]dist[/\\].*\.d\.c?ts$/.test(fileName)))
    throw new Error("The package's type declarations were not loaded.");
  const found = sources.flatMap((source) => [
    ...program.getSyntacticDiagnostics(source),
    ...program.getSemanticDiagnostics(source),
  ]);
  return [...errors, ...program.getOptionsDiagnostics(), ...found].map(
    ({ file, messageText }) => `${file?.fileName ?? ""}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`,
  );
}
