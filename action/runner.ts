import { appendFileSync, closeSync, constants, openSync } from "node:fs";
import * as core from "@actions/core";
import { AuthError } from "../shared/report/errors.ts";
import { Redactor } from "../shared/report/redactor.ts";

/** Constant, since the runner does not mask an annotation's title. */
const TITLE = { title: "scm-auth" };

const LONGEST_LINE = 2000;

/**
 * The GitHub Actions runner as this action sees it. All that is written passes through here, so no secret
 * that was masked can leave, and no foreign text becomes a workflow command.
 */
export class Runner {
  /** Knows what was masked. */
  readonly redactor = new Redactor();

  /** An input as it was written, white space and all. */
  input(name: string): string {
    return core.getInput(name, { trimWhitespace: false });
  }

  /**
   * An input that is secret: masked first, then gone from the environment, where child processes would see it.
   *
   * @param others - secrets to be masked with it
   */
  takeSecret(name: string, others: readonly string[] = []): string {
    const value = this.input(name);
    this.mask(value, ...others);
    this.forget(name);
    return value;
  }

  /** Takes an input out of the environment. */
  forget(name: string): void {
    // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- only deleting takes a variable away
    delete process.env[`INPUT_${name.toUpperCase()}`];
  }

  /** Masks secrets in all forms from here on, for the runner's log and for what is written here, longest first. */
  mask(...secrets: readonly string[]): void {
    const forms = new Set(secrets.flatMap((secret) => this.redactor.add(secret)));
    for (const form of [...forms].sort((a, b) => b.length - a.length)) core.setSecret(form);
  }

  say(text: string): void {
    core.info(this.#line(text));
  }

  debug(text: string): void {
    core.debug(this.#line(text));
  }

  notice(text: string): void {
    core.notice(this.#line(text), TITLE);
  }

  warning(text: string): void {
    core.warning(this.#line(text), TITLE);
  }

  /** An annotation: the cause on its first line, what to do on its second. */
  error(cause: string, hint: string): void {
    core.error(`${this.#line(cause)}\n${this.#line(`Hint: ${hint}`)}`, TITLE);
  }

  /** Waits until the runner has all that was written, the masks above all. @throws when it no longer listens */
  flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      process.stdout.write("", (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** @throws AuthError unless outputs can be written; without the file the toolkit would print them to the log */
  requireOutputs(): void {
    try {
      // Opened as outputs will be: a folder, for one, may be written and can't be appended to.
      closeSync(openSync(process.env["GITHUB_OUTPUT"] ?? "", constants.O_APPEND | constants.O_WRONLY));
    } catch (cause) {
      throw unwritable("the runner gave no file for outputs (GITHUB_OUTPUT).", cause);
    }
  }

  /** @throws AuthError when the runner's file can't be written */
  output(name: string, value: string): void {
    this.#write(`the output ${name}`, () => {
      core.setOutput(name, value);
    });
  }

  /** Keeps a value for the post step. Never a secret: it lies in a file of the runner's. @throws AuthError */
  keepForPost(name: string, value: string): void {
    this.#write(`the state ${name}`, () => {
      core.saveState(name, value);
    });
  }

  /** A value that the main step kept; empty when there is none. */
  kept(name: string): string {
    return core.getState(name);
  }

  /** Sets a variable for the steps that follow. @throws AuthError */
  exportVariable(name: string, value: string): void {
    this.#write(`the variable ${name}`, () => {
      core.exportVariable(name, value);
    });
  }

  /** Adds lines of Markdown to the step's summary. @throws AuthError when there is no place for it */
  summary(lines: readonly string[]): void {
    this.#write("the summary", () => {
      const text = lines.map((line) => `${this.redactor.redact(line)}\n`).join("");
      appendFileSync(process.env["GITHUB_STEP_SUMMARY"] ?? "", text);
    });
  }

  #write(what: string, write: () => void): void {
    try {
      write();
    } catch (cause) {
      throw unwritable(`${what} could not be written.`, cause);
    }
  }

  #line(text: string): string {
    return this.redactor.quote(text, LONGEST_LINE);
  }
}

const unwritable = (message: string, cause: unknown): AuthError =>
  new AuthError(message, { kind: "config", code: "outputs_unwritable", cause });
