import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import type { Figures } from "./figures.ts";

const PAGE = fileURLToPath(new URL("../../docs/retries.md", import.meta.url));
const CHART = fileURLToPath(new URL("../../docs/retries.svg", import.meta.url));
const MARKED = /(<!-- herd -->\n)[^]*(<!-- \/herd -->)/;

/** A part of what was measured: a row for each policy, a column for each herd. */
export interface Table {
  readonly heading: string;
  readonly herds: readonly string[];
  readonly rows: readonly { readonly policy: string; readonly figures: readonly Figures[] }[];
}

const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(milliseconds < 9950 ? 1 : 0);
/** Rounded down, so that 100 % means all. */
const percent = (share: number): string => `${Math.floor(share * 1000) / 10} %`;

/** One cell: who got in, when the last did (and in the worst run), requests of a job (and of the busiest). */
export const cell = ({ share, last, requests }: Figures): string =>
  `${percent(share)}, ${seconds(last.median)} s (${seconds(last.worst)}), ${requests.mean.toFixed(1)} (${requests.most})`;

const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

const markdown = ({ heading, herds, rows }: Table): string =>
  [
    `### ${heading}\n`,
    line(["policy", ...herds]),
    line(["---", ...herds.map(() => "---")]),
    ...rows.map(({ policy, figures }) => line([policy, ...figures.map(cell)])),
  ].join("\n");

/**
 * Writes tables and picture into docs/, the tables between their markers.
 *
 * @param seen - the sentences above them
 */
export async function writePage(seen: string, tables: readonly Table[], chart: string): Promise<void> {
  const page = await readFile(PAGE, "utf8");
  if (!MARKED.test(page)) throw new Error("docs/retries.md has no markers for the tables");
  const body = [seen, ...tables.map(markdown)].join("\n\n");
  const changed = page.replace(MARKED, (_all, begin: string, end: string) => `${begin}\n${body}\n\n${end}`);
  await writeFile(PAGE, await format(changed, { ...(await resolveConfig(PAGE)), filepath: PAGE }));
  await writeFile(CHART, chart);
}
