import { createHash } from "node:crypto";
import { lstat } from "node:fs/promises";
import type { Clock, Milliseconds } from "../../shared/clock.ts";
import { AuthError, getErrorCode } from "../../shared/errors.ts";
import { authFileError } from "../../shared/auth-file/file-operation.ts";
import { isManaged, parseAuthFile, type AuthFileContent } from "../../shared/auth-file/format.ts";
import { readPrivateFile, removeManagedFile, writeFileAtomic } from "../../shared/auth-file/safe-files.ts";

/** Identifies the auth file of one step without a secret, so that the value can be stored in the runner's state. */
export const getFingerprint = ({
  clientId,
  scope,
  clientSecret,
}: Pick<AuthFileContent, "clientId" | "scope" | "clientSecret">): string =>
  createHash("sha256")
    .update(JSON.stringify([clientId, scope, clientSecret]))
    .digest("hex");

/** Parses the auth file with this fingerprint; undefined for any other text. */
export function parseIfOwn(text: string, fingerprint: string): AuthFileContent | undefined {
  const content = parseAuthFile(text);
  return content !== undefined && getFingerprint(content) === fingerprint ? content : undefined;
}

/** What became of the file. `unreadable`: it exists, but its content cannot be read at the moment. */
export type FileState = "managed" | "missing" | "replaced" | "unreadable";

/** The file, or a directory in its path, does not exist. */
const MISSING_ERRNOS: ReadonlySet<string | undefined> = new Set(["ENOENT", "ENOTDIR"]);
/** How long the file may be unreadable: another container may own the workspace for the time of a step. */
const MAX_UNREADABLE: Milliseconds = 120_000;

/** The auth file that one refresher writes and watches. Any other file at its path stays as it is. */
export class ManagedAuthFile {
  readonly path: string;
  readonly #fingerprint: string;
  readonly #clock: Clock;
  /** The metadata for which the content was checked. */
  #checked = "";
  #missingSince: Milliseconds | undefined;
  #unreadableSince: Milliseconds | undefined;

  constructor(path: string, fingerprint: string, clock: Clock) {
    this.path = path;
    this.#fingerprint = fingerprint;
    this.#clock = clock;
  }

  /**
   * Whether the file was removed or replaced, so that nothing is left to refresh. It reads the file only if its metadata
   * changed. One missing file is not enough: a check may fall between two steps of a program that replaces it.
   */
  async isGone(): Promise<boolean> {
    const now = this.#clock.monotonic();
    const state = await this.#getState();
    const isMissingAgain = state === "missing" && this.#missingSince !== undefined;
    this.#missingSince = state === "missing" ? (this.#missingSince ?? now) : undefined;
    this.#unreadableSince = state === "unreadable" ? (this.#unreadableSince ?? now) : undefined;
    const isLost = this.#unreadableSince !== undefined && now - this.#unreadableSince >= MAX_UNREADABLE;
    return state === "replaced" || isMissingAgain || isLost;
  }

  /**
   * Writes the file for the first time.
   *
   * @throws AuthError of kind `file`, also if a file was created meanwhile that is not managed by scm-auth
   */
  async create(text: string): Promise<void> {
    const shouldReplace = async (): Promise<boolean> => {
      const file = await readPrivateFile(this.path);
      const content = parseAuthFile(file?.text ?? "");
      return file === undefined || file.text === "" || (content !== undefined && isManaged(content));
    };
    if (!(await writeFileAtomic(this.path, text, { shouldReplace })))
      throw authFileError(this.path, "already exists and was not created by scm-auth", "auth_file_not_managed");
  }

  /** Writes the file again. @throws AuthError, also if the file was removed or replaced: it must not come back */
  async update(text: string): Promise<void> {
    const shouldReplace = async (): Promise<boolean> => (await this.#read()) === "managed";
    if (!(await writeFileAtomic(this.path, text, { shouldReplace })))
      throw authFileError(this.path, "cannot be updated: it was removed or replaced", "auth_file_io_error");
  }

  /** Removes the file. Failures are ignored: the post step reports what is left. */
  async remove(): Promise<void> {
    const isOwn = (text: string): boolean => parseIfOwn(text, this.#fingerprint) !== undefined;
    await removeManagedFile(this.path, isOwn).catch(() => false);
  }

  async #getState(): Promise<FileState> {
    try {
      const stats = await lstat(this.path);
      if (!stats.isFile()) return "replaced";
      const { dev, ino, size, mtimeMs, uid, mode } = stats;
      const metadata = [dev, ino, size, mtimeMs, uid, mode].join();
      if (metadata === this.#checked) return "managed";
      const state = await this.#read();
      if (state === "managed") this.#checked = metadata;
      return state;
    } catch (error) {
      return MISSING_ERRNOS.has(getErrorCode(error)) ? "missing" : "unreadable";
    }
  }

  async #read(): Promise<FileState> {
    try {
      const file = await readPrivateFile(this.path);
      if (file === undefined) return "missing";
      return parseIfOwn(file.text, this.#fingerprint) === undefined ? "replaced" : "managed";
    } catch (error) {
      // A directory or a large file. Another owner may be temporary.
      const code = AuthError.isAuthError(error) ? error.code : undefined;
      return code === "auth_file_invalid_path" || code === "auth_file_not_managed" ? "replaced" : "unreadable";
    }
  }
}
