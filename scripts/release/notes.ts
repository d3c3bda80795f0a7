import { readFile } from "node:fs/promises";

/**
 * `node scripts/release/notes.ts 1.2.3` prints the release notes for a version. It fails, which stops the release, if
 * package.json has a different version or if the first dated section of CHANGELOG.md is for a different version.
 */

/** Matches `## [1.2.3] - 2026-01-31` and everything up to the next section or the link references. */
const SECTION = /^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)\n([^]*?)(?=^## |^\[[^\]]+\]: |(?![^]))/m;

const [, , version = ""] = process.argv;
const manifest = JSON.parse(await readFile("package.json", "utf8")) as { readonly version: string };
if (manifest.version !== version) throw new Error(`package.json has version ${manifest.version}, not "${version}".`);
const [, newest, , notes = ""] = SECTION.exec(await readFile("CHANGELOG.md", "utf8")) ?? [];
if (newest !== version)
  throw new Error(`The newest dated section of CHANGELOG.md is ${newest ?? "missing"}, not ${version}.`);
if (notes.trim() === "") throw new Error(`CHANGELOG.md has no notes for version ${version}.`);
process.stdout.write(`${notes.trim()}\n`);
