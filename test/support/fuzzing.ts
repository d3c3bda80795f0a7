import * as fc from "fast-check";

/**
 * Makes fast-check use the same values in every run, so that only a code change can make a test fail. FUZZ_SEED sets a
 * different seed. FUZZ_TIMES multiplies the number of runs.
 */
fc.configureGlobal({ seed: Number(process.env["FUZZ_SEED"] ?? 20_260_131), numRuns: countRuns(100) });

/** Returns the number of runs of a property, multiplied by FUZZ_TIMES. */
export function countRuns(usual: number): number {
  return usual * Number(process.env["FUZZ_TIMES"] ?? 1);
}

export { fc };
