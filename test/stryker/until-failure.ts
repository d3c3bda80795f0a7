import "./keep-tests-hook.ts";
import { keepTestsOf } from "./kept-tests.ts";

/** `node until-failure.ts FILE...` runs the tests of these files, in this process, until one fails. */

for (const file of process.argv.slice(2)) for (const { run } of await keepTestsOf(file)) await run();
// What tests would have taken down at the end of their file is taken down by this.
process.exit();
