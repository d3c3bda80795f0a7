import { readFile } from "node:fs/promises";
import { notesOf } from "./changelog.ts";

/**
 * Writes to stdout what the release of a version says: `node scripts/release-notes.ts 1.2.3`. Fails, and so stops the
 * release, when package.json or CHANGELOG.md are of another version or not ready.
 */

const [, , asked = ""] = process.argv;
const { version } = JSON.parse(await readFile("package.json", "utf8")) as { readonly version: string };
if (version !== asked) throw new Error(`package.json has version ${version}, and not ${asked || "any"}.`);
process.stdout.write(notesOf(await readFile("CHANGELOG.md", "utf8"), version));
