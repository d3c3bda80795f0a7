import { protectMemory } from "../shared/process-memory.ts";
import { VERSION } from "../shared/version.ts";
import { parseCommandLine, type CommandArguments } from "./arguments.ts";
import { writeAuthFile } from "./auth-file.ts";
import { check } from "./check.ts";
import type { CommandName } from "./commands.ts";
import { getCommandHelp, getOverview } from "./help.ts";
import { run } from "./run.ts";
import { Terminal } from "./terminal.ts";
import { printSealedToken, printToken } from "./token.ts";

/** The command `scm-auth`. See docs/command-line.md. */

type Command = (args: CommandArguments, env: NodeJS.ProcessEnv, terminal: Terminal) => Promise<number>;

const COMMANDS: Readonly<Record<CommandName, Command>> = {
  token: printToken,
  run,
  "auth-file": writeAuthFile,
  seal: printSealedToken,
  check,
};

async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  const line = parseCommandLine(args);
  switch (line.type) {
    case "help":
      await terminal.print(line.command === undefined ? getOverview() : getCommandHelp(line.command));
      return 0;
    case "version":
      await terminal.print(`${VERSION}\n`);
      return 0;
    case "command":
      return COMMANDS[line.command](line, process.env, terminal);
  }
}

async function start(): Promise<void> {
  protectMemory();
  const terminal = new Terminal();
  const status = await main(process.argv.slice(2), terminal).catch((error: unknown) => terminal.fail(error));
  await terminal.flush();
  // Something may still keep the process alive, for example a FIFO that no other process opens.
  process.exit(status);
}

void start();
