/** What was measured, one entry a run, by the name of its row. Runs of one number were made one after another. */
export type Timings = Readonly<Record<string, readonly number[]>>;

/**
 * Runs pieces of work in turn (A B C A B C ...), so that a machine whose speed drifts drifts for all of them alike.
 *
 * @param works - each gives what it measured
 * @param warmUp - rounds that are not counted
 */
export async function inTurn(
  works: Readonly<Record<string, () => Promise<number>>>,
  runs: number,
  warmUp: number,
): Promise<Timings> {
  const timings: Record<string, number[]> = Object.fromEntries(Object.keys(works).map((name) => [name, []]));
  for (let run = -warmUp; run < runs; run++) {
    for (const [name, work] of Object.entries(works)) {
      const took = await work();
      if (run >= 0) timings[name]?.push(took);
    }
  }
  return timings;
}

/** How long `work` takes, in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * share)] ?? Number.NaN;

/** The middle one. */
export const median = (values: readonly number[]): number => quantile(values, 0.5);

const WIDTH = 26;
const cell = (value: number, digits: number): string => value.toFixed(digits).padStart(9);

/** Prints a table whose first row is the floor; the ratio to it is that of the middle run, run by run. */
export function printTimings(heading: string, timings: Timings): void {
  const [floor = []] = Object.values(timings);
  console.log(`\n${heading}`);
  console.log("".padEnd(WIDTH) + ["median", "p10", "p90", "ratio"].map((head) => head.padStart(9)).join(""));
  for (const [name, times] of Object.entries(timings)) {
    const ratios = times.map((time, run) => time / (floor[run] ?? Number.NaN));
    const cells = [0.5, 0.1, 0.9].map((share) => cell(quantile(times, share), 1));
    console.log(name.padEnd(WIDTH) + cells.join("") + cell(median(ratios), 2));
  }
}
