import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

/** A test in `node:test` may be called without awaiting it: the runner waits for it. */
const TEST_CALLS = { from: "package", package: "node:test", name: ["test", "describe", "it", "suite", "skip", "todo"] };

/** Files of tests that start processes by themselves, each with the reason why. */
const STARTS_PROCESSES = [
  // What all others start processes by.
  "test/support/searched-process.ts",
  // What is measured is measured as it is.
  "test/bench/*.ts",
  // Starts the files of tests, which search by themselves.
  "test/stryker/*.ts",
];

const NODE_GLOBALS = Object.fromEntries(Object.getOwnPropertyNames(globalThis).map((name) => [name, "readonly"]));

export default defineConfig(
  // The Pulumi example has packages that are none of ours; test/pulumi-programs.test.ts checks its types.
  globalIgnores(["dist/", "node_modules/", "examples/pulumi/"]),
  { linterOptions: { reportUnusedDisableDirectives: "error", reportUnusedInlineConfigs: "error" } },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-floating-promises": ["error", { allowForKnownSafeCalls: [TEST_CALLS] }],
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // Its real finds are few, and it forbids taking a string apart into characters, which is meant here.
      "@typescript-eslint/no-misused-spread": "off",
      eqeqeq: "error",
    },
  },
  {
    // Its own `assert` knows nothing of `npm run fuzz`, and draws other values in each run.
    files: ["test/**/*.ts"],
    ignores: ["test/support/fuzzing.ts"],
    rules: {
      "no-restricted-imports": ["error", { name: "fast-check", message: "Import fc from test/support/fuzzing.ts." }],
    },
  },
  {
    // What a process of a test writes is searched for secrets.
    files: ["test/**/*.ts"],
    ignores: STARTS_PROCESSES,
    rules: {
      "@typescript-eslint/no-restricted-imports": [
        "error",
        ...["node:child_process", "child_process"].map((name) => ({
          ...{ name, allowTypeImports: true },
          message: "Start processes by test/support/searched-process.ts, which searches what they write for secrets.",
        })),
      ],
    },
  },
  {
    // What runs on a machine's own node, before there is anything to check types with.
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
