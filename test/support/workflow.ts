import { once } from "node:events";
import { cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { assertNoCanary, assertNoSecret } from "./canaries.ts";
import { makeJobFolder, type JobFolder } from "./runner-environment.ts";
import { makeRunnerMasks, type RunnerMasks } from "./runner-masks.ts";
import { runAction, TO_THE_RUNNER, type ActionRun } from "./runner.ts";
import { mayShow, spawn } from "./searched-process.ts";

/** A step as workflow files write it, as far as the examples use it. */
export interface Step {
  readonly id?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly run?: string;
  readonly shell?: string;
  readonly env?: Readonly<Record<string, unknown>>;
}

/** What a repository has in its settings, and what its runner has in its environment. */
export interface Settings {
  readonly vars: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  /** What the repository holds. Default: nothing. */
  readonly files?: URL;
}

/** What became of a job. */
export interface JobRun {
  /** Exit code of the step that ended it; 0 when all went well. */
  readonly exitCode: number | null;
  /** As a reader of the run sees it. */
  readonly log: string;
  readonly signIns: readonly ActionRun[];
  /** The post steps, in the order they ran. */
  readonly posts: readonly ActionRun[];
  /** Files in the runner's temporary folder when all was over. */
  readonly leftovers: readonly string[];
}

/** A job as workflow files write it, as far as the examples use it. */
interface Job {
  readonly needs?: string;
  readonly steps: readonly Step[];
  /** What goes to jobs that need it. */
  readonly outputs?: Readonly<Record<string, string>>;
  readonly strategy?: { readonly matrix: Readonly<Record<string, readonly unknown[]>> };
  /** How another workflow calls the one that this job is of. */
  readonly call?: Call;
}

/** What a workflow is given by the job that calls it: texts with expressions of the calling workflow. */
interface Call {
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, string>>;
}

/** A job that has no steps and calls a workflow. */
interface CallingJob {
  readonly uses: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, string>>;
}

/** A workflow file, as far as the examples use it. */
interface WorkflowFile {
  readonly on: {
    readonly workflow_call?: { readonly inputs?: Readonly<Record<string, { readonly default?: unknown }>> };
  };
  readonly jobs: Readonly<Record<string, Job | CallingJob>>;
}

/** What expressions of a job may name beside the settings. */
interface Contexts {
  /** The outputs of the jobs that it needs, by job. */
  readonly needs: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly matrix: Readonly<Record<string, string>>;
  /** What a called workflow was given. */
  readonly inputs: Readonly<Record<string, string>>;
}

/**
 * The jobs of a workflow file by their names, each after the one that it needs. In place of one that calls another
 * workflow stand that one's.
 *
 * @param called - the texts of workflows, by the addresses under which jobs call them
 */
export function jobsOf(
  workflow: string,
  called: ReadonlyMap<string, string> = new Map(),
): readonly (readonly [name: string, job: Job])[] {
  const jobs = Object.entries((parse(workflow) as WorkflowFile).jobs).flatMap(([name, job]) =>
    "uses" in job ? jobsOfCall(name, job, called) : [[name, job] as const],
  );
  const names = jobs.map(([name]) => name);
  for (const [index, [name, { needs }]] of jobs.entries())
    if (needs !== undefined && !names.slice(0, index).includes(needs))
      throw new Error(`An example has its jobs in the order in which they run; ${name} comes before ${needs}.`);
  return jobs;
}

function jobsOfCall(
  name: string,
  { uses, with: given = {}, secrets = {} }: CallingJob,
  called: ReadonlyMap<string, string>,
): readonly (readonly [name: string, job: Job])[] {
  const text = called.get(uses);
  if (text === undefined) throw new Error(`The stand-in has no workflow ${uses}.`);
  const declared = (parse(text) as WorkflowFile).on.workflow_call?.inputs ?? {};
  const defaults = Object.entries(declared).map(([input, { default: usual = "" }]) => [input, usual] as const);
  const call: Call = { inputs: { ...Object.fromEntries(defaults), ...given }, secrets };
  return jobsOf(text).map(([own, job]) => [`${name} / ${own}`, { ...job, call }]);
}

/** The combinations of a job's matrix; a single empty one without. */
export const combinationsOf = ({ strategy }: Job): readonly Readonly<Record<string, string>>[] =>
  Object.entries(strategy?.matrix ?? {}).reduce<readonly Readonly<Record<string, string>>[]>(
    (combinations, [axis, values]) =>
      combinations.flatMap((combination) => values.map((value) => ({ ...combination, [axis]: String(value) }))),
    [{}],
  );

/** How each shell runs a script, as the GitHub docs say under `jobs.<job_id>.steps[*].shell`. */
const SHELLS: Readonly<Record<string, readonly string[]>> = {
  default: ["bash", "-e"],
  bash: ["bash", "--noprofile", "--norc", "-eo", "pipefail"],
  python: ["python"],
};

/**
 * Runs the jobs of a workflow one after another, up to the first that fails, each combination of a matrix as a job of
 * its own. Nothing goes from one to the next but its artifacts, and its outputs as far as the runner lets them pass.
 *
 * @param called - as for `jobsOf`
 * @throws Error as `runSteps` does
 */
export async function runWorkflow(
  workflow: string,
  settings: Settings,
  called?: ReadonlyMap<string, string>,
): Promise<readonly JobRun[]> {
  const artifacts = await mkdtemp(join(tmpdir(), "scm-auth-artifacts-"));
  const runs: JobRun[] = [];
  try {
    const needs: Record<string, Readonly<Record<string, string>>> = {};
    for (const [name, job] of jobsOf(workflow, called)) {
      const { inputs, secrets } = given(job, settings);
      for (const matrix of combinationsOf(job)) {
        const contexts = { needs, matrix, inputs };
        const { outputs, ...run } = await runSteps(job, { ...settings, secrets }, { artifacts, contexts });
        needs[name] = outputs;
        runs.push(run);
        if (run.exitCode !== 0) return runs;
      }
    }
    return runs;
  } finally {
    await rm(artifacts, { recursive: true });
  }
}

/** The inputs and secrets that a job has: a called one those that it was given, and no other secret. */
function given({ call }: Job, { vars, secrets }: Settings): Pick<Contexts, "inputs"> & Pick<Settings, "secrets"> {
  if (!call) return { inputs: {}, secrets };
  const evaluate = (value: unknown): string =>
    String(value).replace(/\$\{\{ *(vars|secrets)\.(\w+) *\}\}/g, (_whole, context: string, name: string) => {
      return (context === "vars" ? vars : secrets)[name] ?? "";
    });
  const all = (values: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, evaluate(value)]));
  return { inputs: all(call.inputs), secrets: all(call.secrets) };
}

/**
 * Runs the steps of a job one after another, and at the end the post steps of this action: its own by the runner's
 * stand-in, scripts by their shell. The log of every step is masked with what the steps before have masked, and then
 * searched for the secrets.
 *
 * @throws Error for a step that is none of these, nor one of `OTHERS`, or when a secret leaked
 */
async function runSteps(
  { steps, outputs = {} }: Job,
  settings: Settings,
  run: Pick<Place, "artifacts" | "contexts">,
): Promise<JobRun & { readonly outputs: Readonly<Record<string, string>> }> {
  const job = await makeJobFolder();
  const done: SignIn[] = [];
  try {
    const { exitCode, log, evaluate, masks } = await runAll(steps, settings, { ...run, job, done });
    const posts: ActionRun[] = [];
    for (const { inputs, env, run } of done.toReversed())
      posts.push(await runAction({ inputs, env, job, post: { state: run.state } }));
    const leftovers = (await readdir(job.temp)).filter(
      (name) => name !== "_runner_file_commands" && name !== "event.json",
    );
    const evaluated = Object.entries(outputs).map(([name, value]) => [name, evaluate(value)] as const);
    return {
      // The runner drops an output that holds masked text.
      outputs: Object.fromEntries(evaluated.filter(([, value]) => masks.apply(value) === value)),
      exitCode,
      log: [log, ...posts.map((post) => post.log)].join(""),
      signIns: done.map(({ run }) => run),
      posts,
      leftovers,
    };
  } finally {
    await job.remove();
  }
}

/** Where the steps of a job run. */
interface Place {
  readonly job: JobFolder;
  /** A folder that all jobs of the run share. */
  readonly artifacts: string;
  readonly contexts: Contexts;
  /** The sign-ins so far. */
  readonly done: SignIn[];
}

/** Other people's actions, as far as the examples use them. What they install is on this machine already. */
const OTHERS: Readonly<
  Record<string, (inputs: Readonly<Record<string, string>>, place: Place, files: URL | undefined) => Promise<void>>
> = {
  "actions/checkout": async (_inputs, { job }, files) => {
    if (files) await cp(files, job.workspace, { recursive: true });
  },
  "opentofu/setup-opentofu": () => Promise.resolve(),
  "actions/setup-node": () => Promise.resolve(),
  "pulumi/actions": () => Promise.resolve(),
  "actions/upload-artifact": ({ name = "", path = "" }, { job, artifacts }) =>
    cp(join(job.workspace, path), join(artifacts, name, path)),
  "actions/download-artifact": ({ name = "" }, { job, artifacts }) =>
    cp(join(artifacts, name), job.workspace, { recursive: true }),
};

/** What it would install came with the checkout. */
const INSTALLATION = "npm ci";

/** A sign-in that was made, and what its post step needs. */
interface SignIn {
  readonly inputs: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly run: ActionRun;
}

/** What became of the steps, and what is needed to tell the job's outputs. */
interface StepsRun extends Pick<JobRun, "exitCode" | "log"> {
  readonly evaluate: (value: unknown) => string;
  readonly masks: RunnerMasks;
}

async function runAll(
  steps: readonly Step[],
  { vars, secrets, env, files }: Settings,
  place: Place,
): Promise<StepsRun> {
  const { job, done, contexts } = place;
  const outputs: Record<string, Readonly<Record<string, string>>> = {};
  const exported: Record<string, string> = {};
  const masks = makeRunnerMasks();
  Object.values(secrets).forEach(masks.add);
  const evaluate = (value: unknown): string =>
    String(value).replace(/\$\{\{ *([\w.-]+) *\}\}/g, (_whole, expression: string) => {
      const [context = "", name = "", , output = ""] = expression.split(".");
      if (context === "vars") return vars[name] ?? "";
      if (context === "secrets") return secrets[name] ?? "";
      if (context === "steps") return outputs[name]?.[output] ?? "";
      if (context === "needs") return contexts.needs[name]?.[output] ?? "";
      if (context === "matrix") return contexts.matrix[name] ?? "";
      if (context === "inputs") return contexts.inputs[name] ?? "";
      throw new Error(`The stand-in knows no ${expression}.`);
    });
  const all = (values: Step["with"]): Record<string, string> =>
    Object.fromEntries(Object.entries(values ?? {}).map(([name, value]) => [name, evaluate(value)]));

  let log = "";
  for (const step of steps) {
    const stepEnv = { ...env, ...exported, ...all(step.env) };
    const inputs = all(step.with);
    if (step.uses !== undefined && !/^[\w.-]+\/scm-auth@/.test(step.uses)) {
      const [action = ""] = step.uses.split("@", 1);
      const other = OTHERS[action];
      if (!other) throw new Error(`The stand-in knows no ${step.uses}.`);
      await other(inputs, place, files);
    } else if (step.uses !== undefined) {
      const run = await runAction({ inputs, env: stepEnv, job });
      done.push({ inputs, env: stepEnv, run });
      log += `${run.log}\n`;
      run.masks.forEach(masks.add);
      if (run.exitCode !== 0) return { exitCode: run.exitCode, log, evaluate, masks };
      Object.assign(exported, run.env);
      if (step.id !== undefined) outputs[step.id] = run.outputs;
    } else if (step.run !== INSTALLATION) {
      const { exitCode, text } = await runScript(step, stepEnv, job);
      const seen = masks.apply(text);
      assertNoCanary([...Object.values(secrets), ...done.flatMap(({ run }) => run.token ?? [])], {
        "a step's log": seen,
      });
      assertNoSecret({ "a step's log": seen });
      log += seen;
      if (exitCode !== 0) return { exitCode, log, evaluate, masks };
    }
  }
  return { exitCode: 0, log, evaluate, masks };
}

async function runScript(
  step: Step,
  env: Readonly<Record<string, string>>,
  { workspace, temp }: JobFolder,
): Promise<{ readonly exitCode: number | null; readonly text: string }> {
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-script-"));
  try {
    const script = join(folder, "script");
    await writeFile(script, step.run ?? "");
    const [command = "", ...args] = SHELLS[step.shell ?? "default"] ?? [];
    const child = mayShow(
      spawn(command, [...args, script], {
        cwd: workspace,
        env: { PATH: process.env["PATH"], HOME: folder, RUNNER_TEMP: temp, ...env },
        timeout: 120_000,
      }),
      TO_THE_RUNNER,
    );
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (text += data.toString()));
    const [exitCode] = (await once(child, "close")) as [number | null];
    return { exitCode, text };
  } finally {
    await rm(folder, { recursive: true });
  }
}
