import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { between, table, updateFile } from "../../scripts/marked-page.ts";
import type { Figures } from "./figures.ts";

const PAGE = fileURLToPath(new URL("../../docs/retries.md", import.meta.url));
const CHART = fileURLToPath(new URL("../../docs/retries.svg", import.meta.url));

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

const markdown = ({ heading, herds, rows }: Table): string => {
  const cells = rows.map(({ policy, figures }) => [policy, ...figures.map(cell)]);
  return `### ${heading}\n\n${table(["policy", ...herds], cells)}`;
};

/**
 * Writes tables and picture into docs/, the tables between their markers.
 *
 * @param seen - the sentences above them
 */
export async function writePage(seen: string, tables: readonly Table[], chart: string): Promise<void> {
  const body = [seen, ...tables.map(markdown)].join("\n\n");
  await updateFile(PAGE, (page) => between(page, "herd", body));
  await writeFile(CHART, chart);
}
