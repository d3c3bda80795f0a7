import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { PLACEHOLDER } from "../../shared/handoff/auth-file-format.ts";
import { assertNoCanary, assertNoSecret, canBeCanary, keepSecret, tokenCanaries, type Shown } from "./canaries.ts";
import { parseFileCommands } from "./file-commands.ts";
import {
  inputVariables,
  makeJobFolder,
  makeStepFolder,
  readInputDefaults,
  stateVariables,
  type JobFolder,
  type StepFolder,
  type WorkflowEvent,
} from "./runner-environment.ts";
import { makeRunnerMasks, type RunnerMasks } from "./runner-masks.ts";
import { mayShow, spawn } from "./searched-process.ts";
import { linesOf, obey, type Annotation, type StepLog } from "./workflow-commands.ts";

/** One step of a workflow, and the runner that runs it. */
export interface ActionOptions {
  /** What the workflow gives under `with:`. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** Names of inputs that the workflow takes from GitHub secrets: masked from the start. Default: `client-secret`. */
  readonly secrets?: readonly string[];
  /** Set last, so over all else; a variable set to undefined is taken away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default: a push by octocat. */
  readonly event?: WorkflowEvent;
  /** The job that the step is part of. Default: one of its own, with this step alone. */
  readonly job?: JobFolder;
  /** Runs the post step, with what the main step kept. */
  readonly post?: { readonly state: Readonly<Record<string, string>> };
  /** Runs as with debug logging switched on. */
  readonly debug?: boolean;
  /** Script to run. Default: the bundle of the action, or that of its post step. */
  readonly entry?: string;
  /** Default: the action.yml of this repository. */
  readonly manifest?: string;
  /** Node to run it with. Default: the one that runs the test. */
  readonly node?: string;
  /** When to kill it, in milliseconds. Default: 30 s. */
  readonly timeoutMs?: number;
  /** Kills it and gives up when aborted. */
  readonly signal?: AbortSignal;
  /** What no one may see, looked up after the run. Default: the input `client-secret`. The token handed out is added. */
  readonly canaries?: readonly string[] | (() => readonly string[]);
  /** Lets the step write to stderr. */
  readonly allowStderr?: boolean;
  /** Shuts this end of the step's stdout at once, so that what it writes goes nowhere and fails. */
  readonly deafRunner?: boolean;
}

/** What became of a step. Texts by key are those that the runner found in its files. */
export interface ActionRun {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Raw, commands and all. */
  readonly stdout: string;
  readonly stderr: string;
  /** As a reader of the run sees it, masks applied. */
  readonly log: string;
  readonly annotations: readonly Annotation[];
  readonly outputs: Readonly<Record<string, string>>;
  /** Those that reach other jobs: the runner drops what is empty or holds something masked. */
  readonly jobOutputs: Readonly<Record<string, string>>;
  readonly state: Readonly<Record<string, string>>;
  /** Added to the environment of later steps. */
  readonly env: Readonly<Record<string, string>>;
  /** Added to the PATH of later steps. */
  readonly path: readonly string[];
  /** Raw Markdown. */
  readonly summary: string;
  /** All values masked at the end, without their encodings. */
  readonly masks: readonly string[];
  /** The output `access-token`, when there is one. */
  readonly token: string | undefined;
  /** From start to end of the process, in milliseconds. */
  readonly ms: number;
}

const inRepository = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/**
 * Runs the action as a step of a workflow, as the runner of GitHub Actions would, and then looks for secrets in
 * everything that someone else might see.
 *
 * @throws Error when a secret leaked, or when the step wrote to stderr and may not
 */
export async function runAction(options: ActionOptions = {}): Promise<ActionRun> {
  const { inputs = {}, secrets = ["client-secret"] } = options;
  const defaults = await readInputDefaults(options.manifest ?? inRepository("action.yml"));
  const job = options.job ?? (await makeJobFolder(options.event));
  const folder = await makeStepFolder(job);
  try {
    const ended = await runProcess(options, folder, {
      ...folder.env,
      ...(options.debug ? { RUNNER_DEBUG: "1" } : {}),
      ...inputVariables({ ...defaults, ...inputs }),
      ...stateVariables(options.post?.state ?? {}),
      ...options.env,
    });
    options.signal?.throwIfAborted();
    const written = await readFiles(folder);
    const lines = [
      ...complaints(inputs, defaults),
      // The runner reads the two streams side by side and hands on stderr first.
      ...linesOf(ended.stderr),
      ...linesOf(ended.stdout),
      ...written.errors.map((message) => `::error::${message}`),
    ];
    const maskSecrets = (): RunnerMasks => {
      const masks = makeRunnerMasks();
      for (const name of secrets) masks.add((inputs[name] ?? "").trim());
      return masks;
    };
    const masks = maskSecrets();
    const seen = obey(lines, masks, options.debug);
    const outputs = { ...seen.outputs, ...written.outputs };
    const run: ActionRun = {
      ...ended,
      log: seen.lines.join("\n"),
      annotations: seen.annotations,
      outputs,
      jobOutputs: pickEntries(outputs, (value) => value !== "" && masks.apply(value) === value),
      state: { ...seen.state, ...written.state },
      env: written.env,
      path: written.path,
      summary: written.summary,
      masks: masks.values(),
      token: outputs["access-token"] === "" ? undefined : outputs["access-token"],
    };
    await keepHandedOut(run);
    // A debug message that this run hides is for all to see in a run with debug logging.
    searchForSecrets(options, run, obey(lines, maskSecrets(), true));
    return run;
  } finally {
    await (options.job ? folder : job).remove();
  }
}

const MASKED = "the runner reads it, masks with it, and masks it; what it lets a reader see is searched then";
/** What a step of a workflow writes goes to the runner and to no one else. */
export const TO_THE_RUNNER: Shown = { "client secret": MASKED, "job secret": MASKED, password: MASKED, token: MASKED };

type Ended = Pick<ActionRun, "exitCode" | "signal" | "stdout" | "stderr" | "ms">;

function runProcess(
  {
    node = process.execPath,
    post,
    entry = inRepository(`dist/action/${post ? "post" : "main"}.cjs`),
    timeoutMs = 30_000,
    signal,
    deafRunner,
  }: ActionOptions,
  { workspace }: StepFolder,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = mayShow(
      spawn(node, [entry], { cwd: workspace, env, stdio: ["ignore", "pipe", "pipe"], windowsHide: true }),
      TO_THE_RUNNER,
    );
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    if (deafRunner) child.stdout.destroy();
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    const kill = (): void => {
      child.kill("SIGKILL");
    };
    const timer = setTimeout(kill, timeoutMs);
    signal?.addEventListener("abort", kill, { once: true });
    let abandon: NodeJS.Timeout | undefined;
    // A process that it left behind may hold the pipes open: the runner waits 5 s for them.
    child.once("exit", () => {
      abandon = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, 5000);
    });
    const settle = (): void => {
      clearTimeout(timer);
      clearTimeout(abandon);
      signal?.removeEventListener("abort", kill);
    };
    child.once("error", (error) => {
      settle();
      reject(error);
    });
    child.once("close", (exitCode, endSignal) => {
      settle();
      const text = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString();
      const ms = performance.now() - start;
      resolve({ exitCode, signal: endSignal, stdout: text(stdout), stderr: text(stderr), ms });
    });
  });
}

/** The runner's warning of inputs that the action does not declare, as it stands in the log. */
function complaints(
  inputs: Readonly<Record<string, string>>,
  defaults: Readonly<Record<string, string>>,
): readonly string[] {
  const unexpected = Object.keys(inputs).filter((name) => !(name.toLowerCase() in defaults));
  if (unexpected.length === 0) return [];
  const quote = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(", ");
  return [`::warning::Unexpected input(s) ${quote(unexpected)}, valid inputs are [${quote(Object.keys(defaults))}]`];
}

interface Written {
  readonly outputs: Readonly<Record<string, string>>;
  readonly state: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly path: readonly string[];
  readonly summary: string;
  /** What the runner has to say of files that it can't read or does not like. */
  readonly errors: readonly string[];
}

async function readFiles(folder: StepFolder): Promise<Written> {
  const errors: string[] = [];
  const read = async (file: "OUTPUT" | "STATE" | "ENV"): Promise<Readonly<Record<string, string>>> => {
    try {
      return Object.fromEntries(parseFileCommands(await folder.read(file)));
    } catch (error) {
      errors.push(`Unable to process file command '${file.toLowerCase()}' successfully.`, (error as Error).message);
      return {};
    }
  };
  const [outputs, state, env] = [await read("OUTPUT"), await read("STATE"), await read("ENV")];
  const path = linesOf(await folder.read("PATH")).filter((line) => line !== "");
  if ("NODE_OPTIONS" in env) errors.push("Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.");
  return { outputs, state, env, path, summary: await folder.read("STEP_SUMMARY"), errors };
}

const pickEntries = (
  entries: Readonly<Record<string, string>>,
  keep: (value: string) => boolean,
): Readonly<Record<string, string>> => Object.fromEntries(Object.entries(entries).filter(([, value]) => keep(value)));

/** Puts on the list what the step made: the token, and the secret for this job that its auth file holds. */
async function keepHandedOut({ token, outputs }: ActionRun): Promise<void> {
  if (token !== undefined) keepSecret("token", token);
  const file = await readFile(outputs["auth-file"] ?? "", "utf8").catch(() => "");
  const [, jobSecret = ""] = /"client_secret": *"([^"]*)"/.exec(file) ?? [];
  if (jobSecret !== PLACEHOLDER) keepSecret("job secret", jobSecret);
}

function searchForSecrets(options: ActionOptions, run: ActionRun, withDebug: StepLog): void {
  const given = options.canaries ?? [options.inputs?.["client-secret"] ?? ""].filter(canBeCanary);
  const canaries = typeof given === "function" ? given() : given;
  const { "access-token": tokenOutput = "", ...otherOutputs } = run.outputs;
  const ofToken = run.token === undefined ? [] : tokenCanaries(run.token);
  const places = {
    "the log": withDebug.lines.join("\n"),
    "an annotation": withDebug.annotations.map(({ title = "", message }) => `${title}\n${message}`).join("\n"),
    stderr: run.stderr,
    "the summary": run.summary,
    "the state": entriesAsText(run.state),
    "the environment of later steps": entriesAsText(run.env),
    "the PATH of later steps": run.path.join("\n"),
    "an output": entriesAsText(otherOutputs),
  };
  assertNoSecret(places);
  assertNoCanary([...canaries, ...ofToken], places);
  const secret = options.inputs?.["client-secret"];
  const notInToken = canaries.filter((canary) => canary === secret || !ofToken.includes(canary));
  assertNoCanary(notInToken, { "the output access-token": tokenOutput });
  assertNoSecret({ "the output access-token": tokenOutput }, { token: "it is the token's output" });
  if (!options.allowStderr && run.stderr !== "") throw new Error(`The step wrote to stderr:\n${run.stderr}`);
}

const entriesAsText = (entries: Readonly<Record<string, string>>): string =>
  Object.entries(entries)
    .map(([name, value]) => `${name}=${value}`)
    .join("\n");
