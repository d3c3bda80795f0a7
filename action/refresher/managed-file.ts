import { createHash } from "node:crypto";
import type { Clock, Milliseconds } from "../../shared/clock.ts";
import { parseAuthFile, parseManagedFile, type AuthFileContent } from "../../shared/auth-file/format.ts";
import {
  authFileError,
  readPrivateFile,
  removeManagedFile,
  writeFileAtomic,
} from "../../shared/auth-file/safe-files.ts";

/** The SHA-256 digest of several values. */
export const getDigest = (...values: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(values)).digest("hex");

/** Identifies the auth file of one step without a secret, so that the value can be stored in the runner's state. */
export const getFingerprint = ({
  clientId,
  scope,
  clientSecret,
}: Pick<AuthFileContent, "clientId" | "scope" | "clientSecret">): string => getDigest(clientId, scope, clientSecret);

/** Parses the auth file with this fingerprint; undefined for any other text. */
export function parseIfOwn(text: string, fingerprint: string): AuthFileContent | undefined {
  const content = parseAuthFile(text);
  return content !== undefined && getFingerprint(content) === fingerprint ? content : undefined;
}

/** What became of the file. `unreadable`: something exists at its path that cannot be read as a file of this user. */
type FileState = "managed" | "missing" | "replaced" | "unreadable";

/**
 * How long each state may last. A check may fall between two steps of a program that replaces the file, and another
 * container may own the workspace for the time of a step.
 */
const MAX_DURATION: Readonly<Record<FileState, Milliseconds>> = {
  managed: Infinity,
  missing: 1000,
  replaced: 0,
  unreadable: 120_000,
};

/** The auth file that one refresher writes and watches. Any other file at its path stays as it is. */
export class ManagedAuthFile {
  readonly path: string;
  readonly #fingerprint: string;
  readonly #clock: Clock;
  /** When the file was last found, on `clock.monotonic()`. */
  #foundAt: Milliseconds;

  constructor(path: string, fingerprint: string, clock: Clock) {
    this.path = path;
    this.#fingerprint = fingerprint;
    this.#clock = clock;
    this.#foundAt = clock.monotonic();
  }

  /** Whether the file was removed or replaced, so that nothing is left to refresh. */
  async isGone(): Promise<boolean> {
    const state = await this.#getState();
    const now = this.#clock.monotonic();
    if (state === "managed") this.#foundAt = now;
    return now - this.#foundAt >= MAX_DURATION[state];
  }

  /**
   * Writes the file for the first time.
   *
   * @throws AuthError of kind `file`, also if a file was created meanwhile that is not managed by scm-auth
   */
  async create(text: string): Promise<void> {
    await writeFileAtomic(this.path, text, async () => {
      const file = await readPrivateFile(this.path);
      if (file !== undefined && file.text !== "") parseManagedFile(this.path, file.text);
      return true;
    });
  }

  /** Writes the file again. @throws AuthError, also if the file was removed or replaced: it must not come back */
  async update(text: string): Promise<void> {
    if (!(await writeFileAtomic(this.path, text, async () => (await this.#getState()) === "managed")))
      throw authFileError(this.path, "cannot be updated: it was removed or replaced", "auth_file_io_error");
  }

  /** Removes the file. Failures are ignored: the post step reports what is left. */
  async remove(): Promise<void> {
    const isOwn = (text: string): boolean => parseIfOwn(text, this.#fingerprint) !== undefined;
    await removeManagedFile(this.path, isOwn).catch(() => false);
  }

  async #getState(): Promise<FileState> {
    try {
      const file = await readPrivateFile(this.path);
      if (file === undefined) return "missing";
      return parseIfOwn(file.text, this.#fingerprint) === undefined ? "replaced" : "managed";
    } catch {
      return "unreadable";
    }
  }
}
