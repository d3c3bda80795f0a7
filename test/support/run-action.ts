import { readFile } from "node:fs/promises";
import { runProcess, type ProcessOptions, type ProcessResult } from "./processes.ts";
import {
  createJob,
  createStepFiles,
  inRepository,
  parseFileCommands,
  readInputDefaults,
  toInputVariables,
  type Job,
  type StepFiles,
  type WorkflowEvent,
} from "./runner-job.ts";
import { createRunnerMasks, type RunnerMasks } from "./runner-masks.ts";
import { assertNoSecret } from "./secrets.ts";
import { interpretOutput, toLines, type Annotation } from "./workflow-commands.ts";

/** One step of a workflow. */
export interface ActionOptions extends Pick<ProcessOptions, "timeoutMs" | "signal" | "closeStdout"> {
  /** The inputs in the step's `with:`. Omitted inputs have the defaults in action.yml. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** Variables to add to the environment. Undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default: a push by octocat. */
  readonly event?: WorkflowEvent;
  /** The job that contains the step. Default: a new job with only this step. */
  readonly job?: Job;
  /** Runs the post step with the state that the main step saved. */
  readonly post?: { readonly state: Readonly<Record<string, string>> };
  /** Sets RUNNER_DEBUG. */
  readonly debug?: boolean;
  /** Returns, after the run, the values that must not be visible in addition to the client secret and the token. */
  readonly secrets?: () => readonly string[];
  /** Allows the step to write to stderr. */
  readonly allowStderr?: boolean;
  /** The program to run. Default: the action's bundle. */
  readonly entry?: string;
  /** The Node executable that runs the program. Default: the one that runs the tests. */
  readonly node?: string;
}

/** The result of a step, as seen by the runner. */
export interface ActionRun extends Pick<
  ProcessResult,
  "exitCode" | "signal" | "stdout" | "stderr" | "durationMs" | "firstOutputMs"
> {
  /** The masked log, as users see it. */
  readonly log: string;
  readonly annotations: readonly Annotation[];
  readonly outputs: Readonly<Record<string, string>>;
  /** The outputs that reach other jobs. The runner drops outputs that are empty or contain a masked value. */
  readonly jobOutputs: Readonly<Record<string, string>>;
  readonly state: Readonly<Record<string, string>>;
  /** Variables added to the environment of later steps. */
  readonly env: Readonly<Record<string, string>>;
  /** The job summary as Markdown. */
  readonly summary: string;
  /** All masked values, without the encodings that the runner derives. */
  readonly masks: readonly string[];
  /** The `access-token` output, or undefined if it is empty. */
  readonly token: string | undefined;
}

/**
 * Runs the action as a workflow step, as the GitHub Actions runner does. Checks that nothing that the step wrote
 * contains a secret.
 *
 * @throws Error if a secret leaked, or if the step wrote to stderr
 */
export async function runAction(options: ActionOptions = {}): Promise<ActionRun> {
  const { inputs = {}, post, debug = false } = options;
  const job = options.job ?? (await createJob(options.event));
  const files = await createStepFiles(job);
  try {
    const { entry = inRepository(`dist/action/${post ? "post" : "main"}.cjs`), node = process.execPath } = options;
    const result = await runProcess(node, [entry], {
      ...options,
      cwd: job.workspace,
      env: {
        ...job.env,
        ...files.env,
        ...(debug && { RUNNER_DEBUG: "1" }),
        ...toInputVariables({ ...(await readInputDefaults()), ...inputs }),
        ...Object.fromEntries(Object.entries(post?.state ?? {}).map(([name, value]) => [`STATE_${name}`, value])),
        ...options.env,
      },
    });
    options.signal?.throwIfAborted();
    const { errors, ...written } = await readStepFiles(files);
    // stderr comes first, as in the runner.
    const lines = [...toLines(result.stderr), ...toLines(result.stdout), ...errors.map((text) => `::error::${text}`)];
    const createMasks = (): RunnerMasks => {
      const masks = createRunnerMasks();
      // The runner masks repository secrets from the start.
      masks.add((inputs["client-secret"] ?? "").trim());
      return masks;
    };
    const masks = createMasks();
    const { lines: shown, annotations } = interpretOutput(lines, masks, debug);
    const { outputs } = written;
    const run: ActionRun = {
      ...result,
      ...written,
      log: shown.join("\n"),
      annotations,
      jobOutputs: Object.fromEntries(
        Object.entries(outputs).filter(([, value]) => value !== "" && masks.apply(value) === value),
      ),
      masks: masks.getValues(),
      token: outputs["access-token"] === "" ? undefined : outputs["access-token"],
    };
    // Debug messages are checked too, because any run may show them.
    const withDebug = interpretOutput(lines, createMasks(), true);
    await checkSecrets(options, run, withDebug.lines.join("\n"));
    if (!options.allowStderr && run.stderr !== "") throw new Error(`The step wrote to stderr:\n${run.stderr}`);
    return run;
  } finally {
    await (options.job ? files : job).remove();
  }
}

async function readStepFiles(files: StepFiles) {
  const errors: string[] = [];
  const read = async (file: "OUTPUT" | "STATE" | "ENV"): Promise<Readonly<Record<string, string>>> => {
    try {
      return parseFileCommands(await files.read(file));
    } catch (error) {
      errors.push(`Unable to process file command '${file}' successfully: ${(error as Error).message}`);
      return {};
    }
  };
  return {
    outputs: await read("OUTPUT"),
    state: await read("STATE"),
    env: await read("ENV"),
    summary: (await files.read("STEP_SUMMARY")) + (await files.read("PATH")),
    errors,
  };
}

/** Returns the passwords in proxy URLs. */
const getPasswords = (env: ActionOptions["env"] = {}): readonly string[] =>
  Object.values(env).flatMap((value = "") => /^https?:\/\/[^/]*?:([^/]+)@/.exec(value)?.[1] ?? []);

async function checkSecrets(options: ActionOptions, run: ActionRun, log: string): Promise<void> {
  const { "access-token": tokenOutput = "", "token-endpoint-secret": jobSecretOutput = "", ...outputs } = run.outputs;
  const authFile = await readFile(outputs["auth-file"] ?? "", "utf8").catch(() => "");
  const [, jobSecret = ""] = /"client_secret": *"([^"]*)"/.exec(authFile) ?? [];
  const secrets = [
    ...[options.inputs?.["client-secret"] ?? "", ...getPasswords(options.env)],
    ...(/^(not-|un)/.test(jobSecret) ? [] : [jobSecret]),
    ...(options.secrets?.() ?? []),
  ].filter((secret) => secret.trim().length >= 8);
  const toText = (entries: Readonly<Record<string, string>>): string =>
    Object.entries(entries)
      .map(([name, value]) => `${name}=${value}`)
      .join("\n");
  const places = {
    "the log": log,
    "the title of an annotation": run.annotations.map(({ title = "" }) => title).join("\n"),
    "the summary": run.summary,
    "the state": toText(run.state),
    "the environment of later steps": toText(run.env),
    "an output": toText(outputs),
  };
  assertNoSecret(places, [...secrets, ...(run.token === undefined ? [] : [run.token])]);
  if (jobSecretOutput !== "" && !run.masks.includes(jobSecretOutput)) throw new Error("the job secret is not masked");
  assertNoSecret(
    { "the output access-token": tokenOutput, "the output token-endpoint-secret": jobSecretOutput },
    [options.inputs?.["client-secret"] ?? ""].filter(Boolean),
  );
}
