import { spawn } from "node:child_process";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { startCommandLine } from "../../test/support/command-line.ts";

/**
 * `node scripts/bench/run-output.ts` compares how fast output passes through `scm-auth run` and through a plain pipe.
 * Both alternate, so that a change in the machine's speed affects both. BENCH_RUNS sets how often (default: 20).
 */

const RUNS = Number(process.env["BENCH_RUNS"] ?? 20);
const SIZE = 200_000_000;
const LINE = "2026-11-28 scm_tag.example: Still creating... [10s elapsed] id=f2a6a1f0-8d1e-4d0c-9d5b (module.x)\n";

const cli = await startCommandLine();
try {
  const file = join(cli.directory, "output.log");
  const handle = await open(file, "w");
  await handle.write(LINE.repeat(Math.ceil(SIZE / LINE.length)));
  await handle.close();
  const env = { ...cli.env, FILE: file };
  // The clock starts when the command has started, because a sign-in is not part of the throughput.
  const timed = 'start=$(date +%s%N); cat "$FILE"; echo $(($(date +%s%N) - start)) >&2';
  const run = `$SCM_AUTH run -- sh -c '${timed}' | cat > /dev/null`;
  const pipe = `sh -c '${timed}' | cat > /dev/null`;

  /** Returns megabytes per second. */
  const measure = async (script: string): Promise<number> => {
    const child = spawn("sh", ["-c", script], { env, stdio: ["ignore", "ignore", "pipe"] });
    let text = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    await once(child, "close");
    return SIZE / 1e6 / (Number(text) / 1e9);
  };
  const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

  const pairs: (readonly [run: number, pipe: number])[] = [];
  // The first pair is not counted.
  for (let count = 0; count <= RUNS; count++) pairs.push([await measure(run), await measure(pipe)]);
  pairs.shift();
  const [ours, plain] = [0, 1].map((index) => Math.round(median(pairs.map((pair) => pair[index] ?? NaN))));
  const ratio = median(pairs.map(([a, b]) => a / b)).toFixed(2);
  console.log(`scm-auth run: ${ours ?? ""} MB/s, plain pipe: ${plain ?? ""} MB/s, ratio: ${ratio} (${RUNS} pairs)`);
} finally {
  await cli.close();
}
