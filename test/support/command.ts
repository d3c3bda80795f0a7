import { execFile } from "node:child_process";

/** Where and for how long a command runs. */
export interface CommandPlace {
  readonly folder: string;
  /** Nothing but these variables and the machine's PATH. */
  readonly env: Readonly<Record<string, string>>;
  /** When to kill it, in milliseconds. */
  readonly timeoutMs: number;
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
export const runCommand = (
  command: string,
  args: readonly string[],
  { folder, env, timeoutMs }: CommandPlace,
): Promise<CommandRun> =>
  new Promise((resolve) => {
    const options = {
      cwd: folder,
      env: { PATH: process.env["PATH"], ...env },
      timeout: timeoutMs,
      maxBuffer: 16 * 1024 * 1024,
    };
    execFile(command, args, options, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ exitCode, stdout, stderr, log: stdout + stderr });
    });
  });
