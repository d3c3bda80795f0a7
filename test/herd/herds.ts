import type { Herd } from "./simulate.ts";

/** The herds of the tables, by what they are called there. */
export const HERDS = Object.freeze({
  "10 jobs in 5 s": { jobs: 10, within: 5000 },
  "20 jobs in 1 s": { jobs: 20, within: 1000 },
  "50 jobs in 1 s": { jobs: 50, within: 1000 },
  "100 jobs in 5 s": { jobs: 100, within: 5000 },
  "200 jobs in 5 s": { jobs: 200, within: 5000 },
  "1,000 jobs in 5 s": { jobs: 1000, within: 5000 },
}) satisfies Readonly<Record<string, Herd>>;

/** The name of a herd. */
export type HerdName = keyof typeof HERDS;

/** How many runs each figure of a simulation comes from. */
export const SEEDS = 20;
