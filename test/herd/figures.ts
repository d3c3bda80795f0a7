import type { Milliseconds } from "../../shared/clock.ts";
import type { JobRun } from "./simulate.ts";

/** What some runs of one herd came to, one run for each seed. */
export interface Figures {
  /** Of all jobs, those that signed in, in the worst run: 0 to 1. */
  readonly share: number;
  /** When the last of those that did had signed in: in the middle run, and in the worst. */
  readonly last: { readonly median: Milliseconds; readonly worst: Milliseconds };
  /** Token requests: of a job on average in the worst run, and of the busiest job of all. */
  readonly requests: { readonly mean: number; readonly most: number };
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const signedIn = (run: readonly JobRun[]): readonly Milliseconds[] =>
  run.flatMap(({ signedInAt }) => (signedInAt === undefined ? [] : [signedInAt]));

/** When the last job that signed in had done so; 0 when none did. */
const lastOf = (run: readonly JobRun[]): Milliseconds => Math.max(0, ...signedIn(run));

/** The share of jobs that had signed in by `time`. */
export const shareAt = (run: readonly JobRun[], time: Milliseconds): number =>
  signedIn(run).filter((at) => at <= time).length / run.length;

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.slice(Math.floor((sorted.length - 1) / 2), Math.floor(sorted.length / 2) + 1);
  return sum(middle) / middle.length;
}

/** Of runs the one with the fewest signed in, and of those the one that took longest. */
export function worstOf(runs: readonly (readonly JobRun[])[]): readonly JobRun[] {
  const [worst = []] = runs.toSorted(
    (a, b) => signedIn(a).length / a.length - signedIn(b).length / b.length || lastOf(b) - lastOf(a),
  );
  return worst;
}

/** Sums up runs of one herd. */
export function figuresOf(runs: readonly (readonly JobRun[])[]): Figures {
  const requests = runs.map((run) => run.map((job) => job.requests));
  return {
    share: Math.min(...runs.map((run) => signedIn(run).length / run.length)),
    last: { median: median(runs.map(lastOf)), worst: Math.max(...runs.map(lastOf)) },
    requests: {
      mean: Math.max(...requests.map((each) => sum(each) / each.length)),
      most: Math.max(...requests.flat()),
    },
  };
}
