import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import { publicSurface } from "./public-surface.ts";
import { surfaceChanges, type Surface } from "./surface-changes.ts";

/**
 * Writes test/surface.json, what a major version protects: `npm run surface`. What is new goes in. When something is
 * gone or changed it refuses, until package.json has a higher major version.
 */

const root = fileURLToPath(new URL("..", import.meta.url));
const SNAPSHOT = `${root}test/surface.json`;

const { version } = JSON.parse(await readFile(`${root}package.json`, "utf8")) as { readonly version: string };
const major = Number.parseInt(version, 10);
const present = await publicSurface(root);
const promised = await readFile(SNAPSHOT, "utf8").then(
  (text) => JSON.parse(text) as { readonly major: number; readonly surface: Surface },
  () => ({ major, surface: {} }),
);
// A surface that was never written down has promised nothing.
const { broken, added } =
  Object.keys(promised.surface).length === 0
    ? { broken: [], added: ["everything"] }
    : surfaceChanges(promised.surface, present);
for (const row of added) console.log(`New: ${row}.`);
for (const row of broken) console.log(`Breaks users: ${row}.`);
if (broken.length > 0 && major <= promised.major) {
  console.log(`That needs version ${promised.major + 1}.0.0 (docs/versioning.md). Nothing was written.`);
  process.exitCode = 1;
} else {
  const config = await resolveConfig(SNAPSHOT, { editorconfig: false });
  const text = JSON.stringify({ major, surface: present });
  await writeFile(SNAPSHOT, await format(text, { ...config, filepath: SNAPSHOT }));
  if (broken.length + added.length === 0) console.log(`The surface is that of version ${promised.major}.`);
}
