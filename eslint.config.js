import { defineConfig, globalIgnores } from "eslint/config";
import importX from "eslint-plugin-import-x";
import tseslint from "typescript-eslint";

/** A test of `node:test` may be called without awaiting it: the runner waits for it. */
const TEST_CALLS = { from: "package", package: "node:test", name: ["test", "describe", "it", "suite", "skip", "todo"] };

const NODE_GLOBALS = Object.fromEntries(Object.getOwnPropertyNames(globalThis).map((name) => [name, "readonly"]));

/**
 * The lower layers of shared/, from the bottom up. A file imports from its own layer and from those below it. All other
 * files of shared/ are the top layer: the client and the auth file. docs/architecture.md shows the layers.
 */
export const LAYERS = [
  [
    ...["clock", "duration", "errors", "events", "hints", "inspect", "options", "process-id", "redact", "scope"],
    "version",
  ],
  ["http/*"],
  [
    ...["access-token", "auth-request", "auth-request-schema", "ca-certificates", "environment"],
    ...["jwks", "jws", "jwt", "sign-in", "token-endpoint"],
  ],
  ["sealed-token", "token-source"],
];

// A file that is in no list cannot be imported by a lower layer, so a new file cannot weaken the rule.
const layerRules = LAYERS.map((files, index) => {
  const importable = LAYERS.slice(0, index + 1)
    .flat()
    .map((name) => name.replace("*", "[^/]+"))
    .join("|");
  const isDirectory = files.some((name) => name.includes("/"));
  return {
    files: files.map((name) => `shared/${name}.ts`),
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              regex: isDirectory ? `^\\.\\./(?!(${importable})\\.ts$)` : `^\\.{1,2}/(?!(${importable})\\.ts$)`,
              allowTypeImports: false,
              message: "shared/ is layered (docs/architecture.md): a lower layer does not import a higher one.",
            },
          ],
        },
      ],
    },
  };
});

export default defineConfig(
  // The example has dependencies of its own; a test checks its types.
  globalIgnores(["dist/", "provider/plugin/", "node_modules/", "examples/pulumi/"]),
  { linterOptions: { reportUnusedDisableDirectives: "error", reportUnusedInlineConfigs: "error" } },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    plugins: { "import-x": importX },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: {
      "import-x/parsers": { "@typescript-eslint/parser": [".ts"] },
      "import-x/extensions": [".ts"],
    },
    rules: {
      "@typescript-eslint/no-floating-promises": ["error", { allowForKnownSafeCalls: [TEST_CALLS] }],
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // It also forbids splitting a string into characters, which is intended here.
      "@typescript-eslint/no-misused-spread": "off",
      "import-x/no-cycle": "error",
      "import-x/no-restricted-paths": [
        "error",
        {
          zones: [
            {
              target: "./shared",
              from: ["./action", "./cli", "./provider"],
              message: "shared/ does not know its users.",
            },
            { target: "./action", from: ["./cli", "./provider"], message: "The action uses only shared/." },
            { target: "./cli", from: ["./action", "./provider"], message: "The command line uses only shared/." },
            { target: "./provider", from: ["./action", "./cli"], message: "The Pulumi provider uses only shared/." },
            { target: ["./shared", "./action", "./cli", "./provider"], from: ["./test", "./scripts"] },
          ],
        },
      ],
      eqeqeq: "error",
    },
  },
  ...layerRules,
  {
    // Runs on the node of the machine.
    files: ["**/*.cjs", "**/*.js"],
    extends: [tseslint.configs.recommended],
    languageOptions: { globals: NODE_GLOBALS },
    rules: { eqeqeq: "error", "no-undef": "error", "prefer-const": "error" },
  },
  {
    files: ["**/*.cjs"],
    languageOptions: {
      sourceType: "commonjs",
      globals: { __dirname: "readonly", module: "writable", require: "readonly" },
    },
    rules: { "@typescript-eslint/no-require-imports": "off" },
  },
);
