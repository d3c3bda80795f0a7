import { readFile } from "node:fs/promises";

/**
 * Prints the release notes of a version: `node scripts/release/notes.ts 1.2.3`. Fails, and so stops the release, if
 * package.json has another version or CHANGELOG.md has no dated section for it at the top (Keep a Changelog).
 */

/** `## [1.2.3] - 2026-01-31`, and everything up to the next section or the link references. */
const SECTION = /^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)\n([^]*?)(?=^## |^\[[^\]]+\]: |(?![^]))/m;

const [, , version = ""] = process.argv;
const manifest = JSON.parse(await readFile("package.json", "utf8")) as { readonly version: string };
if (manifest.version !== version) throw new Error(`package.json has version ${manifest.version}, not "${version}".`);
const [, newest, , notes = ""] = SECTION.exec(await readFile("CHANGELOG.md", "utf8")) ?? [];
if (newest !== version)
  throw new Error(`The newest dated section of CHANGELOG.md is ${newest ?? "missing"}, not ${version}.`);
if (notes.trim() === "") throw new Error(`CHANGELOG.md has no notes for version ${version}.`);
process.stdout.write(`${notes.trim()}\n`);
