import { resolve } from "node:path";
import { printablePath, readPrivateFile } from "../../shared/auth-file/safe-files.ts";
import type { Environment } from "../../shared/environment.ts";
import { DOCS_URL } from "../../shared/version.ts";
import { findMissingVariables } from "../sign-in-args.ts";
import { getStartPath } from "./start-up.ts";

const LIST = new Intl.ListFormat("en");

/**
 * Explains why an auth file was missing in an operation that did not run the program. The `scm` provider only reports
 * that it cannot open the file.
 */
export class MissingFiles {
  readonly #env: Environment;
  /** As in the state. */
  readonly #paths = new Set<string>();
  #isIdle = true;
  #isDismissed = false;

  constructor(env: Environment = process.env) {
    this.#env = env;
  }

  /** Call this for a request that shows that no explanation is needed, for example because the program runs. */
  dismiss(): void {
    this.#isDismissed = true;
  }

  /**
   * Call this before a resource is read.
   *
   * @param path - the path of an AuthFile. Anything but a string is ignored, for example a secret
   */
  async onRead(path: unknown): Promise<void> {
    this.#isIdle = false;
    if (typeof path === "string" && (await isMissing(path))) this.#paths.add(path);
  }

  /** Returns the explanations, at the end of an operation. */
  async getWarnings(): Promise<readonly string[]> {
    if (this.#isDismissed) return [];
    const missing = findMissingVariables({}, this.#env);
    const startPath = getStartPath(this.#env);
    // If the `scm` provider fails in `destroy`, the engine sends nothing that contains the path. If only one variable is
    // set, the other one was forgotten.
    if (this.#isIdle) return missing.length === 1 && (await isMissing(startPath)) ? [explain(startPath, missing)] : [];
    const isStartPath = (path: string): boolean => resolve(path) === resolve(startPath);
    return [...this.#paths].flatMap((path) => {
      const settings = [...missing, ...(isStartPath(path) ? [] : [`SCM_AUTH_FILE=${printablePath(path)}`])];
      // If everything is set, the start-up has failed, which is reported separately.
      return settings.length > 0 ? [explain(path, settings)] : [];
    });
  }
}

const isMissing = (path: string): Promise<boolean> =>
  readPrivateFile(resolve(path)).then(
    (file) => file === undefined,
    () => false,
  );

const explain = (path: string, settings: readonly string[]): string =>
  `scm-auth: the auth file ${printablePath(path)} did not exist when the operation started.\n` +
  `For refresh and destroy, set ${LIST.format(settings)}, or create the file first.\n` +
  `See ${DOCS_URL}/pulumi.md#how-the-plugin-does-it`;
