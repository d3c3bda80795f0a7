import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { getClientVersion, getSkipReason } from "../../test/support/clients.ts";
import { NetworkJobs } from "../../test/support/network-jobs.ts";
import { PULUMI_YAML, PulumiStack } from "../../test/support/pulumi-cli.ts";

/**
 * `npx node scripts/bench/pulumi.ts` times `pulumi preview` of programs with and without an AuthFile, whose file has a
 * valid token. The programs run alternately (A B C A B C ...). It prints the medians as a Markdown table for
 * docs/pulumi.md. Run it on an otherwise idle machine, with `pulumi` and its language hosts on PATH. BENCH_RUNS sets how
 * often each program runs (default: 15).
 */

const RUNS = Number(process.env["BENCH_RUNS"] ?? 15);

const NODE = "name: project\nruntime: nodejs\n";
const YAML = "name: project\nruntime: yaml\n";
const EMPTY = 'require("@pulumi/pulumi");\n';
const DYNAMIC = 'new (require("scm-auth/pulumi").AuthFile)("auth", { path: ".scm/auth.json" });\n';
// This is what the generated SDK does.
const PLUGIN = `const { CustomResource } = require("@pulumi/pulumi");
new CustomResource("scm-auth:index:AuthFile", "auth", { path: ".scm/auth.json" });
`;
const YAML_PLUGIN = `${YAML}resources:
  auth: { type: "scm-auth:AuthFile", properties: { path: .scm/auth.json } }
`;

interface Program {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  /** The program to which the time is compared. */
  readonly baseline?: string;
}

const PROGRAMS: readonly Program[] = [
  { name: "JavaScript without AuthFile", files: { "Pulumi.yaml": NODE, "index.js": EMPTY } },
  {
    ...{ name: "JavaScript with the npm package", baseline: "JavaScript without AuthFile" },
    files: { "Pulumi.yaml": NODE, "index.js": DYNAMIC },
  },
  {
    ...{ name: "JavaScript with the plugin", baseline: "JavaScript without AuthFile" },
    files: { "Pulumi.yaml": NODE, "index.js": PLUGIN },
  },
  { name: "YAML without AuthFile", files: { "Pulumi.yaml": `${YAML}resources: {}\n` } },
  { name: "YAML with the plugin", baseline: "YAML without AuthFile", files: { "Pulumi.yaml": YAML_PLUGIN } },
];

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

async function measure(directory: string, jobs: NetworkJobs): Promise<string> {
  const stacks = new Map<string, PulumiStack>();
  for (const [index, { name, files }] of PROGRAMS.entries()) {
    const stack = await PulumiStack.createWithProject(join(directory, String(index), "project"), jobs, files);
    await stack.succeed(["up", "--yes", "--skip-preview"]);
    stacks.set(name, stack);
  }
  const times = new Map<string, number[]>(PROGRAMS.map(({ name }) => [name, []]));
  // The first round is a warm-up.
  for (let run = -1; run < RUNS; run++)
    for (const [name, stack] of stacks) {
      const start = performance.now();
      const { tokenRequests } = await stack.succeed(["preview", "--expect-no-changes"]);
      if (tokenRequests > 0) throw new Error(`${name}: the token in the file was not used`);
      if (run >= 0) times.get(name)?.push(performance.now() - start);
    }
  const rows = PROGRAMS.map(({ name, baseline = name }) => {
    const [own = [], base = []] = [times.get(name), times.get(baseline)];
    const added = median(own.map((time, run) => time - (base[run] ?? Number.NaN)));
    return `| ${name} | ${median(own).toFixed(0)} ms | ${name === baseline ? "" : `${added.toFixed(0)} ms`} |`;
  });
  return ["| program | `pulumi preview` | added |", "| --- | --- | --- |", ...rows].join("\n");
}

const skipReason = await getSkipReason(PULUMI_YAML);
if (skipReason === false) {
  const directory = await mkdtemp(join(tmpdir(), "scm-auth-bench-"));
  const jobs = await NetworkJobs.start();
  try {
    const pulumi = (await getClientVersion("pulumi")) ?? "";
    const cpu = cpus()[0]?.model ?? "";
    console.log(`pulumi ${pulumi}, ${cpu}, ${availableParallelism()} cores, ${RUNS} runs of each program\n`);
    console.log(await measure(directory, jobs));
  } finally {
    await jobs.close();
    await rm(directory, { recursive: true, force: true });
  }
} else console.log(skipReason);
