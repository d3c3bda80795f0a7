import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { spawn } from "../../support/searched-process.ts";
import type { WriterOrder } from "./writer.ts";

/** A writer in a process of its own. */
export interface Writer {
  readonly child: ChildProcess;
  /** All that it said so far, line by line. */
  readonly said: readonly unknown[];
  /** Resolves when it has said so many lines. */
  readonly says: (lines: number) => Promise<void>;
  /** Lets one go on that waits for its turn. */
  readonly go: () => void;
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>;
}

/** No writer of a test lives longer, unless it says so, in milliseconds. */
const PATIENCE = 120_000;

/**
 * Starts a writer.
 *
 * @param program - the bundled writer.ts
 * @param patience - when it is killed at the latest, in milliseconds
 */
export function startWriter(program: string, order: WriterOrder, patience: number = PATIENCE): Writer {
  const child = spawn(process.execPath, [program, JSON.stringify(order)], {
    // Not the test runner's own mark, or what the program writes would be read as a report.
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    stdio: ["pipe", "pipe", "inherit"],
    timeout: patience,
    killSignal: "SIGKILL",
  });
  const said: unknown[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    said.push(JSON.parse(line));
    for (const wake of waiting) wake();
  });
  // A writer that was killed can't be told anything.
  child.stdin.on("error", () => undefined);
  const ended = once(child, "close").then(() => {
    for (const wake of waiting) wake();
  });
  return {
    child,
    said,
    says: (lines) =>
      new Promise((resolve, reject) => {
        const wake = (): void => {
          if (said.length >= lines) resolve();
          else if (child.exitCode !== null || child.signalCode !== null) reject(new Error("it ended before"));
          else return;
          waiting.delete(wake);
        };
        waiting.add(wake);
        wake();
      }),
    go: () => void child.stdin.write("\n"),
    ended,
  };
}
