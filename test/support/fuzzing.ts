import * as fc from "fast-check";

/**
 * fast-check with the same values in every run, so that a failing test is about the change at hand. FUZZ_SEED sets another
 * seed, FUZZ_TIMES a factor for the number of runs.
 */
fc.configureGlobal({ seed: Number(process.env["FUZZ_SEED"] ?? 20_260_131), numRuns: countRuns(100) });

/** The runs of a property, multiplied by FUZZ_TIMES. */
export function countRuns(usual: number): number {
  return usual * Number(process.env["FUZZ_TIMES"] ?? 1);
}

export { fc };
