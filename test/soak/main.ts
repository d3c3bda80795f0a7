import * as keepFresh from "./keep-fresh.ts";
import * as keeper from "./keeper.ts";
import * as writers from "./writers.ts";

/**
 * `npm run soak`: what only time and chance find out. Each part runs for some minutes of real time, prints its figures
 * as JSON, and fails the command when there is a fault among them.
 *
 * `npm run soak -- PART SECONDS` runs one part for so long; without a part it is each in turn.
 */

/** A part. */
interface Part {
  readonly run: (seconds: number, signal: AbortSignal) => Promise<object>;
}

const PARTS: Readonly<Record<string, Part>> = { writers, "keep-fresh": { run: keepFresh.run }, keeper };
/** Five minutes each. */
const SECONDS = 300;

const words = process.argv.slice(2);
const name = words.find((word) => !(Number(word) > 0)) ?? "all";
const seconds = Number(words.find((word) => Number(word) > 0) ?? SECONDS);
const chosen = Object.entries(PARTS).filter(([part]) => name === "all" || part === name);
if (chosen.length === 0) throw new Error(`Usage: npm run soak -- [all|${Object.keys(PARTS).join("|")}] [SECONDS]`);

const stop = new AbortController();
process.once("SIGINT", () => {
  stop.abort();
});
for (const [part, { run }] of chosen) {
  const report = await run(seconds, stop.signal);
  console.log(`${part} ${JSON.stringify(report, undefined, 2)}`);
  if ("faults" in report && Array.isArray(report.faults) && report.faults.length > 0) process.exitCode = 1;
}
