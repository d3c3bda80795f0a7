import { Runner } from "../../action/runner.ts";
import { createRunnerMasks } from "../support/runner-masks.ts";
import { interpretOutput, toLines, type StepLog } from "../support/workflow-commands.ts";

/** Records what a step reports instead of writing it to stdout. */
export class RecordingRunner extends Runner {
  /** Lines in the format `level: text`, in the order written. */
  readonly lines: string[] = [];
  readonly masked: string[] = [];
  /** Lines of Markdown. Set to undefined to make writing fail. */
  markdown: readonly string[] | undefined = [];

  get log(): string {
    return this.lines.join("\n");
  }

  override info(text: string): void {
    this.lines.push(`info: ${text}`);
  }

  override debug(text: string): void {
    this.lines.push(`debug: ${text}`);
  }

  override warning(text: string): void {
    this.lines.push(`warning: ${text}`);
  }

  override error(cause: string, hint: string, docs?: string): void {
    this.lines.push(`error: ${cause} Hint: ${hint}${docs === undefined ? "" : ` See ${docs}`}`);
  }

  override mask(...secrets: readonly string[]): void {
    this.masked.push(...secrets);
    for (const secret of secrets) this.redactor.add(secret);
  }

  override summary(lines: readonly string[]): void {
    if (this.markdown === undefined) super.summary(lines);
    this.markdown = lines;
  }
}

/** Returns what `work` writes to stdout. */
export function captureStdout(work: () => void): string {
  const { stdout } = process;
  const chunks: string[] = [];
  stdout.write = (chunk: string | Uint8Array): boolean => {
    chunks.push(String(chunk));
    return true;
  };
  try {
    work();
  } finally {
    // This restores the prototype's method.
    Reflect.deleteProperty(stdout, "write");
  }
  return chunks.join("");
}

/** Returns the log of a step that runs `work`, as users see it, including debug messages. */
export const captureLog = (work: (runner: Runner) => void): StepLog => {
  const stdout = captureStdout(() => {
    work(new Runner());
  });
  return interpretOutput(toLines(stdout), createRunnerMasks(), true);
};
