import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { constants } from "node:os";
import { setImmediate, setTimeout } from "node:timers/promises";
import type { Milliseconds } from "../shared/clock.ts";
import { getErrorCode } from "../shared/errors.ts";
import { sanitize } from "../shared/redact.ts";
import { CommandError } from "./command-error.ts";
import { OutputRedactor, type SecretSet } from "./output-redactor.ts";
import type { Signals } from "./signals.ts";

/** How long the processes that a command leaves behind may take to exit after SIGTERM. */
const EXIT_GRACE: Milliseconds = 2000;
const POLL_INTERVAL: Milliseconds = 50;
/** The same signal again within this time is not a second one: npm and `timeout` also send it to the whole group. */
const REPEAT_AFTER: Milliseconds = 500;
/**
 * A process outside of the group may keep an output open. It is abandoned after this many intervals without output, or
 * altogether. The command's own output is in the buffer of the pipe by then, and each interval empties it.
 */
const MAX_IDLE_INTERVALS = 4;
const MAX_INTERVALS = 40;

/** The reader of a pipe or socket has closed it, so the command receives SIGPIPE, as in every pipeline. */
const READER_GONE = ["EPIPE", "ECONNRESET"];

/** How to run a command. */
export interface ChildOptions {
  readonly env: NodeJS.ProcessEnv;
  /** The secrets to replace in the output; undefined to pass the output on unchanged. */
  readonly secrets: SecretSet | undefined;
  readonly signals: Signals;
}

/**
 * Runs a command until it exits, and ends the processes that it leaves in its process group.
 *
 * SIGINT, SIGTERM, SIGHUP, and SIGQUIT are sent on to the process group of the command; the second signal kills the
 * group. In a terminal, the command stays in the foreground process group, so that it can read from the terminal. The
 * terminal itself sends SIGINT and SIGQUIT to that group.
 *
 * @returns the exit status of the command; 128 + n if it was ended by signal n
 * @throws CommandError if the command cannot be started, or its output cannot be written
 */
export async function runChild([file = "", ...args]: readonly string[], options: ChildOptions): Promise<number> {
  const { env, secrets, signals } = options;
  // Programs such as less read from the terminal even if stdin is a pipe.
  const inTerminal = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);
  const hasOwnGroup = !inTerminal && process.platform !== "win32";
  const pipeOrInherit = (target: NodeJS.WriteStream) => (secrets === undefined || target.isTTY ? "inherit" : "pipe");
  try {
    const child = spawn(file, args, {
      env,
      stdio: ["inherit", pipeOrInherit(process.stdout), pipeOrInherit(process.stderr)],
      detached: hasOwnGroup,
    });
    // Fails if the command cannot be started. It may have no streams then.
    await once(child, "spawn");
    const exit = once(child, "exit") as Promise<[code: number | null, signal: NodeJS.Signals | null]>;
    const group = hasOwnGroup ? child.pid : undefined;
    signals.receiver = createForwarder(child, group, inTerminal);
    const outputs = [
      redactOutput(child.stdout as Socket | null, process.stdout, secrets),
      redactOutput(child.stderr as Socket | null, process.stderr, secrets),
    ].filter((output) => output !== undefined);
    const [code, signal] = await exit;
    if (group !== undefined) await endGroup(group);
    // From now on, a signal ends the wait for a reader that does not read.
    signals.receiver = undefined;
    const failures = await Promise.all(outputs.map((output) => output.finish(signals.aborted)));
    const status = code ?? 128 + constants.signals[signal ?? "SIGKILL"];
    const failure = failures.find((one) => one !== undefined && !READER_GONE.includes(one));
    if (failure !== undefined) throw outputError(failure, status);
    return status;
  } catch (error) {
    throw error instanceof CommandError ? error : startError(file, error);
  } finally {
    signals.receiver = undefined;
  }
}

/** The exit status is that of a POSIX shell (XCU 2.8.2). */
function startError(file: string, error: unknown): CommandError {
  const code = getErrorCode(error) ?? "unknown error";
  const [reason, exitStatus, hint] =
    code === "ENOENT"
      ? (["was not found", 127, "Check its name, the PATH variable, and the first line if it is a script."] as const)
      : code === "EACCES"
        ? (["cannot be executed", 126, "Check its permissions."] as const)
        : ([`cannot be started: ${code}`, 126, ""] as const);
  return new CommandError(`the command ${sanitize(file, 100)} ${reason}.`, { hint, exitStatus });
}

const outputError = (code: string, status: number): CommandError =>
  new CommandError(`the output of the command cannot be written: ${code}.`, {
    hint: code === "ENOSPC" ? "Free up disk space." : "Check where it is redirected to.",
    exitStatus: status === 0 ? 1 : status,
  });

function createForwarder(
  child: ChildProcess,
  group: number | undefined,
  inTerminal: boolean,
): (signal: NodeJS.Signals) => void {
  let first: { readonly signal: NodeJS.Signals; readonly at: Milliseconds } | undefined;
  return (signal) => {
    if (inTerminal && (signal === "SIGINT" || signal === "SIGQUIT")) return;
    const now = performance.now();
    if (first?.signal === signal && now - first.at < REPEAT_AFTER) return;
    const sent = first === undefined ? signal : "SIGKILL";
    first ??= { signal, at: now };
    if (group === undefined) child.kill(sent);
    else signalGroup(group, sent);
  };
}

/** Ends the processes of a group: first with SIGTERM, then with SIGKILL. */
async function endGroup(group: number): Promise<void> {
  if (!signalGroup(group, "SIGTERM")) return;
  const end = performance.now() + EXIT_GRACE;
  while (performance.now() < end && signalGroup(group, 0)) await setTimeout(POLL_INTERVAL);
  signalGroup(group, "SIGKILL");
}

/** Returns false if the group has no processes that can receive a signal. */
function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * Passes an output of a command on without secrets. If the target cannot be written, for example because its reader has
 * gone away, the output is closed, so that the command receives SIGPIPE.
 *
 * @param source - null if the command writes to the target itself
 */
function redactOutput(source: Socket | null, target: NodeJS.WriteStream, secrets: SecretSet | undefined) {
  if (source === null || secrets === undefined) return undefined;
  const redactor = new OutputRedactor(secrets, (data) => target.write(data));
  const resume = (): unknown => source.resume();
  source.on("data", (chunk: Buffer) => {
    redactor.write(chunk);
    if (!target.writableNeedDrain) return;
    source.pause();
    target.once("drain", resume);
  });
  source.on("error", () => undefined);
  let failure: string | undefined;
  // The property `errored` of standard streams is never set.
  const fail = (error: Error): void => {
    failure = getErrorCode(error);
    source.destroy();
  };
  target.on("error", fail);
  const closed = new Promise<void>((resolve) => {
    source.once("close", () => {
      redactor.flush();
      resolve();
    });
  });
  /**
   * Resolves when everything that the command wrote has been passed on, or `signal` is aborted.
   *
   * @returns the code of the error if the target cannot be written
   */
  const finish = async (signal: AbortSignal): Promise<string | undefined> => {
    let idle = 0;
    for (let count = 0; !source.closed && !signal.aborted && idle < MAX_IDLE_INTERVALS && count < MAX_INTERVALS;) {
      const before = source.bytesRead;
      await Promise.race([closed, setTimeout(POLL_INTERVAL)]);
      if (target.writableNeedDrain) continue;
      count++;
      idle = source.bytesRead === before ? idle + 1 : 0;
    }
    source.destroy();
    await closed;
    // Node reports a failure of the last write in the next turn of the event loop.
    await setImmediate();
    target.off("error", fail);
    return failure;
  };
  return { finish };
}
