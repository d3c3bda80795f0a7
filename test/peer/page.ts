import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";

const PAGE = fileURLToPath(new URL("../../docs/from-python.md", import.meta.url));
const MARKED = /(<!-- peer -->\n)[^]*(<!-- \/peer -->)/;

/** What was seen of one scene. */
export interface Row {
  readonly scene: string;
  readonly pythonSdk: string;
  readonly scmAuth: string;
}

/** Signs that would mean something in a cell, outside of code too. */
const plain = (text: string): string => text.replace(/[|<>*]/g, (sign) => `\\${sign}`);

/**
 * Writes the table into docs/from-python.md, between its markers.
 *
 * @param seen - the sentence above it
 */
export async function writeTable(seen: string, rows: readonly Row[]): Promise<void> {
  const table = [
    "| scene | pan-scm-sdk | scm-auth |",
    "| --- | --- | --- |",
    ...rows.map((row) => `| ${[row.scene, row.pythonSdk, row.scmAuth].map(plain).join(" | ")} |`),
  ].join("\n");
  const page = await readFile(PAGE, "utf8");
  if (!MARKED.test(page)) throw new Error("docs/from-python.md has no markers for the table");
  const changed = page.replace(MARKED, (_all, begin: string, end: string) => `${begin}\n${seen}\n\n${table}\n\n${end}`);
  await writeFile(PAGE, await format(changed, { ...(await resolveConfig(PAGE)), filepath: PAGE }));
}
