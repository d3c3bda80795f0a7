import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildAction } from "./action.ts";
import { buildPlugin } from "./plugin.ts";
import { createTroubleshootingPage, PAGE } from "./troubleshooting/page.ts";

/**
 * `npm run build` builds the directories that are committed because they are executed directly: `dist/action/` by the
 * runner, and `provider/plugin/` by Pulumi. It also writes docs/troubleshooting.md. The same sources produce the same
 * bytes with every version of Node. `npm run build -- --check` changes no files and fails if anything is stale.
 */

type Files = ReadonlyMap<string, Uint8Array>;

/** npm creates these in the plugin's directory. Git ignores them. */
const IGNORED = ["node_modules", "package-lock.json"];

/** Returns the names of files that differ, are missing, or are not part of the build. */
async function findDifferences(directory: string, files: Files): Promise<readonly string[]> {
  const entries = await readdir(directory).catch((): string[] => []);
  const committed = entries.filter((name) => !IGNORED.includes(name));
  const differences: string[] = [];
  for (const name of new Set([...committed, ...files.keys()])) {
    const built = files.get(name);
    const found = committed.includes(name) ? await readFile(join(directory, name)) : undefined;
    if (built === undefined || !found?.equals(built)) differences.push(name);
  }
  return differences.sort();
}

async function checkDirectory(directory: string, files: Files): Promise<void> {
  const stale = await findDifferences(directory, files);
  reportCheck(stale.length === 0 ? directory : `${directory} (${stale.join(", ")})`, stale.length > 0);
}

function reportCheck(what: string, isStale: boolean): void {
  if (isStale) {
    console.error(`${what} is stale: run \`npm run build\` and commit the result.`);
    process.exitCode = 1;
  } else console.log(`${what} is up to date (Node ${process.version}).`);
}

async function writeDirectory(directory: string, files: Files): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  for (const [name, contents] of files) await writeFile(join(directory, name), contents);
  const sizes = [...files].map(([name, { length }]) => `${name} ${Math.ceil(length / 1024)} KiB`);
  console.log(`${directory}: ${sizes.join(", ")}`);
}

const isCheck = process.argv.includes("--check");
const handle = isCheck ? checkDirectory : writeDirectory;
await handle("dist/action", await buildAction());
await handle("provider/plugin", await buildPlugin());
const page = await createTroubleshootingPage();
if (isCheck) reportCheck(PAGE, (await readFile(PAGE, "utf8").catch(() => "")) !== page);
else await writeFile(PAGE, page);
