import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { parse } from "yaml";
import { getClientVersion } from "../../test/support/clients.ts";
import { startScmServer } from "../../test/support/scm-server.ts";
import { startLatencyProxy } from "./latency-proxy.ts";

/**
 * `npm run bench` times whole processes alternately (A B A B ...). It prints the medians and the median of the ratios
 * as a Markdown table for docs/performance.md. Run it on an otherwise idle machine. BENCH_RUNS sets how often each
 * command runs (default: 40). The rows with the Python SDK need `python3` with pan-scm-sdk on PATH.
 */

const RUNS = Number(process.env["BENCH_RUNS"] ?? 40);
const ROUND_TRIP_MS = 50;

type Environment = Readonly<Record<string, string | undefined>>;

interface Command {
  /** Default: Node.js. */
  readonly program?: string;
  readonly args: readonly string[];
  readonly env?: Environment;
  readonly exitCode?: number;
}

/** What is compared: the name of a row, what command B is, and the highest ratio that is intended. */
interface Row {
  readonly name: string;
  readonly other: string;
  readonly target?: string;
}

/** Converts inputs to variables as the runner does, using the defaults in action.yml. */
async function toInputVariables(inputs: Environment): Promise<Environment> {
  const action = parse(await readFile("action.yml", "utf8")) as { inputs: Record<string, { default?: string }> };
  const all = Object.entries(action.inputs).map(([name, { default: value = "" }]) => [name, inputs[name] ?? value]);
  return Object.fromEntries(all.map(([name = "", value]) => [`INPUT_${name.toUpperCase()}`, value]));
}

/** Runs a process and returns its wall-clock time in milliseconds. */
async function timeProcess(
  { program = process.execPath, args, env, exitCode = 0 }: Command,
  dir: string,
): Promise<number> {
  const files = { GITHUB_OUTPUT: join(dir, "output"), GITHUB_STATE: join(dir, "state"), GITHUB_ENV: join(dir, "env") };
  await Promise.all(Object.values(files).map((path) => writeFile(path, "")));
  const start = performance.now();
  const child = spawn(program, args, {
    env: { PATH: process.env["PATH"], ...files, RUNNER_TEMP: dir, ...env },
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

/** Runs the action with `seal` and returns the sealed token. */
async function seal(command: Command, dir: string): Promise<string> {
  await timeProcess(command, dir);
  const [, sealed] = /^sealed-token<<.*\n(.+)$/m.exec(await readFile(join(dir, "output"), "utf8")) ?? [];
  if (sealed === undefined) throw new Error("The action did not set the output sealed-token.");
  return sealed;
}

/** Compares command A with command B and returns a table row. The first pair of runs is a warm-up. */
async function compare({ name, other, target = "" }: Row, a: Command, b: Command, dir: string): Promise<string> {
  const pairs: [number, number][] = [];
  for (let run = -1; run < RUNS; run++) {
    const pair: [number, number] = [await timeProcess(a, dir), await timeProcess(b, dir)];
    if (run >= 0) pairs.push(pair);
  }
  const ratio = median(pairs.map(([x, y]) => x / y));
  const times = [pairs.map(([x]) => x), pairs.map(([, y]) => y)].map((values) => `${median(values).toFixed(1)} ms`);
  return `| ${name} | ${other} | ${times.join(" | ")} | ${ratio.toFixed(2)} | ${target} |`;
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
  const action = (inputs: Environment, env: Environment = trusted) => withInputs("dist/action/main.cjs", inputs, env);
  const usualAction = join(dir, "usual-action.cjs");
  await build({
    entryPoints: ["scripts/bench/usual-action.ts"],
    outfile: usualAction,
    ...{ bundle: true, minify: true, platform: "node", target: "node24", logLevel: "warning" },
  });
  const hasPythonSdk = (await getClientVersion("pan-scm-sdk")) !== undefined;
  const away = `server ${ROUND_TRIP_MS} ms away`;

  const rows: string[] = [];
  const add = async (row: Row, a: Command, b: Command) => rows.push(await compare(row, a, b, dir));
  for (const [server, target, inputs, env] of [
    ["server near", "1.45", near, trusted],
    ["server near, `ca-cert`", "1.45", { ...near, "ca-cert": caFile }, {}],
    [away, "1.10", far, trusted],
    [`${away}, \`ca-cert\``, "1.10", { ...far, "ca-cert": caFile }, {}],
  ] as const) {
    const floor = await withInputs("scripts/bench/floor.cjs", inputs, env);
    await add({ name: `sign-in, ${server}`, other: "the floor", target }, await action(inputs, env), floor);
  }
  for (const [server, inputs] of [
    ["server near", near],
    [away, far],
  ] as const) {
    const usual = await withInputs(usualAction, inputs, trusted);
    await add({ name: `sign-in, ${server}`, other: "the usual action" }, await action(inputs), usual);
    if (hasPythonSdk) {
      const env = { REQUESTS_CA_BUNDLE: caFile, SSL_CERT_FILE: caFile };
      const python = await withInputs("scripts/bench/python-sdk.py", inputs, env);
      const sdk = { ...python, program: "python3" };
      await add({ name: `sign-in, ${server}`, other: "the Python SDK" }, await action(inputs), sdk);
    }
    const sealed = await seal(await action({ ...inputs, seal: "true" }), dir);
    const unseal = await action({ ...inputs, "sealed-token": sealed });
    await add({ name: `unsealed token, ${server}`, other: "a sign-in" }, unseal, await action(inputs));
    const authFile = { ...inputs, "auth-file": join(dir, `${server}.json`), "keep-fresh": "false" };
    await add(
      { name: `token in the auth file, ${server}`, other: "a sign-in" },
      await action(authFile),
      await action(inputs),
    );
  }
  // Without GITHUB_OUTPUT, main.cjs fails right after it starts.
  const start: Command = { args: ["dist/action/main.cjs"], env: { GITHUB_OUTPUT: undefined }, exitCode: 1 };
  await add({ name: "start of `main.cjs`", other: "`node -e 0`", target: "1.60" }, start, { args: ["-e", "0"] });

  const sizes = await Promise.all(
    ["main", "jws", "post", "refresher"].map(async (name) => {
      const { size } = await stat(`dist/action/${name}.cjs`);
      return `${name}.cjs ${(size / 1024).toFixed(1)} KiB`;
    }),
  );
  console.log(
    `Node.js ${process.version}, ${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? "unknown"}), ${RUNS} runs.\n`,
  );
  console.log("| what | compared with | action | other | ratio | target |\n| --- | --- | --- | --- | --- | --- |");
  console.log(rows.join("\n"));
  console.log(`\nBundles: ${sizes.join(", ")}.`);
} finally {
  await proxy.close();
  await server.close();
  await rm(dir, { recursive: true, force: true });
}
