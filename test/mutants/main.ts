import { once } from "node:events";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { spawn } from "../support/searched-process.ts";
import { mutants, type Mutant } from "./table.ts";

/**
 * `npm run mutants`: puts each small bug of the table into a copy of the project and runs the tests that should
 * catch it. Fails when one survives, when one no longer applies, or when those tests fail without any bug.
 *
 * `npm run mutants -- WORD` runs those whose name holds WORD.
 */

const repository = fileURLToPath(new URL("../../", import.meta.url));
const PARTS = [
  "shared",
  "action",
  "scripts",
  "test",
  "dist",
  "docs",
  "examples",
  "package.json",
  "action.yml",
  "README.md",
  "tsconfig.json",
  ".prettierrc.json",
];
const AT_ONCE = 2;

async function copyProject(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), "scm-auth-mutant-"));
  for (const part of PARTS) await cp(join(repository, part), join(copy, part), { recursive: true });
  await symlink(join(repository, "node_modules"), join(copy, "node_modules"), "junction");
  return copy;
}

/** Exit code of node with these arguments, its output thrown away. */
async function node(
  copy: string,
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly text: string }> {
  // Not the runner's own mark, or the copy's tests would report to this process instead of to their own.
  const { NODE_TEST_CONTEXT: _mark, ...env } = process.env;
  const child = spawn(process.execPath, args, { cwd: copy, env, timeout: 240_000 });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (text += data.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, text };
}

const testArgs = ({ tests, only }: Pick<Mutant, "tests" | "only">): readonly string[] => [
  "--test",
  ...(only === undefined ? [] : [`--test-name-pattern=${only}`]),
  ...tests,
];

/** The tests' outcome in a copy, with what `change` does to it. */
async function tryIn(
  change: (copy: string) => Promise<void>,
  tests: Pick<Mutant, "tests" | "only">,
): Promise<{ readonly passed: boolean; readonly text: string }> {
  const copy = await copyProject();
  try {
    await change(copy);
    const built = await node(copy, ["scripts/build.ts"]);
    if (built.code !== 0) throw new Error(`does not build:\n${built.text}`);
    const { code, text } = await node(copy, testArgs(tests));
    const ran = Number(/^. pass (\d+)/m.exec(text)?.[1] ?? 0) + Number(/^. fail (\d+)/m.exec(text)?.[1] ?? 0);
    if (ran === 0) throw new Error(`none of its tests ran:\n${text}`);
    return { passed: code === 0, text };
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

const apply =
  ({ file, find, replace }: Mutant) =>
  async (copy: string): Promise<void> => {
    const path = join(copy, file);
    const text = await readFile(path, "utf8");
    const parts = text.split(find);
    if (parts.length !== 2) throw new Error(`no longer applies: its text stands ${parts.length - 1} times in ${file}`);
    await writeFile(path, parts.join(replace));
  };

const word = process.argv[2] ?? "";
const chosen = mutants.filter(({ name }) => name.includes(word));
if (chosen.length === 0) throw new Error(`No mutant's name holds "${word}".`);

// Once for each set of tests: without a bug they pass, or their failing proves nothing.
const sets = new Map(
  chosen.map(({ tests, ...rest }) => [
    JSON.stringify([tests, rest.only]),
    { tests, ...(rest.only !== undefined && { only: rest.only }) },
  ]),
);
for (const set of sets.values()) {
  const { passed, text } = await tryIn(() => Promise.resolve(), set);
  if (!passed) throw new Error(`These tests fail without any bug: ${set.tests.join(" ")}\n${text}`);
}

const faults: string[] = [];
const queue = [...chosen];
const work = async (): Promise<void> => {
  for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
    const started = performance.now();
    const outcome = await tryIn(apply(mutant), mutant).then(
      ({ passed }) => (passed ? "SURVIVED" : "killed"),
      (error: unknown) => String(error),
    );
    if (outcome !== "killed") faults.push(mutant.name);
    console.log(`${outcome.padEnd(9)} ${mutant.name} (${Math.round((performance.now() - started) / 1000)} s)`);
  }
};
await Promise.all(Array.from({ length: AT_ONCE }, work));
console.log(`${chosen.length - faults.length} of ${chosen.length} mutants killed.`);
if (faults.length > 0) process.exitCode = 1;
