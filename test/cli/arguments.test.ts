import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCommandLine, parseSeconds } from "../../cli/arguments.ts";
import { CommandError } from "../../cli/command-error.ts";
import { COMMAND_NAMES } from "../../cli/commands.ts";
import { getCommandHelp, getOverview } from "../../cli/help.ts";

const UUID = "8f0c1d7e-4b1a-4c39-9a53-0d3f6a1b2c3d";

/** Returns the message and the hint of a usage error. */
function reject(...args: readonly string[]): string {
  try {
    parseCommandLine(args);
  } catch (error) {
    assert.ok(error instanceof CommandError);
    assert.equal(error.exitStatus, 2);
    return `${error.message} ${error.hint}`;
  }
  return assert.fail(`accepts ${args.join(" ")}`);
}

test("parses options, and leaves everything after -- to the command", () => {
  const { type, ...line } = parseCommandLine([
    ...["run", "--export=scm,vcert", "--no-mask", "--client-secret-file", "-"],
    ...["--", "tofu", "apply", "--no-color", "--", "x"],
  ]);
  assert.equal(type, "command");
  assert.deepEqual(JSON.parse(JSON.stringify(line)), {
    command: "run",
    values: { export: "scm,vcert", "no-mask": true, "client-secret-file": "-" },
    positionals: [],
    childCommand: ["tofu", "apply", "--no-color", "--", "x"],
  });
});

test("returns help for --help, -h, and help, but not for --help after --", () => {
  for (const args of [["--help"], ["-h"], ["help"]])
    assert.deepEqual(parseCommandLine(args), { type: "help", command: undefined });
  for (const args of [
    ["help", "run"],
    ["run", "-h"],
    ["run", "--export", "x", "--help"],
  ])
    assert.deepEqual(parseCommandLine(args), { type: "help", command: "run" });
  assert.deepEqual(parseCommandLine(["--version"]), { type: "version" });
  assert.equal(parseCommandLine(["run", "--", "tofu", "--help"]).type, "command");
});

for (const [args, expected] of [
  [[], /^no command was given. Commands: token, run,/],
  [["tokn"], /^"tokn" is not a command. Did you mean token\?$/],
  [["frobnicate"], /^"frobnicate" is not a command. Commands: token,/],
  [["--json", "token"], /^the first argument must be a command./],
  [["help", "rum"], /^"rum" is not a command. Did you mean run\?$/],
  [["token", "--jsn"], /^"--jsn" is not an option of scm-auth token. Did you mean --json\?$/],
  [["token", "-x"], /^"-x" is not an option of scm-auth token. Options: --min-ttl,/],
  [["token", "--json=yes"], /^--json does not take a value. See scm-auth help token.$/],
  [["token", "--min-ttl"], /^--min-ttl requires a value. Write: --min-ttl SECONDS$/],
  [["token", "--scope", "--json"], /^--scope requires a value. Write: --scope SCOPE$/],
  [["token", "--client-id="], /^--client-id requires a value./],
  [["token", "x"], /^scm-auth token does not take "x"./],
  [["auth-file", "a", "b"], /^scm-auth auth-file does not take "b"./],
  [["seal", "--", "ls"], /^scm-auth seal does not run a command. Use scm-auth run -- COMMAND.$/],
  [["run", "tofu", "apply"], /^the command to run must follow --. Write: scm-auth run \[OPTIONS\] -- COMMAND$/],
  [["run", "tofu", "--version"], /^the command to run must follow --./],
  [["run"], /^no command to run was given./],
  [["run", "--"], /^no command to run was given./],
  [["run", "--", ""], /^no command to run was given./],
  [["token", "--toString"], /^"--toString" is not an option/],
] as const)
  test(`rejects these arguments: ${JSON.stringify(args)}`, () => {
    assert.match(reject(...args), expected);
  });

test("rejects a secret in the arguments, tells the user to rotate it, and does not show it", () => {
  for (const args of [
    ...["--client-secret", "--client_secret", "--secret", "--password", "--token"].map((name) => [name, UUID]),
    [`--client-secret=${UUID}`],
  ]) {
    const message = reject("token", ...args);
    assert.match(message, /^--\S+ is not supported. .* rotate the secret. .*--client-secret-file/);
    assert.ok(!message.includes(UUID));
  }
  for (const args of [["token", UUID], [UUID], ["token", `--${UUID}`]]) assert.ok(!reject(...args).includes(UUID));
});

test("parses numbers of seconds, and rejects anything that is not an integer in range", () => {
  const parse = (value: string | undefined) => parseSeconds({ values: { timeout: value } }, "timeout", [1, 3600]);
  assert.deepEqual([parse(undefined), parse("1"), parse("3600")], [undefined, 1, 3600]);
  for (const value of ["0", "3601", "1.5", "-1", "1e3", "ten", " 5", "9999999"])
    assert.throws(() => parse(value), { message: "--timeout must be an integer from 1 to 3600." });
});

test("the help fits into 120 columns and shows every command, option, and example", () => {
  const overview = getOverview();
  for (const name of COMMAND_NAMES) {
    const help = getCommandHelp(name);
    assert.match(overview, new RegExp(`^  ${name} `, "m"));
    assert.match(help, /^Usage: scm-auth .*\n[^]*\nOptions:\n {2}--[^]*\nExamples:\n {2}# .*\n {2}\S/m);
    for (const line of [...overview.split("\n"), ...help.split("\n")]) assert.ok(line.length <= 120, line);
  }
});
