import { parseArgs } from "node:util";
import { usageError } from "./command-error.ts";
import { COMMANDS, COMMAND_NAMES, type CommandName, type CommandSpec, type OptionSpec } from "./commands.ts";

/** A parsed command line. */
export type CommandLine =
  | { readonly type: "help"; readonly command: CommandName | undefined }
  | { readonly type: "version" }
  | ({ readonly type: "command"; readonly command: CommandName } & CommandArguments);

/** The arguments of a command. */
export interface CommandArguments {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
  /** What follows `--`. */
  readonly childCommand: readonly string[];
}

/** Matches options that would put a secret into the process list. */
const SECRET_OPTION = /secret|password|^token$/i;

const SECRET_HINT =
  "Other users can see the arguments of a process, and shells save them: rotate the secret. Then set SCM_CLIENT_SECRET, or use --client-secret-file.";

/**
 * Parses the arguments of the process.
 *
 * @throws CommandError
 */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const [first, ...rest] = args;
  if (first === undefined) throw usageError("no command was given.", `Commands: ${COMMAND_NAMES.join(", ")}.`);
  if (first === "--version" || first === "-v") return { type: "version" };
  if (first === "--help" || first === "-h") return { type: "help", command: undefined };
  if (first === "help") return { type: "help", command: rest[0] === undefined ? undefined : toCommandName(rest[0]) };
  if (first.startsWith("-"))
    throw usageError("the first argument must be a command.", `Commands: ${COMMAND_NAMES.join(", ")}.`);
  const command = toCommandName(first);
  const at = rest.indexOf("--");
  const own = at === -1 ? rest : rest.slice(0, at);
  if (own.some((arg) => arg === "--help" || arg === "-h")) return { type: "help", command };
  const childCommand = at === -1 ? [] : rest.slice(at + 1);
  return { type: "command", command, ...parseCommandArguments(command, own, childCommand) };
}

function toCommandName(name: string): CommandName {
  const command = COMMAND_NAMES.find((known) => known === name);
  if (command !== undefined) return command;
  throw usageError(`${quote(name)} is not a command.`, suggest(name, COMMAND_NAMES, "Commands: "));
}

function parseCommandArguments(
  command: CommandName,
  args: readonly string[],
  childCommand: readonly string[],
): CommandArguments {
  const spec: CommandSpec = COMMANDS[command];
  const options = spec.options;
  const { values, positionals, tokens } = parseArgs({
    args: [...args],
    options,
    allowPositionals: true,
    // Report all problems with a message of this command.
    strict: false,
    tokens: true,
  });
  const commandHint = `Write: scm-auth ${command} [OPTIONS] -- COMMAND`;
  if (spec.takesCommand && tokens[0]?.kind === "positional")
    throw usageError("the command to run must follow --.", commandHint);
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    checkOption(command, token, Object.hasOwn(options, token.name) ? options[token.name] : undefined);
  }
  if (spec.takesCommand && positionals.length > 0) throw usageError("the command to run must follow --.", commandHint);
  if (positionals.length > spec.maxPositionals)
    throw usageError(
      `scm-auth ${command} does not take ${quote(positionals[spec.maxPositionals] ?? "")}.`,
      helpHint(command),
    );
  if (spec.takesCommand && !childCommand[0]) throw usageError("no command to run was given.", commandHint);
  if (!spec.takesCommand && childCommand.length > 0)
    throw usageError(`scm-auth ${command} does not run a command.`, "Use scm-auth run -- COMMAND.");
  return { values, positionals, childCommand };
}

interface OptionToken {
  readonly name: string;
  /** The option as it was written. */
  readonly rawName: string;
  readonly value?: string | undefined;
  /** Whether the value follows `=`. */
  readonly inlineValue?: boolean | undefined;
}

/** @throws CommandError that never contains the value of the option */
function checkOption(
  command: CommandName,
  { name, rawName, value, inlineValue }: OptionToken,
  spec: OptionSpec | undefined,
): void {
  if (spec === undefined) {
    if (SECRET_OPTION.test(name)) throw usageError(`${rawName} is not supported.`, SECRET_HINT);
    const known = Object.keys(COMMANDS[command].options).map((option) => `--${option}`);
    throw usageError(
      `${quote(rawName)} is not an option of scm-auth ${command}.`,
      suggest(rawName, known, "Options: "),
    );
  }
  if (spec.type === "boolean" && value !== undefined)
    throw usageError(`${rawName} does not take a value.`, helpHint(command));
  // A value such as `--json` is the next option, unless it follows `=`.
  const isMissing = value === undefined || value === "" || (!inlineValue && /^-./.test(value));
  if (spec.type === "string" && isMissing)
    throw usageError(`${rawName} requires a value.`, `Write: ${rawName} ${spec.value ?? "VALUE"}`);
}

/** Formats an argument for a message. An argument that is longer than any name may be a secret. */
const quote = (text: string): string => (/^[\w.:/-]{1,24}$/.test(text) ? `"${text}"` : "this argument");

const helpHint = (command: CommandName): string => `See scm-auth help ${command}.`;

function suggest(name: string, known: readonly string[], list: string): string {
  const closest = known.map((one) => [getEditDistance(name, one), one] as const).sort((a, b) => a[0] - b[0])[0];
  return closest !== undefined && closest[0] <= 2 ? `Did you mean ${closest[1]}?` : `${list}${known.join(", ")}.`;
}

/** The Levenshtein distance: the minimum number of characters to insert, delete, or replace. */
function getEditDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, char] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++)
      next.push(Math.min((row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1, (row[j] ?? 0) + (char === b[j] ? 0 : 1)));
    row = next;
  }
  return row.at(-1) ?? 0;
}

/**
 * Returns the number of seconds that an option was set to; undefined if it is not set.
 *
 * @throws CommandError
 */
export function parseSeconds(
  { values }: Pick<CommandArguments, "values">,
  name: string,
  [min, max]: readonly [min: number, max: number],
): number | undefined {
  const text = values[name];
  if (typeof text !== "string") return undefined;
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (seconds >= min && seconds <= max) return seconds;
  throw usageError(`--${name} must be an integer from ${min} to ${max}.`, `Write: --${name} SECONDS`);
}

/** Returns the value of an option that takes one. */
export function getString({ values }: Pick<CommandArguments, "values">, name: string): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}
