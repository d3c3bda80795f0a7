import assert from "node:assert/strict";
import { test } from "node:test";

import { FUZZ_SEED, FUZZ_TIMES } from "./fuzzing.ts";
import { run } from "./searched-process.ts";

/** Draws numbers as a test file does, 5 of them as a base. */
const PROGRAM = `
  import * as fc from ${JSON.stringify(new URL("fuzzing.ts", import.meta.url).href)};
  const drawn = [];
  fc.assert(fc.property(fc.nat(), (n) => void drawn.push(n)), { numRuns: 5 });
  await fc.assert(fc.asyncProperty(fc.nat(), async (n) => void drawn.push(n)), { numRuns: 5 });
  console.log(drawn.join());
`;

async function draw(env: NodeJS.ProcessEnv = {}): Promise<readonly string[]> {
  const { [FUZZ_SEED]: _seed, [FUZZ_TIMES]: _times, ...others } = process.env;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", PROGRAM], {
    env: { ...others, ...env },
  });
  return stdout.trim().split("\n");
}

test("the same values are drawn each time, unless others are asked for", async () => {
  const [usual, again, other, repeated] = await Promise.all([
    draw(),
    draw(),
    ...[1, 2].map(() => draw({ [FUZZ_TIMES]: "1", [FUZZ_SEED]: "7" })),
  ]);
  assert.deepEqual(again, usual);
  assert.notEqual(other?.[0], usual[0]);
  assert.deepEqual(repeated, other);
});

test("as many times as asked for, which is told at the end with the seed", async () => {
  const [values = "", told] = await draw({ [FUZZ_TIMES]: "3", [FUZZ_SEED]: "7" });
  assert.equal(values.split(",").length, 30);
  assert.equal(told, "30 runs of 2 properties, seed 7");
});

test("a property that fails shows the smallest counterexample, and what it threw", async () => {
  const failing = PROGRAM.replace("void drawn.push(n)", "{ if (n > 99) throw new Error('too large'); }");
  await assert.rejects(run(process.execPath, ["--input-type=module", "-e", failing]), (error: Error) => {
    assert.match(error.message, /Counterexample: \[100\][^]*too large/);
    return true;
  });
});
