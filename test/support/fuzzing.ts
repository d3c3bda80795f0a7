import { check, defaultReportMessage } from "fast-check";
import type * as fc from "fast-check";

/**
 * fast-check as the tests use it: `import * as fc` from here. Only {@link assert} differs from the package's own.
 * `npm test` draws the same values each time, on every machine, so that a red run is about the change at hand and not
 * about luck. `npm run fuzz` draws others each time, and many times as many.
 */
export * from "fast-check";

/** Variables by which `npm run fuzz` tells a test file how to draw: how many times the usual runs, and from which seed. */
export const FUZZ_TIMES = "SCM_AUTH_FUZZ_TIMES";
export const FUZZ_SEED = "SCM_AUTH_FUZZ_SEED";

/** What fast-check itself takes by default. */
const USUAL_RUNS = 100;
/** Any number will do, as long as it stays. */
const USUAL_SEED = 20_260_131;

const times = Number(process.env[FUZZ_TIMES] ?? 1);
const seed = Number(process.env[FUZZ_SEED] ?? USUAL_SEED);

const done = { properties: 0, runs: 0 };
if (process.env[FUZZ_TIMES] !== undefined)
  process.once("exit", () => {
    console.log(`${done.runs} runs of ${done.properties} properties, seed ${seed}`);
  });

/**
 * Runs a property as fast-check's `assert` does. Its `numRuns`, 100 unless given, are what `npm test` takes;
 * `npm run fuzz` multiplies them.
 *
 * @throws Error that shows the smallest counterexample, with what the property threw as its cause
 */
export function assert<Ts>(property: fc.IAsyncProperty<Ts>, parameters?: fc.Parameters<Ts>): Promise<void>;
export function assert<Ts>(property: fc.IProperty<Ts>, parameters?: fc.Parameters<Ts>): void;
export function assert<Ts>(
  property: fc.IRawProperty<Ts>,
  { numRuns = USUAL_RUNS, ...others }: fc.Parameters<Ts> = {},
): Promise<void> | void {
  const outcome = check(property, { seed, ...others, numRuns: numRuns * times });
  if (outcome instanceof Promise) return outcome.then(judge);
  judge(outcome);
}

function judge<Ts>(details: fc.RunDetails<Ts>): void {
  done.properties++;
  done.runs += details.numRuns;
  if (details.failed) throw new Error(defaultReportMessage(details), { cause: details.errorInstance });
}
