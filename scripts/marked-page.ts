import { readFile, writeFile } from "node:fs/promises";
import { format, resolveConfig } from "prettier";

/** Pages with a part that a program writes, between a pair of markers: `<!-- name -->` and `<!-- /name -->`. */

/** Puts `content` between the markers `name`. @throws Error when there are none */
export function between(page: string, name: string, content: string): string {
  const marked = new RegExp(`(<!-- ${name} -->\\n)[^]*?(<!-- /${name} -->)`);
  if (!marked.test(page)) throw new Error(`the page has no markers for ${name}`);
  return page.replace(marked, (_all, begin: string, end: string) => `${begin}\n${content}\n\n${end}`);
}

/** What stands between the markers `name`. @throws Error when there are none */
export function markedPart(page: string, name: string): string {
  const [, part] = new RegExp(`<!-- ${name} -->\\n([^]*?)<!-- /${name} -->`).exec(page) ?? [];
  if (part === undefined) throw new Error(`the page has no markers for ${name}`);
  return part;
}

/** A table as Markdown. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

/** The cells of all tables of a text, row by row, heads among them. */
export const rowsIn = (text: string): readonly (readonly string[])[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

/** Changes a file, and lays it out as all files of the project are. */
export async function updateFile(path: string, change: (text: string) => string): Promise<void> {
  const before = await readFile(path, "utf8").catch(() => "");
  const config = await resolveConfig(path, { editorconfig: false });
  const after = await format(change(before), { ...config, filepath: path });
  if (after !== before) await writeFile(path, after);
}
