import { styleText } from "node:util";
import { formatDuration } from "../shared/duration.ts";
import { AuthError } from "../shared/errors.ts";
import type { AuthEvent } from "../shared/events.ts";
import { HINTS } from "../shared/hints.ts";
import { sanitize } from "../shared/redact.ts";
import { getErrorPage } from "../shared/version.ts";
import { CommandError } from "./command-error.ts";

/** Moves the cursor to the start of the line, and erases the line. */
const ERASE_LINE = "\r\u001b[K";

/**
 * The standard streams of the process. Results go to stdout. Everything else goes to stderr: warnings, errors, and the
 * progress of a sign-in.
 */
export class Terminal {
  readonly #stdout: NodeJS.WriteStream;
  readonly #stderr: NodeJS.WriteStream;
  #hasProgress = false;

  constructor(stdout: NodeJS.WriteStream = process.stdout, stderr: NodeJS.WriteStream = process.stderr) {
    this.#stdout = stdout;
    this.#stderr = stderr;
    // A reader may close either stream at any time. `print` reports a failure of stdout.
    for (const stream of [stdout, stderr]) stream.on("error", () => undefined);
  }

  /**
   * Writes a result to stdout.
   *
   * @throws AuthError with code `output_write_failed`, for example if the reader has closed the pipe
   */
  async print(text: string): Promise<void> {
    this.clearProgress();
    await new Promise<void>((resolve, reject) => {
      this.#stdout.write(text, (error) => {
        if (error) reject(outputError(error));
        else resolve();
      });
    });
  }

  /** Resolves when everything has been written, or cannot be written. */
  async flush(): Promise<void> {
    this.clearProgress();
    for (const stream of [this.#stdout, this.#stderr])
      await new Promise<void>((resolve) => {
        stream.write("", () => {
          resolve();
        });
      });
  }

  /** Writes a line to stderr. */
  note(text: string): void {
    this.clearProgress();
    this.#stderr.write(`${text}\n`);
  }

  warn(text: string): void {
    this.note(`${this.#color("yellow", "warning:")} ${text}`);
  }

  /** Reports why a command failed. Returns the exit status: 2 for invalid arguments and settings, usually 1. */
  fail(error: unknown): number {
    const report = (message: string, hint: string): void => {
      this.note(`${this.#color("red", "error:")} ${message}`);
      if (hint !== "") this.note(`hint: ${hint}`);
    };
    if (error instanceof CommandError) {
      report(error.message, error.hint);
      return error.exitStatus;
    }
    if (!AuthError.isAuthError(error)) {
      const { name, code } = error as { readonly name?: string; readonly code?: string };
      // The message of an unexpected error may contain anything.
      report(`unexpected failure: ${sanitize(`${name ?? "Error"} ${code ?? ""}`)}.`, HINTS.internal_error);
      this.note(`see: ${getErrorPage("internal_error")}`);
      return 1;
    }
    for (const { field, message, hint } of error.issues) report(`${toOptionName(field)} ${message}.`, hint);
    if (error.issues.length === 0) report(error.message, error.hint);
    this.note(`see: ${error.docs}`);
    return error.kind === "config" ? 2 : 1;
  }

  /** Reports retries: on a terminal in the progress line, elsewhere in a line of their own. */
  readonly onEvent = (event: AuthEvent): void => {
    if (event.type !== "retry") return;
    const { attempt, maxAttempts, delayMs, error } = event;
    const text = `attempt ${attempt} of ${maxAttempts} failed; retrying in ${formatDuration(delayMs)}. ${error.message}`;
    if (this.#stderr.isTTY) this.showProgress(text);
    else this.note(`note: ${text}`);
  };

  clearProgress(): void {
    if (this.#hasProgress) this.#stderr.write(ERASE_LINE);
    this.#hasProgress = false;
  }

  /** Shows a line that the next output replaces. Does nothing if stderr is not a terminal. */
  showProgress(text: string): void {
    if (!this.#stderr.isTTY) return;
    // A line that wraps could not be erased.
    this.#stderr.write(ERASE_LINE + text.slice(0, this.#stderr.columns - 1));
    this.#hasProgress = true;
  }

  /** `hasColors` honors NO_COLOR. */
  #color(color: "red" | "yellow", text: string): string {
    // By default, styleText considers stdout.
    return this.#stderr.isTTY && this.#stderr.hasColors() ? styleText(color, text, { validateStream: false }) : text;
  }
}

function outputError(error: Error): AuthError {
  const code = "code" in error ? String(error.code) : error.name;
  const reason = code === "EPIPE" ? "the reader closed the pipe" : code;
  return new AuthError(`stdout cannot be written: ${reason}.`, {
    kind: "file",
    code: "output_write_failed",
    cause: error,
    hint: code === "ENOSPC" ? "Free up disk space." : "Check where stdout is redirected to.",
  });
}

/** The option or the environment variable for a configuration field. */
function toOptionName(field: string): string {
  const [, name = field, variable] = /^(\w+) \(or (\w+)\)$/.exec(field) ?? [];
  if (name.startsWith("SCM_")) return name;
  if (name === "clientSecret") return "SCM_CLIENT_SECRET, SCM_CLIENT_SECRET_FILE, or --client-secret-file";
  const option = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return variable === undefined ? `--${option}` : `${variable} or --${option}`;
}
