import { spawn } from "node:child_process";
import { readFile, glob } from "node:fs/promises";
import { LONG_TESTS } from "../test/support/long-tests.ts";

/** `npm run long`: the test files that have parts which take minutes, with these parts. Files can be named instead. */

const named = process.argv.slice(2);
const files: string[] = [];
for await (const file of glob("test/**/*.test.ts"))
  if ((await readFile(file, "utf8")).includes("support/long-tests.ts")) files.push(file);

const child = spawn(process.execPath, ["--test", "--test-reporter=spec", ...(named.length > 0 ? named : files)], {
  env: { ...process.env, [LONG_TESTS]: "1" },
  stdio: "inherit",
});
child.once("close", (code) => {
  process.exitCode = code ?? 1;
});
