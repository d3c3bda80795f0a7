import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/**
 * Builds the action with each node at hand, and says whether it comes out as dist/action has it, byte for byte, with a
 * digest of all its files: `npm run reproduce -- PATHS`. Without paths: this node, and `node22`, `node24` and `node26`
 * where PATH has them. Exit code 1 when a build differs, or a path that was given leads to no node.
 */

const run = promisify(execFile);
const USUAL = ["node22", "node24", "node26"];

/** The version of a node, and how it is made to read TypeScript; undefined when there is none. */
async function nodeAt(path: string): Promise<{ readonly version: string; readonly options: string[] } | undefined> {
  try {
    const { stdout } = await run(path, ["-p", "process.version + ' ' + process.features.typescript"]);
    const [version = "", typescript] = stdout.trim().split(" ");
    // Node 22 before 22.18 wants to be told.
    return { version, options: typescript === "strip" ? [] : ["--experimental-strip-types"] };
  } catch {
    return undefined;
  }
}

/** The bytes of a folder's files, by their names. */
async function bytesIn(folder: string): Promise<ReadonlyMap<string, Buffer>> {
  const files = (await readdir(folder)).sort().map(async (name) => [name, await readFile(join(folder, name))] as const);
  return new Map(await Promise.all(files));
}

const digestOf = (files: ReadonlyMap<string, Buffer>): string =>
  [...files]
    .reduce((hash, [name, bytes]) => hash.update(`${name} ${bytes.length}\n`).update(bytes), createHash("sha256"))
    .digest("hex");

/** The files that differ, or stand in one of the two alone. */
const differing = (one: ReadonlyMap<string, Buffer>, other: ReadonlyMap<string, Buffer>): readonly string[] =>
  [...new Set([...one.keys(), ...other.keys()])].filter((name) => {
    const [a, b] = [one.get(name), other.get(name)];
    return a === undefined || b === undefined || !a.equals(b);
  });

const committed = await bytesIn("dist/action");
const given = process.argv.slice(2);
for (const path of [process.execPath, ...(given.length > 0 ? given : USUAL)]) {
  const node = await nodeAt(path);
  if (!node) {
    console.log(`NOT RUN ${path}: no node there`);
    if (given.length > 0) process.exitCode = 1;
    continue;
  }
  const { version, options } = node;
  const fresh = await mkdtemp(join(tmpdir(), "scm-auth-reproduce-"));
  try {
    await run(path, [...options, "scripts/build.ts", fresh]);
    const built = await bytesIn(fresh);
    const differ = differing(committed, built);
    if (differ.length > 0) process.exitCode = 1;
    const verdict =
      differ.length > 0 ? `DIFFERENT from dist/action in ${differ.join(", ")}` : "the bytes of dist/action";
    console.log(`RAN node ${version}: ${verdict}, sha256 ${digestOf(built)}`);
  } finally {
    await rm(fresh, { recursive: true });
  }
}
