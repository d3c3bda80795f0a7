/** What a row's numbers count. */
export type Unit = "ms" | "ns" | "KiB" | "MiB";

/** A row of the page: what was measured, run by run, and what it is held against. */
export interface Row {
  readonly what: string;
  readonly unit: Unit;
  /** One number a run. */
  readonly value: readonly number[];
  /** Runs of one number were made one after another. */
  readonly against?: { readonly what: string; readonly value: readonly number[] };
  /** Upper bound of the median ratio where there is something to hold it against, else of the median. */
  readonly goal?: number;
}

/** A row that this machine could not measure. */
export interface LeftOut {
  readonly what: string;
  readonly because: string;
}

/** The middle of many numbers, and the two between which the middle half lies. */
export interface Spread {
  readonly median: number;
  readonly lower: number;
  readonly upper: number;
}

/** Median and quartiles, between neighbours by their distance. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const quantile = (share: number): number => {
    const at = (sorted.length - 1) * share;
    const [below = Number.NaN, above = below] = sorted.slice(Math.floor(at), Math.floor(at) + 2);
    return below + (above - below) * (at - Math.floor(at));
  };
  return { median: quantile(0.5), lower: quantile(0.25), upper: quantile(0.75) };
}

/** The ratio of each run to the run beside it; undefined where there is none. */
export const ratiosOf = ({ value, against }: Row): readonly number[] | undefined =>
  against && value.map((one, run) => one / (against.value[run] ?? Number.NaN));

/** Whether a row keeps its goal; undefined where it has none. What could not be measured keeps none. */
export function isMet(row: Row): boolean | undefined {
  return row.goal === undefined ? undefined : spreadOf(ratiosOf(row) ?? row.value).median <= row.goal;
}
