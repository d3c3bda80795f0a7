import { registerHooks } from "node:module";

/** Imported for its effect: from here on, whoever imports `node:test` gets `kept-tests.ts`, which itself gets node's. */

const KEPT_TESTS = new URL("kept-tests.ts", import.meta.url).href;
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "node:test" && context.parentURL !== KEPT_TESTS
      ? { url: KEPT_TESTS, shortCircuit: true }
      : next(specifier, context),
});
