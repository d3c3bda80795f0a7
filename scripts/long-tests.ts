import { LONG_TESTS } from "../test/support/long-tests.ts";
import { runMarkedTests } from "./marked-tests.ts";

/** `npm run long`: the test files that have parts which take minutes, with these parts. Files can be named instead. */

await runMarkedTests("long-tests.ts", process.argv.slice(2), { [LONG_TESTS]: "1" });
