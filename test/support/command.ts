import type { Shown } from "./canaries.ts";
import { run } from "./searched-process.ts";

/** Where and for how long a command runs. */
export interface CommandPlace {
  readonly folder: string;
  /** Nothing but these variables and the machine's PATH. */
  readonly env: Readonly<Record<string, string>>;
  /** When to kill it, in milliseconds. */
  readonly timeoutMs: number;
  /** Secrets that it is meant to show. */
  readonly shown?: Shown;
}

/** What became of a command. */
export interface CommandRun {
  /** -1 when it did not end by itself. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both streams. */
  readonly log: string;
}

/** Runs a program of this machine to its end, whatever that is. */
export async function runCommand(
  command: string,
  args: readonly string[],
  { folder, env, timeoutMs, shown }: CommandPlace,
): Promise<CommandRun> {
  const options = {
    cwd: folder,
    env: { PATH: process.env["PATH"], ...env },
    timeout: timeoutMs,
    maxBuffer: 16 * 1024 * 1024,
  };
  try {
    const { stdout, stderr } = await run(command, args, options, shown);
    return { exitCode: 0, stdout, stderr, log: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as {
      readonly code: unknown;
      readonly stdout: string;
      readonly stderr: string;
    };
    return { exitCode: typeof code === "number" ? code : -1, stdout, stderr, log: stdout + stderr };
  }
}
