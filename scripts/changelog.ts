/** A version, its day and what CHANGELOG.md says of it. */
const SECTION = /^## (\d+\.\d+\.\d+) \((.+)\)\n([^]*?)(?=^## |(?![^]))/gm;

const DAY = /^\d{4}-\d\d-\d\d$/;

/**
 * What a changelog says of a version, as Markdown.
 *
 * @param changelog - with a section `## 1.2.3 (2026-01-31)` for each version, newest first
 * @throws Error when the version is not the newest one, has no day yet, or nothing is said of it
 */
export function notesOf(changelog: string, version: string): string {
  const [newest] = changelog.matchAll(SECTION);
  const [, found = "none", day = "", notes = ""] = newest ?? [];
  if (found !== version) throw new Error(`CHANGELOG.md begins with version ${found}, and not with ${version}.`);
  if (!DAY.test(day)) throw new Error(`CHANGELOG.md has no day for version ${version}: "${day}".`);
  if (notes.trim() === "") throw new Error(`CHANGELOG.md says nothing of version ${version}.`);
  return `${notes.trim()}\n`;
}
