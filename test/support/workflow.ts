import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { assertNoCanary } from "./canaries.ts";
import { makeRunnerMasks } from "./runner-masks.ts";
import { runAction, type ActionRun } from "./runner.ts";

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
}

/** What became of a job. */
export interface JobRun {
  /** Exit code of the step that ended it; 0 when all went well. */
  readonly exitCode: number | null;
  /** As a reader of the run sees it. */
  readonly log: string;
  readonly signIns: readonly ActionRun[];
}

/** The steps of the only job of a workflow file. */
export function stepsOf(workflow: string): readonly Step[] {
  const { jobs } = parse(workflow) as { jobs: Record<string, { steps: Step[] }> };
  const [job, ...others] = Object.values(jobs);
  if (job === undefined || others.length > 0) throw new Error("An example has one job.");
  return job.steps;
}

/** How each shell runs a script, as the GitHub docs say under `jobs.<job_id>.steps[*].shell`. */
const SHELLS: Readonly<Record<string, readonly string[]>> = {
  default: ["bash", "-e"],
  bash: ["bash", "--noprofile", "--norc", "-eo", "pipefail"],
  python: ["python"],
};

/**
 * Runs the steps one after another: this action's by the runner's stand-in, scripts by their shell. The log of
 * every step is masked with what the steps before have masked, and then searched for the secrets.
 *
 * @throws Error for a step that is neither, or when a secret leaked
 */
export async function runSteps(steps: readonly Step[], { vars, secrets, env }: Settings): Promise<JobRun> {
  const outputs: Record<string, Readonly<Record<string, string>>> = {};
  const masks = makeRunnerMasks();
  Object.values(secrets).forEach(masks.add);
  const evaluate = (value: unknown): string =>
    String(value).replace(/\$\{\{ *([\w.-]+) *\}\}/g, (_whole, expression: string) => {
      const [context = "", name = "", , output = ""] = expression.split(".");
      if (context === "vars") return vars[name] ?? "";
      if (context === "secrets") return secrets[name] ?? "";
      if (context === "steps") return outputs[name]?.[output] ?? "";
      throw new Error(`The stand-in knows no ${expression}.`);
    });
  const all = (values: Step["with"]): Record<string, string> =>
    Object.fromEntries(Object.entries(values ?? {}).map(([name, value]) => [name, evaluate(value)]));

  const signIns: ActionRun[] = [];
  let log = "";
  for (const step of steps) {
    if (step.uses !== undefined) {
      if (!/^[\w.-]+\/scm-auth@/.test(step.uses)) throw new Error(`The stand-in knows no ${step.uses}.`);
      const run = await runAction({ inputs: all(step.with), env: { ...env, ...all(step.env) } });
      signIns.push(run);
      log += `${run.log}\n`;
      run.masks.forEach(masks.add);
      if (run.exitCode !== 0) return { exitCode: run.exitCode, log, signIns };
      if (step.id !== undefined) outputs[step.id] = run.outputs;
    } else {
      const { exitCode, text } = await runScript(step, { ...env, ...all(step.env) });
      const seen = masks.apply(text);
      assertNoCanary([...Object.values(secrets), ...signIns.flatMap(({ token }) => token ?? [])], {
        "a step's log": seen,
      });
      log += seen;
      if (exitCode !== 0) return { exitCode, log, signIns };
    }
  }
  return { exitCode: 0, log, signIns };
}

async function runScript(
  step: Step,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly exitCode: number | null; readonly text: string }> {
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-script-"));
  try {
    const script = join(folder, "script");
    await writeFile(script, step.run ?? "");
    const [command = "", ...args] = SHELLS[step.shell ?? "default"] ?? [];
    const child = spawn(command, [...args, script], {
      cwd: folder,
      env: { PATH: process.env["PATH"], HOME: folder, RUNNER_TEMP: folder, ...env },
      timeout: 120_000,
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (text += data.toString()));
    const [exitCode] = (await once(child, "close")) as [number | null];
    return { exitCode, text };
  } finally {
    await rm(folder, { recursive: true });
  }
}
