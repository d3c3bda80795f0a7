import type { RunnerMasks } from "./runner-masks.ts";

/** One workflow command, unescaped. */
export interface WorkflowCommand {
  readonly name: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly data: string;
}

/** What the summary of a run shows beside the log. The runner masks the message, not the title. */
export interface Annotation {
  readonly level: "error" | "warning" | "notice";
  readonly title: string | undefined;
  readonly message: string;
}

/** What the runner made of a step's output. */
export interface StepLog {
  /** As a reader of the run sees them, masks applied. */
  readonly lines: readonly string[];
  /** All of them; GitHub shows the first ten of each level. */
  readonly annotations: readonly Annotation[];
  /** By the old commands `set-output` and `save-state`, which still work. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly state: Readonly<Record<string, string>>;
}

const unescape = (text: string, table: readonly (readonly [escape: string, character: string])[]): string =>
  table.reduce((rest, [escape, character]) => rest.replaceAll(escape, character), text);

// The order is the runner's: the per cent sign comes last, so that `%250A` stays `%0A`.
const LINE_ENDS = [
  ["%0D", "\r"],
  ["%0A", "\n"],
] as const;
const PER_CENT = ["%25", "%"] as const;
const IN_DATA = [...LINE_ENDS, PER_CENT];
const IN_PROPERTY = [...LINE_ENDS, ["%3A", ":"], ["%2C", ","], PER_CENT] as const;
const IN_BRACKETS = [["%3B", ";"], ...LINE_ENDS, ["%5D", "]"], PER_CENT] as const;

/** Commands that the runner obeys (actions/runner, ActionCommandManager.cs), in lower case. */
const COMMANDS: ReadonlySet<string> = new Set([
  "add-mask",
  "add-matcher",
  "add-path",
  "debug",
  "echo",
  "endgroup",
  "error",
  "group",
  "notice",
  "remove-matcher",
  "save-state",
  "set-env",
  "set-output",
  "stop-commands",
  "warning",
]);

/**
 * The command in one line of output, if there is one: `::name key=value,...::data` after white space, or
 * `##[name key=value;...]data` anywhere (actions/runner, ActionCommand.cs).
 *
 * @param known - names of commands, in lower case; what is not among them is text
 */
export function parseCommand(line: string, known: ReadonlySet<string> = COMMANDS): WorkflowCommand | undefined {
  return parseColons(line, known) ?? parseBrackets(line, known);
}

function parseColons(line: string, known: ReadonlySet<string>): WorkflowCommand | undefined {
  const text = line.trimStart();
  const end = text.indexOf("::", 2);
  if (!text.startsWith("::") || end === -1) return undefined;
  const [name, properties] = splitOnce(text.slice(2, end), " ");
  if (!known.has(name.toLowerCase())) return undefined;
  return {
    name: name.toLowerCase(),
    properties: readProperties(properties.trim(), ",", IN_PROPERTY),
    data: unescape(text.slice(end + 2), IN_DATA),
  };
}

function parseBrackets(line: string, known: ReadonlySet<string>): WorkflowCommand | undefined {
  const start = line.indexOf("##[");
  const end = line.indexOf("]", start);
  if (start === -1 || end === -1) return undefined;
  const [name, properties] = splitOnce(line.slice(start + 3, end), " ");
  if (!known.has(name.toLowerCase())) return undefined;
  return {
    name: name.toLowerCase(),
    properties: readProperties(properties, ";", IN_BRACKETS),
    data: unescape(line.slice(end + 1), IN_BRACKETS),
  };
}

function readProperties(
  text: string,
  separator: string,
  escapes: readonly (readonly [escape: string, character: string])[],
): Readonly<Record<string, string>> {
  const pairs = text.split(separator).map((pair) => splitOnce(pair, "="));
  const whole = pairs.filter(([key, value]) => key !== "" && value !== "");
  return Object.fromEntries(whole.map(([key, value]) => [key, unescape(value, escapes)]));
}

function splitOnce(text: string, separator: string): readonly [before: string, after: string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** How the pages of a run show a line of each level. */
const SHOWN_AS = { error: "Error: ", warning: "Warning: ", notice: "Notice: " } as const;

const LINE_END = /\r\n|\r|\n/;

/** The lines of an output as the runner's reader takes them: each of the three line ends counts. */
export const linesOf = (output: string): readonly string[] =>
  output === "" ? [] : output.replace(/(?:\r\n|\r|\n)$/, "").split(LINE_END);

/**
 * Obeys a step's output as the runner does, line by line: a mask hides its value in what comes after it.
 *
 * @param debug - whether the run shows debug messages (`RUNNER_DEBUG`)
 */
export function obey(lines: readonly string[], masks: RunnerMasks, debug = false): StepLog {
  const shown: string[] = [];
  const annotations: Annotation[] = [];
  const outputs: Record<string, string> = {};
  const state: Record<string, string> = {};
  let resumeToken: string | undefined;

  const show = (text: string): void => {
    shown.push(...masks.apply(text).split(LINE_END));
  };
  const annotate = (level: Annotation["level"], message: string, title?: string): void => {
    annotations.push({ level, title, message: masks.apply(message) });
    if (message !== "") show(SHOWN_AS[level] + message);
  };
  const act = ({ name, properties, data }: WorkflowCommand, line: string): void => {
    switch (name) {
      case "error":
      case "warning":
      case "notice":
        annotate(name, data, properties["title"]);
        break;
      case "debug":
        if (debug) for (const part of data.split(/\r?\n/)) show(`##[debug]${part}`);
        break;
      case "group":
        show(`##[group]${data}`);
        break;
      case "endgroup":
        show("##[endgroup]");
        break;
      case "add-mask":
        if (data.trim() === "") annotate("warning", "Can't add secret mask for empty string in ##[add-mask] command.");
        else masks.add(data);
        break;
      case "set-output":
        outputs[properties["name"] ?? ""] = data;
        break;
      case "save-state":
        state[properties["name"] ?? ""] = data;
        break;
      case "stop-commands":
        resumeToken = data.toLowerCase();
        if (data.length > 6) masks.add(data);
        show(line);
        break;
      case "set-env":
      case "add-path":
        // Switched off since 2020: whoever could print a line could take over the job.
        annotate("error", `Unable to process command '${line}' successfully.`);
        break;
      default:
        // Matchers and echo change nothing that we look at.
        break;
    }
  };

  for (const line of lines) {
    const command = parseCommand(line, resumeToken === undefined ? COMMANDS : new Set([resumeToken]));
    if (command === undefined) show(line);
    else if (resumeToken !== undefined) {
      resumeToken = undefined;
      show(line);
    } else act(command, line);
  }
  return { lines: shown, annotations, outputs, state };
}
