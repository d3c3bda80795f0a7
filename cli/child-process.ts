import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout } from "node:timers/promises";
import type { Milliseconds } from "../shared/clock.ts";
import { getErrorCode } from "../shared/errors.ts";
import { sanitize } from "../shared/redact.ts";
import { CommandError } from "./command-error.ts";
import { OutputRedactor, type SecretSet } from "./output-redactor.ts";
import type { Signals } from "./signals.ts";

/** How long the processes that a command leaves behind may take to exit after SIGTERM. */
const EXIT_GRACE: Milliseconds = 2000;
const POLL_INTERVAL: Milliseconds = 50;
/** How long no output may arrive before an output that another process keeps open is abandoned. */
const OUTPUT_GRACE: Milliseconds = 2000;

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
 * terminal sends SIGINT and SIGQUIT to that group by itself.
 *
 * @returns the exit status of the command; 128 + n if it was ended by signal n
 * @throws CommandError if the command cannot be started
 */
export async function runChild([file = "", ...args]: readonly string[], options: ChildOptions): Promise<number> {
  const { env, secrets, signals } = options;
  const inTerminal = process.stdin.isTTY;
  const pipeOrInherit = (target: NodeJS.WriteStream) => (secrets === undefined || target.isTTY ? "inherit" : "pipe");
  const child = spawn(file, args, {
    env,
    stdio: ["inherit", pipeOrInherit(process.stdout), pipeOrInherit(process.stderr)],
    detached: !inTerminal && process.platform !== "win32",
  });
  try {
    const exit = once(child, "exit") as Promise<[code: number | null, signal: NodeJS.Signals | null]>;
    const group = inTerminal || process.platform === "win32" ? undefined : child.pid;
    signals.receiver = createForwarder(child, group, inTerminal);
    const outputs = secrets
      ? [redact(child.stdout, secrets, process.stdout), redact(child.stderr, secrets, process.stderr)]
      : [];
    const [code, signal] = await exit;
    if (group !== undefined) await endGroup(group);
    await Promise.all(outputs.map((output) => output.finish()));
    return code ?? 128 + constants.signals[signal ?? "SIGKILL"];
  } catch (error) {
    throw startError(file, error);
  } finally {
    signals.receiver = undefined;
  }
}

/** The exit status is that of a POSIX shell (XCU 2.8.2). */
function startError(file: string, error: unknown): CommandError {
  const code = getErrorCode(error) ?? "unknown error";
  const [reason, exitStatus, hint] =
    code === "ENOENT"
      ? (["was not found", 127, "Check its name, and the PATH variable."] as const)
      : code === "EACCES"
        ? (["cannot be executed", 126, "Check its permissions."] as const)
        : ([`cannot be started: ${code}`, 126, ""] as const);
  return new CommandError(`the command ${sanitize(file, 100)} ${reason}.`, { hint, exitStatus });
}

function createForwarder(
  child: ChildProcess,
  group: number | undefined,
  inTerminal: boolean,
): (signal: NodeJS.Signals) => void {
  let isRepeated = false;
  return (signal) => {
    if (inTerminal && (signal === "SIGINT" || signal === "SIGQUIT")) return;
    const sent = isRepeated ? "SIGKILL" : signal;
    isRepeated = true;
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
 * Passes an output of a command on without secrets. If the reader of the target goes away, the output is closed, so
 * that the command receives SIGPIPE.
 */
function redact(
  source: Readable | null,
  secrets: SecretSet,
  target: NodeJS.WriteStream,
): { readonly finish: () => Promise<void> } {
  if (source === null) return { finish: () => Promise.resolve() };
  const redactor = new OutputRedactor(secrets);
  let isDone = false;
  let received = 0;
  source.on("data", ({ length }: Buffer) => {
    received += length;
  });
  const done = pipeline(source, redactor, target, { end: false })
    .catch(() => undefined)
    .finally(() => {
      isDone = true;
    });
  const finish = async (): Promise<void> => {
    // A process outside of the group may keep the output open. The target may be slow, so wait while data moves.
    const getPosition = (): string => `${received} ${redactor.writableLength} ${target.writableLength}`;
    for (let position = ""; !isDone && position !== getPosition();) {
      position = getPosition();
      await Promise.race([done, setTimeout(OUTPUT_GRACE)]);
    }
    source.destroy();
    await done;
  };
  return { finish };
}
