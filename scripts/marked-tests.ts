import { spawn } from "node:child_process";
import { glob, readFile } from "node:fs/promises";

/**
 * Runs the test files that import one file of test/support/, which is how a test says that it can do more when asked.
 * The exit code becomes that of this process.
 *
 * @param support - the file's name: `fuzzing.ts`
 * @param named - test files to run in their place, all of them when empty
 * @param env - variables by which they are asked
 */
export async function runMarkedTests(
  support: string,
  named: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const files: string[] = [];
  for await (const file of glob("test/**/*.test.ts"))
    if ((await readFile(file, "utf8")).includes(`support/${support}`)) files.push(file);

  const child = spawn(process.execPath, ["--test", "--test-reporter=spec", ...(named.length > 0 ? named : files)], {
    env: { ...process.env, ...env },
    stdio: "inherit",
  });
  child.once("close", (code) => {
    process.exitCode = code ?? 1;
  });
}
