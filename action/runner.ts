import { appendFileSync, closeSync, constants, openSync } from "node:fs";
import * as core from "@actions/core";
import { AuthError, getErrorCode } from "../shared/errors.ts";
import { getMasks, Redactor, sanitize } from "../shared/redact.ts";

/** The title is a constant because the runner does not mask annotation titles. */
const TITLE = { title: "scm-auth" };

/** Two lines and a link fit into an annotation, which the runner truncates after 4096 characters. */
const MAX_LINE = 1900;
/** The minimum length of a mask. A shorter one would hide unrelated output throughout the job. */
const MIN_MASK = 3;

/** What to do if one of the runner's files cannot be written, by system error code. */
const WRITE_HINTS: Readonly<Record<string, string>> = {
  ENOENT: "The file does not exist: an earlier step may have deleted the runner's temporary directory.",
  ENOTDIR: "The file does not exist: an earlier step may have replaced the runner's temporary directory.",
  EACCES: "Permission denied: run the job and this step as the runner's user.",
  EPERM: "Permission denied: run the job and this step as the runner's user.",
  EROFS: "The file system is read-only: check the runner's disk.",
  ENOSPC: "The runner's disk is full. Free up disk space or inodes.",
  EDQUOT: "The disk quota of the runner's user is exhausted. Free up disk space.",
};

/**
 * The GitHub Actions runner. All output of the action goes through this class. It hides masked secrets and ensures that
 * the runner does not mistake any text for a workflow command.
 */
export class Runner {
  /** Contains all values that have been masked. */
  readonly redactor = new Redactor();
  readonly #masks = new Set<string>();

  /** Returns the value of an input without trimming it; empty if the input is not set. */
  input(name: string): string {
    return core.getInput(name, { trimWhitespace: false });
  }

  /** Whether the runner passed the input at all. It also passes blank values and the defaults of action.yml. */
  hasInput(name: string): boolean {
    return process.env[toVariable(name)] !== undefined;
  }

  /**
   * Returns the value of a secret input. Masks it and removes it from the environment, which child processes inherit.
   *
   * @param others - additional secrets to mask at the same time
   */
  getSecretInput(name: string, others: readonly string[] = []): string {
    const value = this.input(name);
    this.#addMasks([value, ...others], { withBase64: true });
    this.clearInput(name);
    return value;
  }

  /** Removes an input from the environment. */
  clearInput(name: string): void {
    // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- assigning undefined sets the string "undefined"
    delete process.env[toVariable(name)];
  }

  /** Hides secrets in all further output of this process and of the runner. */
  mask(...secrets: readonly string[]): void {
    this.#addMasks(secrets);
  }

  #addMasks(secrets: readonly string[], options?: { readonly withBase64: boolean }): void {
    for (const secret of secrets) this.redactor.add(secret);
    const masks = new Set(secrets.flatMap((secret) => getMasks(secret, options)));
    const added = [...masks].filter((mask) => mask.length >= MIN_MASK && !this.#masks.has(mask));
    for (const mask of added.sort((a, b) => b.length - a.length)) {
      this.#masks.add(mask);
      core.setSecret(mask);
    }
  }

  info(text: string): void {
    core.info(this.#toLine(text));
  }

  debug(text: string): void {
    core.debug(this.#toLine(text));
  }

  warning(text: string): void {
    core.warning(this.#toLine(text), TITLE);
  }

  /**
   * Creates an annotation with a line for what happened and one for what to do.
   *
   * @param docs - a link for a third line
   */
  error(cause: string, hint: string, docs?: string): void {
    const lines = [cause, `Hint: ${hint}`, ...(docs === undefined ? [] : [`See ${docs}`])];
    core.error(lines.map((line) => this.#toLine(line)).join("\n"), TITLE);
  }

  /** Resolves when all output has been written to stdout. Rejects if the runner no longer reads it. */
  flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      process.stdout.write("", (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** @throws AuthError if outputs cannot be written */
  assertOutputsWritable(): void {
    this.#write("outputs", "GITHUB_OUTPUT", () => undefined);
  }

  /** @throws AuthError with the code `output_write_failed` */
  output(name: string, value: string): void {
    this.#write(`the output ${name}`, "GITHUB_OUTPUT", () => {
      core.setOutput(name, value);
    });
  }

  /**
   * Saves a value for the post step. The value must not be a secret, because it is stored in a file.
   *
   * @throws AuthError
   */
  saveState(name: string, value: string): void {
    this.#write(`the state ${name}`, "GITHUB_STATE", () => {
      core.saveState(name, value);
    });
  }

  /** Returns a value that the main step saved; empty if there is none. */
  getState(name: string): string {
    return core.getState(name);
  }

  /** Sets an environment variable for the steps that follow. @throws AuthError */
  exportVariable(name: string, value: string): void {
    this.#write(`the variable ${name}`, "GITHUB_ENV", () => {
      core.exportVariable(name, value);
    });
  }

  /** Appends lines of Markdown to the job summary. @throws AuthError */
  summary(lines: readonly string[]): void {
    this.#write("the job summary", "GITHUB_STEP_SUMMARY", (path) => {
      appendFileSync(path, lines.map((line) => `${this.redactor.redact(line)}\n`).join(""));
    });
  }

  /**
   * Writes to one of the runner's files with the toolkit. Opens the file first, because the toolkit's own error has no
   * code, and because opening a FIFO would block forever without O_NONBLOCK (not defined on Windows). Without the
   * variable, the toolkit would print the value to the log.
   */
  #write(what: string, variable: string, write: (path: string) => void): void {
    const path = process.env[variable] ?? "";
    const fail = (reason: string, hint: string | undefined, cause?: unknown): AuthError => {
      const options = { kind: "file", code: "output_write_failed", hint, cause } as const;
      return new AuthError(`${what} cannot be written: ${reason}.`, options);
    };
    if (path === "") throw fail(`${variable} is not set`, "Run this action as a step of a workflow.");
    try {
      closeSync(openSync(path, constants.O_APPEND | constants.O_WRONLY | constants.O_NONBLOCK));
      write(path);
    } catch (cause) {
      const code = getErrorCode(cause) ?? "unknown error";
      throw fail(`the file that ${variable} refers to is not writable (${code})`, WRITE_HINTS[code], cause);
    }
  }

  /** Redacts before and after `sanitize`, which changes characters that a secret may contain and joins lines. */
  #toLine(text: string): string {
    return this.redactor.redact(sanitize(this.redactor.redact(text), MAX_LINE));
  }
}

/** Returns the name of the environment variable in which the runner passes an input. */
const toVariable = (name: string): string => `INPUT_${name.toUpperCase()}`;
