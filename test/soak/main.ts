import * as keepFresh from "./keep-fresh.ts";
import * as keeper from "./keeper.ts";
import * as writers from "./writers.ts";

/**
 * `npm run soak`: what only time and chance find out. Each part runs for some minutes of real time, prints its figures
 * as JSON, and fails the command when there is a fault among them.
 *
 * `npm run soak -- PART SECONDS` runs one part for so long; `all` is each in turn.
 */

/** A part. */
interface Part {
  readonly run: (seconds: number, signal: AbortSignal) => Promise<object>;
}

const PARTS: Readonly<Record<string, Part>> = { writers, "keep-fresh": { run: keepFresh.run }, keeper };
/** Five minutes each. */
const SECONDS = 300;

const [name = "all", seconds = String(SECONDS)] = process.argv.slice(2);
const chosen = Object.entries(PARTS).filter(([part]) => name === "all" || part === name);
if (chosen.length === 0 || !(Number(seconds) > 0))
  throw new Error(`Usage: npm run soak -- [all|${Object.keys(PARTS).join("|")}] [SECONDS]`);

const stop = new AbortController();
process.once("SIGINT", () => {
  stop.abort();
});
for (const [part, { run }] of chosen) {
  const report = await run(Number(seconds), stop.signal);
  console.log(`${part} ${JSON.stringify(report, undefined, 2)}`);
  if ("faults" in report && Array.isArray(report.faults) && report.faults.length > 0) process.exitCode = 1;
}
