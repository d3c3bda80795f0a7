import { spawn, type ChildProcess } from "node:child_process";
import { access, constants, readdir, readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** Options for running a program. */
export interface ProcessOptions {
  readonly cwd?: string;
  /** The complete environment. Undefined values are omitted. Default: this process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Text to write to stdin, which is then closed. Default: stdin is empty. */
  readonly input?: string;
  /** Milliseconds after which the process group is killed. Default: 30,000. */
  readonly timeoutMs?: number;
  /** Closes the reading end of stdout immediately, so that writing to it fails. */
  readonly closeStdout?: boolean;
  readonly signal?: AbortSignal;
}

/** How a process ended. */
export interface ProcessResult {
  /** The exit code, null if a signal terminated the process, or -1 if it could not be started. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The output of both streams, in order of arrival. */
  readonly log: string;
  readonly durationMs: number;
  /** Milliseconds from the start to the first output on stdout; equal to `durationMs` if there is none. */
  readonly firstOutputMs: number;
}

/** Milliseconds for which orphaned processes may keep the pipes open after the exit, as in the Actions runner. */
const PIPE_TIMEOUT_MS = 5000;

/** Runs a program until it exits. Kills its process group after the timeout. Resolves even if it cannot be started. */
export function runProcess(
  command: string,
  args: readonly string[],
  { cwd, env = process.env, input, timeoutMs = 30_000, closeStdout, signal }: ProcessOptions = {},
): Promise<ProcessResult> {
  return new Promise((resolve) => {
    const start = performance.now();
    // Without NODE_TEST_CONTEXT, because the test runner would parse the output as a test report otherwise.
    const child = spawn(command, args, {
      ...(cwd !== undefined && { cwd }),
      env: { ...env, NODE_TEST_CONTEXT: undefined },
      detached: process.platform !== "win32",
      windowsHide: true,
    });
    const chunks: { readonly fd: number; readonly data: Buffer }[] = [];
    let firstOutputMs: number | undefined;
    child.stdout.once("data", () => (firstOutputMs = performance.now() - start));
    child.stdin.on("error", () => undefined).end(input);
    child.stdout.on("data", (data: Buffer) => chunks.push({ fd: 1, data }));
    child.stderr.on("data", (data: Buffer) => chunks.push({ fd: 2, data }));
    if (closeStdout) child.stdout.destroy();
    const kill = (): void => {
      killGroup(child);
    };
    const timer = setTimeout(kill, timeoutMs);
    signal?.addEventListener("abort", kill, { once: true });
    let pipeTimer: NodeJS.Timeout | undefined;
    child.once("exit", () => {
      pipeTimer = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, PIPE_TIMEOUT_MS);
    });
    const getText = (fd?: number): string =>
      Buffer.concat(chunks.filter((chunk) => fd === undefined || chunk.fd === fd).map(({ data }) => data)).toString();
    const settle = (exitCode: number | null, endSignal: NodeJS.Signals | null): void => {
      clearTimeout(timer);
      clearTimeout(pipeTimer);
      signal?.removeEventListener("abort", kill);
      const durationMs = performance.now() - start;
      const texts = { stdout: getText(1), stderr: getText(2), log: getText() };
      resolve({ exitCode, signal: endSignal, ...texts, durationMs, firstOutputMs: firstOutputMs ?? durationMs });
    };
    child.once("error", (error) => {
      chunks.push({ fd: 2, data: Buffer.from(error.message) });
      settle(-1, null);
    });
    child.once("close", settle);
  });
}

/** Kills a process that was started with `detached`, and all processes that it started. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === "win32") child.kill("SIGKILL");
    else process.kill(-child.pid, "SIGKILL");
  } catch {
    // The process has already exited.
  }
}

/** A running process, as /proc shows it to its owner. */
export interface RunningProcess {
  readonly pid: number;
  readonly environment: string;
  readonly commandLine: string;
}

/** Whether /proc can be used to list processes. */
export const canListProcesses = process.platform === "linux";

/** Finds the processes of a job by the tracking ID in their environment, as the runner finds orphaned processes. */
export const findJobProcesses = (trackingId: string): Promise<readonly RunningProcess[]> =>
  findProcesses(({ environment }) => environment.split("\0").includes(`RUNNER_TRACKING_ID=${trackingId}`));

export async function findProcesses(
  matches: (candidate: RunningProcess) => boolean,
): Promise<readonly RunningProcess[]> {
  const found: RunningProcess[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const read = (file: string): Promise<string> => readFile(`/proc/${name}/${file}`, "latin1").catch(() => "");
    const candidate = { pid: Number(name), environment: await read("environ"), commandLine: await read("cmdline") };
    if (matches(candidate)) found.push(candidate);
  }
  return found;
}

/** Returns the path of a program on PATH, or undefined if there is none. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(directory, name);
    const isExecutable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isExecutable) return path;
  }
  return undefined;
}
