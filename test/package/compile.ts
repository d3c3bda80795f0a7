import { join } from "node:path";
import ts from "typescript";
import { root } from "./tarball.ts";

/** How a user's TypeScript finds modules, as tsconfig.json says it. */
export interface Setup {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Endings of files that may stand in such a project: `.mts` is an ES module, `.cts` CommonJS. */
  readonly endings: readonly ("ts" | "mts" | "cts")[];
}

/** The ways of `moduleResolution`. `node` is the old one, the default for CommonJS before TypeScript 6. */
const RESOLUTIONS: readonly Setup[] = [
  { name: "node16", options: { module: "node16" }, endings: ["mts", "cts"] },
  { name: "nodenext", options: { module: "nodenext" }, endings: ["mts", "cts"] },
  { name: "bundler", options: { module: "esnext", moduleResolution: "bundler" }, endings: ["ts"] },
  {
    name: "node, ES modules",
    options: { module: "esnext", moduleResolution: "node", ignoreDeprecations: "6.0" },
    endings: ["ts"],
  },
  {
    name: "node, CommonJS",
    options: { module: "commonjs", moduleResolution: "node", ignoreDeprecations: "6.0" },
    endings: ["cts"],
  },
];

/** Without node's types those of a browser tell what `URL` and `AbortSignal` are. */
const SURROUNDINGS = {
  "with @types/node": { lib: ["es2023"], types: ["node"] },
  "without @types/node": { lib: ["es2023", "dom"], types: [] },
};

/** Every setup in which the types must hold. */
export const SETUPS: readonly Setup[] = RESOLUTIONS.flatMap((resolution) =>
  Object.entries(SURROUNDINGS).map(([name, options]) => ({
    name: `${resolution.name}, ${name}`,
    options: { ...resolution.options, ...options },
    endings: resolution.endings,
  })),
);

/** All strictness that a user may switch on. */
const STRICTEST = {
  target: "es2023",
  strict: true,
  exactOptionalPropertyTypes: true,
  noPropertyAccessFromIndexSignature: true,
  noUncheckedIndexedAccess: true,
  verbatimModuleSyntax: true,
  isolatedModules: true,
  skipLibCheck: false,
  noEmit: true,
  typeRoots: [join(root, "node_modules/@types")],
  paths: { "expect-type": [join(root, "node_modules/expect-type/dist/index.d.ts")] },
};

const NOT_OURS = /[/\\]typescript[/\\]lib[/\\]|[/\\]@types[/\\]|[/\\]node_modules[/\\](?!scm-auth[/\\])/;

/** Libraries are the same for every program: read once. */
const libraries = new Map<string, ts.SourceFile | undefined>();

function compilerHost(options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (path, version, ...more) => {
    if (!NOT_OURS.test(path)) return read(path, version, ...more);
    const key = `${path} ${JSON.stringify(version)}`;
    if (!libraries.has(key)) libraries.set(key, read(path, version, ...more));
    return libraries.get(key);
  };
  return host;
}

/**
 * Compiles files of a user.
 *
 * @param options - `noEmit: false` writes the JavaScript beside them
 * @returns what TypeScript finds wrong in them and in the package's types, a line each
 */
export function faultsOf(files: readonly string[], options: Setup["options"]): readonly string[] {
  const asked = ts.convertCompilerOptionsFromJson({ ...STRICTEST, ...options }, root);
  const program = ts.createProgram(files, asked.options, compilerHost(asked.options));
  const found = [...asked.errors, ...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics()];
  // As without `skipLibCheck`, but for the time that the libraries of others would take.
  const checked = program.getSourceFiles().filter(({ fileName }) => !NOT_OURS.test(fileName));
  for (const source of checked)
    found.push(...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source));
  if (!checked.some(({ fileName }) => /scm-auth[/\\]dist[/\\].*\.d\.c?ts$/.test(fileName)))
    throw new Error("The package's own types were not read.");
  // Each by itself: all at once would check the libraries first.
  const emitted = asked.options.noEmit === false ? files : [];
  for (const file of emitted) found.push(...program.emit(program.getSourceFile(file)).diagnostics);
  return found.map(({ file, start, messageText }) => {
    const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
    return `${file?.fileName ?? ""}:${line} ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
}
