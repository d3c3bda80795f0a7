import { fileURLToPath } from "node:url";
import { between, table, updateFile } from "../../scripts/marked-page.ts";
import { isMet, ratiosOf, spreadOf, type LeftOut, type Row, type Spread, type Unit } from "./row.ts";

const PAGE = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));

/** A part of the page. */
export interface Table {
  readonly heading: string;
  /** What its rows are, as sentences. */
  readonly about: string;
  readonly rows: readonly (Row | LeftOut)[];
}

/** Digits behind the point. */
const DIGITS: Readonly<Record<Unit, number>> = { ms: 1, ns: 0, KiB: 1, MiB: 1 };
const RATIO_DIGITS = 2;

const HEAD = ["what", "median (quartiles)", "held against", "median (quartiles)", "ratio (quartiles)", "goal"];

/** Median, and quartiles where there is more than one run. */
function told({ median, lower, upper }: Spread, digits: number, unit = ""): string {
  const fixed = (value: number): string => value.toFixed(digits);
  const quartiles = lower === upper ? "" : ` (${fixed(lower)} to ${fixed(upper)})`;
  return `${fixed(median)}${unit}${quartiles}`;
}

/** A row's cells, in the order of `HEAD`. */
export function cellsOf(row: Row | LeftOut): readonly string[] {
  if ("because" in row) return [row.what, `left out: ${row.because}`, "", "", "", ""];
  const { what, unit, value, against, goal } = row;
  const number = (values: readonly number[]): string => told(spreadOf(values), DIGITS[unit], ` ${unit}`);
  const ratios = ratiosOf(row);
  const bound = goal === undefined ? "" : ratios ? goal.toFixed(RATIO_DIGITS) : `${goal} ${unit}`;
  return [
    what,
    number(value),
    against?.what ?? "",
    against ? number(against.value) : "",
    ratios ? told(spreadOf(ratios), RATIO_DIGITS) : "",
    goal === undefined ? "" : `${bound}: ${isMet(row) ? "met" : "**not met**"}`,
  ];
}

/** A table as Markdown, with its heading. */
export const markdown = ({ heading, about, rows }: Table): string =>
  [`### ${heading}`, about, table(HEAD, rows.map(cellsOf))].join("\n\n");

/**
 * Writes the tables into docs/performance.md, between their markers.
 *
 * @param seen - the sentences above them
 */
export async function writePage(seen: string, tables: readonly Table[]): Promise<void> {
  const body = [seen, ...tables.map(markdown)].join("\n\n");
  await updateFile(PAGE, (page) => between(page, "bench", body));
}
