import { availableParallelism } from "node:os";
import { drawChart } from "./chart.ts";
import { figuresOf, worstOf, type Figures } from "./figures.ts";
import { HERDS, SEEDS, type HerdName } from "./herds.ts";
import { cell, writePage, type Table } from "./page.ts";
import { POLICIES, type Policy } from "./policies.ts";
import { buildPrograms, runProcesses } from "./processes.ts";
import { simulate, type JobRun } from "./simulate.ts";
import type { Surplus } from "./slots.ts";

/**
 * `npm run herd`: herds of jobs against a server with ten slots, under policies of others and that of the action.
 * Writes what it saw into docs/retries.md and docs/retries.svg. Not part of `npm test`: it takes a quarter of an hour.
 * `HERD_RUNS` says how often each herd of processes runs under the action's policy (default 3).
 */

const RUNS = Number(process.env["HERD_RUNS"] ?? 3);
const SIMULATED = Object.keys(HERDS) as HerdName[];
const SPAWNED: readonly HerdName[] = ["10 jobs in 5 s", "100 jobs in 5 s"];
const BIGGEST: HerdName = "1,000 jobs in 5 s";

/** What a server does with the surplus, in words. */
const SURPLUS: Readonly<Record<Surplus, string>> = {
  hang: "The surplus hangs for ever",
  "429": "The surplus gets a 429",
  queue: "The surplus queues, and who leaves is dropped",
  "queue, nobody dropped": "The surplus queues, and who leaves is served all the same",
};
/** The two that are reported are drawn, and played with processes too. */
const REPORTED: readonly Surplus[] = ["hang", "429"];
const IMAGINED: readonly Surplus[] = ["queue", "queue, nobody dropped"];

type Play = (policy: Policy, herd: HerdName) => Promise<readonly (readonly JobRun[])[]>;

/** Fills one table, policy by policy. */
async function fill(heading: string, herds: readonly HerdName[], play: Play): Promise<Table> {
  console.log(heading);
  const rows: Table["rows"][number][] = [];
  for (const policy of POLICIES) {
    const figures: Figures[] = [];
    for (const herd of herds) {
      const seen = figuresOf(await play(policy, herd));
      console.log(`  ${policy.name}: ${herd}: ${cell(seen)}`);
      figures.push(seen);
    }
    rows.push({ policy: policy.name, figures });
  }
  return { heading, herds, rows };
}

const programs = await buildPrograms();
const tables: Table[] = [];
/** The worst run of the biggest herd, by surplus and policy. */
const drawn = new Map<string, readonly JobRun[]>();

try {
  for (const surplus of [...REPORTED, ...IMAGINED]) {
    const play: Play = async (policy, herd) => {
      const runs: (readonly JobRun[])[] = [];
      for (let seed = 1; seed <= SEEDS; seed++) runs.push(await simulate(HERDS[herd], surplus, policy, seed));
      if (herd === BIGGEST) drawn.set(surplus + policy.name, worstOf(runs));
      return runs;
    };
    tables.push(await fill(`${SURPLUS[surplus]}: simulated`, SIMULATED, play));
  }
  for (const surplus of REPORTED) {
    const play: Play = async (policy, herd) => {
      const runs: (readonly JobRun[])[] = [];
      // Others' policies wait for half minutes, and once is enough to see it.
      while (runs.length < (policy.ours ? RUNS : 1))
        runs.push(await runProcesses(HERDS[herd], surplus, policy, programs));
      return runs;
    };
    tables.push(await fill(`${SURPLUS[surplus]}: processes`, SPAWNED, play));
  }
} finally {
  await programs.remove();
}

const today = new Date().toISOString().slice(0, 10);
const chart = drawChart(
  `Share of ${BIGGEST} signed in over time, by policy`,
  REPORTED.map((surplus) => ({
    title: `${SURPLUS[surplus]}: ${BIGGEST}`,
    lines: POLICIES.map(({ name, ours }) => ({ name, ours, run: drawn.get(surplus + name) ?? [] })),
  })),
);
await writePage(
  [
    `Measured on ${today} with node ${process.version} on ${availableParallelism()} cores. Simulated herds ran`,
    `${SEEDS} times with different chance; herds of processes ${RUNS} times under the action's policy and once under`,
    "others'.",
  ].join(" "),
  tables,
  chart,
);
