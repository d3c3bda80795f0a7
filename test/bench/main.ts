import { availableParallelism, cpus, loadavg } from "node:os";
import { cellsOf, writePage, type Table } from "./page.ts";
import { PARTS } from "./parts.ts";
import { openStage } from "./stage.ts";

/**
 * `npm run bench`: how fast it all is, as ratios to what else could be done, in runs that take turns. Writes what it
 * saw into docs/performance.md. Not part of `npm test`: it takes some minutes, and a machine that does nothing else.
 * `npm run bench -- PART` runs one part and writes nothing. `BENCH_RUNS` says how often each work is done (default 60).
 */

const RUNS = Number(process.env["BENCH_RUNS"] ?? 60);

const wished = process.argv.slice(2);
const chosen = Object.entries(PARTS).filter(([name]) => wished.length === 0 || wished.includes(name));
if (chosen.length < wished.length || !(RUNS > 0))
  throw new Error(`Usage: npm run bench -- [${Object.keys(PARTS).join("|")}]`);

const stop = new AbortController();
// What was started is stopped, and not left behind.
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    stop.abort();
  });
const [load = 0] = loadavg();
const stage = await openStage(RUNS, stop.signal);
const tables: Table[] = [];
try {
  for (const [name, { heading, about, measure }] of chosen) {
    const started = performance.now();
    const rows = await measure(stage);
    console.log(`${name} (${Math.round((performance.now() - started) / 1000)} s)`);
    for (const row of rows) console.log(`  ${cellsOf(row).filter(Boolean).join("; ")}`);
    tables.push({ heading, about, rows });
  }
} finally {
  await stage.close();
}

if (wished.length === 0) {
  const today = new Date().toISOString().slice(0, 10);
  await writePage(
    [
      `Measured on ${today} with node ${process.version} on ${availableParallelism()} cores`,
      `(${cpus()[0]?.model.trim() ?? "unknown"}), whose load was ${load.toFixed(1)} before; ${RUNS} runs of each where nothing`,
      "else is said.",
    ].join(" "),
    tables,
  );
}
