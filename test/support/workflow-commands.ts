import type { RunnerMasks } from "./runner-masks.ts";

/** One workflow command, unescaped. */
export interface WorkflowCommand {
  readonly name: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly data: string;
}

/** An annotation of a workflow run. The runner masks the message but not the title. */
export interface Annotation {
  readonly level: "error" | "warning" | "notice";
  readonly title: string | undefined;
  readonly message: string;
}

/** How the runner interprets a step's output. */
export interface StepLog {
  /** The masked lines, as users see them. */
  readonly lines: readonly string[];
  /** All annotations. GitHub shows only the first ten of each level. */
  readonly annotations: readonly Annotation[];
}

// Decoded in the same order as in the runner. The percent sign is last, so that `%250A` becomes `%0A`.
const LINE_ENDS = [
  ["%0D", "\r"],
  ["%0A", "\n"],
] as const;
const PERCENT = ["%25", "%"] as const;
const DATA_ESCAPES = [...LINE_ENDS, PERCENT];
const PROPERTY_ESCAPES = [...LINE_ENDS, ["%3A", ":"], ["%2C", ","], PERCENT] as const;
const BRACKET_ESCAPES = [["%3B", ";"], ...LINE_ENDS, ["%5D", "]"], PERCENT] as const;
type Escapes = readonly (readonly [escape: string, character: string])[];

const unescape = (text: string, escapes: Escapes): string =>
  escapes.reduce((rest, [escape, character]) => rest.replaceAll(escape, character), text);

/** The commands that the runner supports (actions/runner, ActionCommandManager.cs). */
const COMMANDS: ReadonlySet<string> = new Set(
  (
    "add-mask add-matcher add-path debug echo endgroup error group notice remove-matcher save-state set-env set-output" +
    " stop-commands warning"
  ).split(" "),
);

/**
 * Parses the command in a line of output: `::name key=value,...::data`, optionally after whitespace, or `##[name
 * key=value;...]data` anywhere in the line (actions/runner, ActionCommand.cs).
 */
export function parseCommand(line: string): WorkflowCommand | undefined {
  const [, head, data] = /^\s*::(.+?)::(.*)$/s.exec(line) ?? [];
  if (head !== undefined && data !== undefined) {
    const command = toCommand(head, ",", PROPERTY_ESCAPES);
    if (COMMANDS.has(command.name)) return { ...command, data: unescape(data, DATA_ESCAPES) };
  }
  const [, inBrackets, rest] = /##\[([^\]]*)\](.*)$/s.exec(line) ?? [];
  if (inBrackets === undefined || rest === undefined) return undefined;
  const command = toCommand(inBrackets, ";", BRACKET_ESCAPES);
  return COMMANDS.has(command.name) ? { ...command, data: unescape(rest, BRACKET_ESCAPES) } : undefined;
}

function toCommand(head: string, separator: string, escapes: Escapes): Omit<WorkflowCommand, "data"> {
  const [, name = "", properties = ""] = /^(\S*) ?(.*)$/s.exec(head) ?? [];
  const pairs = properties.split(separator).map((pair) => pair.trim().split(/=(.*)/s));
  return {
    name: name.toLowerCase(),
    properties: Object.fromEntries(
      pairs.filter(([key, value]) => key && value).map(([key = "", value = ""]) => [key, unescape(value, escapes)]),
    ),
  };
}

const LABELS = { error: "Error: ", warning: "Warning: ", notice: "Notice: " } as const;

/** Splits output into lines. The runner accepts CR, LF, and CRLF as line endings. */
export const toLines = (output: string): readonly string[] =>
  output === "" ? [] : output.replace(/(?:\r\n|\r|\n)$/, "").split(/\r\n|\r|\n/);

/**
 * Interprets a step's output line by line, as the runner does. A mask hides its value in subsequent lines.
 *
 * @param debug - whether the run shows debug messages (`RUNNER_DEBUG`)
 */
export function interpretOutput(lines: readonly string[], masks: RunnerMasks, debug: boolean): StepLog {
  const shown: string[] = [];
  const annotations: Annotation[] = [];
  const show = (text: string): void => {
    shown.push(...toLines(masks.apply(text)));
  };
  for (const line of lines) {
    const { name, properties, data = "" } = parseCommand(line) ?? {};
    if (name === "error" || name === "warning" || name === "notice") {
      annotations.push({ level: name, title: properties?.["title"], message: masks.apply(data) });
      show(LABELS[name] + data);
    } else if (name === "add-mask") masks.add(data);
    else if (name === "debug") {
      if (debug) for (const part of toLines(data)) show(`##[debug]${part}`);
    } else if (name === "group") show(`##[group]${data}`);
    else show(line);
  }
  return { lines: shown, annotations };
}
