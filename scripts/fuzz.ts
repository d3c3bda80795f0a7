import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { FUZZ_SEED, FUZZ_TIMES } from "../test/support/fuzzing.ts";
import { runMarkedTests } from "./marked-tests.ts";

/**
 * `npm run fuzz`: the test files that have properties, with values never drawn before, and 10 times as many as usual.
 *
 * `npm run fuzz -- 50 test/fuzz/tokens.test.ts --seed 7` takes 50 times as many, of one file, and repeats seed 7.
 */

const { values, positionals } = parseArgs({ allowPositionals: true, options: { seed: { type: "string" } } });
const isCount = (text: string): boolean => /^\d+$/.test(text);
const [times = "10"] = positionals.filter(isCount);
const { seed = String(randomInt(2 ** 31)) } = values;
const files = positionals.filter((text) => !isCount(text));

console.log(`Seed ${seed}, ${times} times the usual runs. To repeat: npm run fuzz -- ${times} FILES --seed ${seed}`);
await runMarkedTests("fuzzing.ts", files, { [FUZZ_TIMES]: times, [FUZZ_SEED]: seed });
