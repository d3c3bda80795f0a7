/** What was measured, one entry a run, by the name of its work. Runs of one number were made one after another. */
export type Timings<Name extends string = string> = Readonly<Record<Name, readonly number[]>>;

/**
 * Runs pieces of work in turn (A B C A B C ...), so that a machine whose speed drifts drifts for all of them alike.
 *
 * @param works - each gives what it measured
 * @param warmUp - rounds that are not counted
 * @throws the signal's reason, between two pieces of work
 */
export async function inTurn<Name extends string>(
  works: Readonly<Record<Name, () => Promise<number>>>,
  runs: number,
  warmUp: number,
  signal?: AbortSignal,
): Promise<Timings<Name>> {
  const names = Object.keys(works) as Name[];
  const timings = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let run = -warmUp; run < runs; run++) {
    for (const name of names) {
      signal?.throwIfAborted();
      const took = await works[name]();
      if (run >= 0) timings[name].push(took);
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
