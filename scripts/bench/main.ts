import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { startScmServer } from "../../test/support/scm-server.ts";
import { startLatencyProxy } from "./latency-proxy.ts";

/**
 * `npm run bench` times whole processes alternately (A B A B ...). It prints the medians and the median of the ratios
 * as a Markdown table for docs/performance.md. Run it on an otherwise idle machine. BENCH_RUNS sets how often each
 * command runs (default: 40).
 */

const RUNS = Number(process.env["BENCH_RUNS"] ?? 40);
const ROUND_TRIP_MS = 50;

const ACTION = "dist/action/main.cjs";
const FLOOR = "scripts/bench/floor.cjs";

type Environment = Readonly<Record<string, string | undefined>>;

interface Command {
  readonly args: readonly string[];
  readonly env?: Environment;
  readonly exitCode?: number;
}

/** Converts inputs to variables as the runner does, using the defaults in action.yml. */
async function toInputVariables(inputs: Environment): Promise<Environment> {
  const action = parse(await readFile("action.yml", "utf8")) as { inputs: Record<string, { default?: string }> };
  const all = Object.entries(action.inputs).map(([name, { default: value = "" }]) => [name, inputs[name] ?? value]);
  return Object.fromEntries(all.map(([name = "", value]) => [`INPUT_${name.toUpperCase()}`, value]));
}

/** Runs a process and returns its wall-clock time in milliseconds. */
async function timeProcess({ args, env, exitCode = 0 }: Command, dir: string): Promise<number> {
  const output = join(dir, "output");
  await writeFile(output, "");
  const start = performance.now();
  const child = spawn(process.execPath, args, {
    env: {
      ...{ PATH: process.env["PATH"], GITHUB_OUTPUT: output, GITHUB_STATE: join(dir, "state"), RUNNER_TEMP: dir },
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (log += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== exitCode) throw new Error(`${args.join(" ")} exited with ${String(code)}:\n${log}`);
  return performance.now() - start;
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
};

/** Compares command A with command B and returns a table row. The first pair of runs is a warm-up. */
async function compare(name: string, target: string, a: Command, b: Command, dir: string): Promise<string> {
  const pairs: [number, number][] = [];
  for (let run = -1; run < RUNS; run++) {
    const pair: [number, number] = [await timeProcess(a, dir), await timeProcess(b, dir)];
    if (run >= 0) pairs.push(pair);
  }
  const ratio = median(pairs.map(([x, y]) => x / y));
  const times = [pairs.map(([x]) => x), pairs.map(([, y]) => y)].map((values) => `${median(values).toFixed(1)} ms`);
  return `| ${name} | ${times.join(" | ")} | ${ratio.toFixed(2)} | ${target} |`;
}

const dir = await mkdtemp(join(tmpdir(), "scm-auth-bench-"));
const server = await startScmServer();
const proxy = await startLatencyProxy(server.port, ROUND_TRIP_MS);
try {
  const caFile = join(dir, "ca.pem");
  await writeFile(caFile, server.ca);
  const near = {
    "client-id": server.clientId,
    "client-secret": server.clientSecret,
    "tsg-id": server.tsgId,
    "token-url": server.tokenUrl,
    "jwks-url": server.jwksUrl,
  };
  const far = {
    ...near,
    "token-url": server.tokenUrl.replace(`:${server.port}`, `:${proxy.port}`),
    "jwks-url": server.jwksUrl.replace(`:${server.port}`, `:${proxy.port}`),
  };
  const trusted = { NODE_EXTRA_CA_CERTS: caFile };
  const withInputs = async (script: string, inputs: Environment, env: Environment): Promise<Command> => ({
    args: [script],
    env: { ...(await toInputVariables(inputs)), ...env },
  });
  const rows: string[] = [];
  for (const [name, target, inputs, env] of [
    ["server on this machine", "1.45", near, trusted],
    ["server on this machine, `ca-cert`", "1.45", { ...near, "ca-cert": caFile }, {}],
    [`server ${ROUND_TRIP_MS} ms away`, "1.10", far, trusted],
    [`server ${ROUND_TRIP_MS} ms away, \`ca-cert\``, "1.10", { ...far, "ca-cert": caFile }, {}],
  ] as const) {
    const commands = await Promise.all([ACTION, FLOOR].map((script) => withInputs(script, inputs, env)));
    rows.push(await compare(name, target, ...(commands as [Command, Command]), dir));
  }
  // Without GITHUB_OUTPUT, main.cjs fails right after it starts.
  const start: Command = { args: [ACTION], env: { GITHUB_OUTPUT: undefined }, exitCode: 1 };
  rows.push(await compare("start of `main.cjs` against `node -e 0`", "1.60", start, { args: ["-e", "0"] }, dir));

  const sizes = await Promise.all(
    ["main", "jws", "post", "refresher"].map(async (name) => {
      const { size } = await stat(`dist/action/${name}.cjs`);
      return `${name}.cjs ${(size / 1024).toFixed(1)} KiB`;
    }),
  );
  console.log(
    `Node.js ${process.version}, ${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? "unknown"}), ${RUNS} runs.\n`,
  );
  console.log("| what | action | floor | ratio | target |\n| --- | --- | --- | --- | --- |");
  console.log(rows.join("\n"));
  console.log(`\nBundles: ${sizes.join(", ")}.`);
} finally {
  await proxy.close();
  await server.close();
  await rm(dir, { recursive: true, force: true });
}
