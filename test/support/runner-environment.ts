import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { arch, platform, tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";

/** Files through which a step talks to the runner, by the end of their variable's name. */
const COMMAND_FILES = ["OUTPUT", "STATE", "ENV", "PATH", "STEP_SUMMARY"] as const;

/** Which of the runner's files. */
export type CommandFile = (typeof COMMAND_FILES)[number];

/** Why the workflow runs. */
export interface WorkflowEvent {
  /** As `push` or `pull_request`. */
  readonly name: string;
  readonly payload?: object;
  readonly actor?: string;
}

/** The folders that the steps of one job share. */
export interface JobFolder {
  readonly workspace: string;
  /** What the runner calls `RUNNER_TEMP`. */
  readonly temp: string;
  /** What the runner sets for every step of the job. */
  readonly env: Readonly<Record<string, string>>;
  readonly remove: () => Promise<void>;
}

/** The files that the runner lays out for one step. */
export interface StepFolder {
  readonly workspace: string;
  /** What the runner sets for the step beside its inputs. */
  readonly env: Readonly<Record<string, string>>;
  /** What the step wrote; empty when it deleted the file. */
  readonly read: (file: CommandFile) => Promise<string>;
  readonly remove: () => Promise<void>;
}

const OS_NAMES: Readonly<Record<string, string>> = { linux: "Linux", darwin: "macOS", win32: "Windows" };

/** Variables of the machine that no process does well without. */
const OF_THE_MACHINE = ["PATH", "HOME", "USERPROFILE", "SystemRoot", "TEMP", "TMP", "TMPDIR"];

/** Makes the folders that a runner has ready when a job starts, and the variables that name them. */
export async function makeJobFolder(event: WorkflowEvent = { name: "push" }): Promise<JobFolder> {
  const root = await realpath(await mkdtemp(join(tmpdir(), "scm-auth-job-")));
  const temp = join(root, "_temp");
  const workspace = join(root, "work");
  const eventPath = join(temp, "event.json");
  await mkdir(temp);
  await mkdir(workspace);
  await writeFile(eventPath, JSON.stringify(event.payload ?? {}));
  return {
    workspace,
    temp,
    env: {
      ...inherited(),
      CI: "true",
      GITHUB_ACTIONS: "true",
      GITHUB_ACTION: "scm",
      GITHUB_ACTOR: event.actor ?? "octocat",
      GITHUB_API_URL: "https://api.github.com",
      GITHUB_EVENT_NAME: event.name,
      GITHUB_EVENT_PATH: eventPath,
      GITHUB_JOB: "build",
      GITHUB_REF: "refs/heads/main",
      GITHUB_REPOSITORY: "octo-org/firewall",
      GITHUB_RUN_ATTEMPT: "1",
      GITHUB_RUN_ID: "1658821493",
      GITHUB_SERVER_URL: "https://github.com",
      GITHUB_SHA: "ffac537e6cbbf934b08745a378932722df287a53",
      GITHUB_WORKFLOW: "CI",
      GITHUB_WORKSPACE: workspace,
      RUNNER_ARCH: arch().toUpperCase(),
      RUNNER_ENVIRONMENT: "self-hosted",
      RUNNER_NAME: "stand-in",
      RUNNER_OS: OS_NAMES[platform()] ?? "Linux",
      RUNNER_TEMP: temp,
      // Drawn for each job, as the runner does.
      RUNNER_TRACKING_ID: `github_${randomUUID()}`,
    },
    remove: () => rm(root, { recursive: true, force: true, maxRetries: 10 }),
  };
}

/** Makes the files that a runner has ready when a step starts, and the variables that name them. */
export async function makeStepFolder(job: JobFolder): Promise<StepFolder> {
  const root = join(job.temp, "_runner_file_commands", randomUUID());
  const fileOf = (name: string): string => join(root, name.toLowerCase());
  await mkdir(root, { recursive: true });
  for (const name of COMMAND_FILES) await writeFile(fileOf(name), "");
  return {
    workspace: job.workspace,
    env: { ...job.env, ...Object.fromEntries(COMMAND_FILES.map((name) => [`GITHUB_${name}`, fileOf(name)])) },
    read: (file) => readFile(fileOf(file), "utf8").catch(() => ""),
    remove: () => rm(root, { recursive: true, force: true, maxRetries: 10 }),
  };
}

function inherited(): Readonly<Record<string, string>> {
  const entries = OF_THE_MACHINE.map((name) => [name, process.env[name]] as const);
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/**
 * The defaults of an action's inputs, by name: what action.yml says, else the empty string.
 *
 * @param manifest - path of the action.yml
 */
export async function readInputDefaults(manifest: string): Promise<Readonly<Record<string, string>>> {
  const { inputs } = parse(await readFile(manifest, "utf8")) as {
    inputs?: Readonly<Record<string, { default?: string | number | boolean } | null>>;
  };
  return Object.fromEntries(Object.entries(inputs ?? {}).map(([name, input]) => [name, String(input?.default ?? "")]));
}

/** Inputs as the runner hands them to a step: upper case, spaces as underscores, dashes kept. */
export const inputVariables = (inputs: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [`INPUT_${name.replaceAll(" ", "_").toUpperCase()}`, value]),
  );

/** What a main step kept, as the runner hands it to the post step. */
export const stateVariables = (state: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(state).map(([name, value]) => [`STATE_${name}`, value]));
