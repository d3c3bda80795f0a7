import { spawn } from "node:child_process";
import { once } from "node:events";
import { inputVariables, makeStepFolder, type JobFolder } from "../support/runner-environment.ts";
import { timed } from "./timings.ts";

/** A process that is started as the runner starts a step. */
export interface Step {
  /** Program and arguments. */
  readonly command: readonly [program: string, ...args: string[]];
  readonly inputs?: Readonly<Record<string, string>>;
  /** Set last; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default: 0. */
  readonly exitCode?: number;
}

/** A script of this project, by the node that runs it all. */
export const nodeStep = (script: string, rest: Omit<Step, "command"> = {}): Step => ({
  command: [process.execPath, script],
  ...rest,
});

/**
 * Runs a step in a job, with files of the runner's of its own.
 *
 * @returns wall time from its start to its end, in milliseconds
 * @throws when it does not end with its exit code
 */
export async function timeStep(job: JobFolder, { command, inputs = {}, env, exitCode = 0 }: Step): Promise<number> {
  const files = await makeStepFolder(job);
  const [program, ...args] = command;
  try {
    return await timed(async () => {
      const child = spawn(program, args, {
        env: { ...files.env, ...inputVariables(inputs), ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let said = "";
      child.stdout.on("data", (data: Buffer) => (said += data.toString()));
      child.stderr.on("data", (data: Buffer) => (said += data.toString()));
      const [code] = (await once(child, "close")) as [number | null];
      if (code !== exitCode) throw new Error(`${command.join(" ")} ended with ${String(code)}:\n${said}`);
    });
  } finally {
    await files.remove();
  }
}
