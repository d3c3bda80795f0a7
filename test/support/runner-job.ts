import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { arch, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

/** The event that triggered the workflow. */
export interface WorkflowEvent {
  /** For example `push` or `pull_request`. */
  readonly name: string;
  readonly payload?: object;
  readonly actor?: string;
}

/** The directories and the environment that all steps of a job share. */
export interface Job {
  readonly workspace: string;
  /** The directory in RUNNER_TEMP. */
  readonly temp: string;
  /** The environment that the runner sets for every step. */
  readonly env: Readonly<Record<string, string>>;
  readonly remove: () => Promise<void>;
}

/** Variables that the runner passes on from its own environment. */
const INHERITED = ["PATH", "HOME", "USERPROFILE", "SystemRoot", "TEMP", "TMP", "TMPDIR"];
const OS_NAMES: Readonly<Partial<Record<NodeJS.Platform, string>>> = {
  linux: "Linux",
  darwin: "macOS",
  win32: "Windows",
};

/** Creates the directories and the environment of a job. */
export async function createJob(event: WorkflowEvent = { name: "push" }): Promise<Job> {
  const root = await realpath(await mkdtemp(join(tmpdir(), "scm-auth-job-")));
  const temp = join(root, "_temp");
  const workspace = join(root, "work");
  const eventPath = join(temp, "event.json");
  await mkdir(temp);
  await mkdir(workspace);
  await writeFile(eventPath, JSON.stringify(event.payload ?? {}));
  const inherited = Object.fromEntries(
    INHERITED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  ) as Readonly<Record<string, string>>;
  return {
    workspace,
    temp,
    env: {
      ...inherited,
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
      RUNNER_NAME: "test",
      RUNNER_OS: OS_NAMES[process.platform] ?? "Linux",
      RUNNER_TEMP: temp,
      RUNNER_TRACKING_ID: `github_${randomUUID()}`,
    },
    remove: () => rm(root, { recursive: true, force: true, maxRetries: 10 }),
  };
}

const COMMAND_FILES = ["OUTPUT", "STATE", "ENV", "PATH", "STEP_SUMMARY"] as const;

/** The files through which one step reports to the runner, and the variables that name them. */
export interface StepFiles {
  readonly env: Readonly<Record<string, string>>;
  /** Returns the content of a file, or an empty string if the step removed it. */
  readonly read: (file: (typeof COMMAND_FILES)[number]) => Promise<string>;
  readonly remove: () => Promise<void>;
}

export async function createStepFiles(job: Job): Promise<StepFiles> {
  const root = join(job.temp, "_runner_file_commands", randomUUID());
  const getPath = (name: string): string => join(root, name.toLowerCase());
  await mkdir(root, { recursive: true });
  for (const name of COMMAND_FILES) await writeFile(getPath(name), "");
  return {
    env: Object.fromEntries(COMMAND_FILES.map((name) => [`GITHUB_${name}`, getPath(name)])),
    read: (file) => readFile(getPath(file), "utf8").catch(() => ""),
    remove: () => rm(root, { recursive: true, force: true, maxRetries: 10 }),
  };
}

/**
 * Parses a file with `name=value` lines and multi-line values between `name<<delimiter` and `delimiter`, as the runner
 * does (actions/runner, FileCommandManager.cs). If a name occurs more than once, the last value is used.
 *
 * @throws Error with the runner's message if the file is malformed
 */
export function parseFileCommands(text: string): Readonly<Record<string, string>> {
  const values: Record<string, string> = {};
  const lines = text.split(process.platform === "win32" ? /\r?\n/ : "\n");
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (line === "") continue;
    const [, name = "", operator, rest = ""] = /^(.*?)(=|<<)(.*)$/s.exec(line) ?? [];
    if (operator === undefined) throw new Error("Invalid format");
    if (operator === "=") {
      values[name] = rest;
      continue;
    }
    if (name === "" || rest === "") throw new Error("Invalid format. Name and delimiter must not be empty");
    const end = lines.indexOf(rest, at + 1);
    if (end === -1) throw new Error("Invalid value. Matching delimiter not found");
    values[name] = lines.slice(at + 1, end).join("\n");
    at = end;
  }
  return values;
}

const repository = new URL("../../", import.meta.url);

/** Returns the path of a file in this repository. */
export const inRepository = (path: string): string => fileURLToPath(new URL(path, repository));

/** Reads the defaults of the action's inputs, by name. Inputs without a default have an empty string. */
export async function readInputDefaults(): Promise<Readonly<Record<string, string>>> {
  const { inputs } = parse(await readFile(inRepository("action.yml"), "utf8")) as {
    inputs: Readonly<Record<string, { default?: string | number | boolean }>>;
  };
  return Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, String(input.default ?? "")]));
}

/**
 * Converts inputs to variables as the runner does: uppercase names, with underscores for spaces and unchanged hyphens.
 */
export const toInputVariables = (inputs: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [`INPUT_${name.replaceAll(" ", "_").toUpperCase()}`, value]),
  );
