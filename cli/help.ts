import { DOCS_URL } from "../shared/version.ts";
import { COMMANDS, COMMAND_NAMES, type CommandName, type CommandSpec } from "./commands.ts";

/** Returns the text of `scm-auth --help`. */
export const getOverview = (): string =>
  lines(
    "scm-auth: sign in to Strata Cloud Manager from any CI system, machine, or tool",
    "",
    "Usage: scm-auth COMMAND [OPTIONS]",
    "",
    "Commands:",
    ...COMMAND_NAMES.map((name) => `  ${name.padEnd(12)}${COMMANDS[name].summary}`),
    `  ${"help".padEnd(12)}show the options of a command: scm-auth help COMMAND`,
    "",
    "The client ID comes from SCM_CLIENT_ID, the client secret from SCM_CLIENT_SECRET or the file that",
    "SCM_CLIENT_SECRET_FILE names, and the tenant from SCM_TSG_ID. Options take precedence.",
    "",
    "Examples:",
    ...COMMAND_NAMES.flatMap((name) => formatExamples(COMMANDS[name].examples.slice(0, 1))),
    "",
    `Documentation: ${DOCS_URL}/command-line.md`,
  );

/** Returns the text of `scm-auth help COMMAND`. */
export function getCommandHelp(name: CommandName): string {
  const spec: CommandSpec = COMMANDS[name];
  const options = Object.entries(spec.options).map(
    ([option, { value, help }]) => [`  --${option}${value === undefined ? "" : ` ${value}`}`, help] as const,
  );
  const width = Math.max(...options.map(([option]) => option.length)) + 2;
  return lines(
    `scm-auth ${name}: ${spec.summary}`,
    "",
    `Usage: scm-auth ${name} ${spec.usage}`.trimEnd(),
    "",
    ...spec.description,
    "",
    "Options:",
    ...options.map(([option, help]) => option.padEnd(width) + help),
    "",
    "Examples:",
    ...formatExamples(spec.examples),
  );
}

const formatExamples = (examples: CommandSpec["examples"]): readonly string[] =>
  examples.flatMap(([command, comment]) => [`  # ${comment}`, `  ${command}`]);

const lines = (...all: readonly string[]): string => `${all.join("\n")}\n`;
