import { startScmServer } from "../support/scm-server.ts";
import { timeInTurn } from "./whole-process.ts";

/** `npm run bench`: the whole action process against a floor, in one run, as a ratio. */

const RUNS = Number(process.env["BENCH_RUNS"] ?? 40);

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * share)] ?? Number.NaN;
const fixed = (value: number, digits = 1): string => value.toFixed(digits).padStart(8);

const server = await startScmServer();
try {
  const scripts = { floor: "test/bench/floor.cjs", action: "dist/action/main.cjs" };
  const timings = await timeInTurn(scripts, server, RUNS);
  const floor = timings["floor"] ?? [];
  console.log(
    `Whole process over TLS, node ${process.version}, ${RUNS} runs each in turn; times in ms, ratio run by run.`,
  );
  console.log(`${"".padEnd(10)}${["median", "p10", "p90", "ratio"].map((head) => head.padStart(8)).join("")}`);
  for (const [name, times] of Object.entries(timings)) {
    const ratios = times.map((time, run) => time / (floor[run] ?? Number.NaN));
    const cells = [median(times), quantile(times, 0.1), quantile(times, 0.9)].map((value) => fixed(value));
    console.log(`${name.padEnd(10)}${cells.join("")}${fixed(median(ratios), 2)}`);
  }
} finally {
  await server.close();
}
