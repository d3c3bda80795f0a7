import { lstat } from "node:fs/promises";
import type { Clock } from "../../shared/clock.ts";
import { entryOf, formatAuthFile, type Endpoint } from "../../shared/handoff/auth-file-format.ts";
import { readOwnFile } from "../../shared/handoff/own-file.ts";
import { removeFile, replaceFile } from "../../shared/handoff/replace-file.ts";
import { errorCode } from "../../shared/report/errors.ts";
import type { AccessToken } from "../../shared/token/access-token.ts";
import type { AuthRequest } from "../../shared/token/auth-request.ts";
import { ownEntry, ownershipOf } from "../auth-file/ownership.ts";

/** What became of the file: still ours, gone, somebody else's by now, or not to be told at present. */
export type FileState = "ours" | "gone" | "foreign" | "unknown";

/** There is nothing, or no folder any more that it could be in (POSIX `errno`). */
const NOWHERE: ReadonlySet<string | undefined> = new Set(["ENOENT", "ENOTDIR"]);
/** A link, another user's file, a folder, a long text: whatever it is, it is not what we wrote. */
const FOREIGN: ReadonlySet<string | undefined> = new Set(["auth_file_unsafe", "auth_file_foreign", "auth_file_path"]);

/** The auth file of one keeper. Whatever else lies at its path is left alone. */
export class OwnedFile {
  readonly #path: string;
  readonly #request: AuthRequest;
  readonly #ownership: string;
  readonly #clock: Clock;
  /** What the system told of the file when it was last seen to be ours. */
  #seen = "";
  #missed = false;

  constructor(path: string, request: AuthRequest, jobSecret: string, clock: Clock) {
    this.#path = path;
    this.#request = request;
    this.#ownership = ownershipOf({ clientId: request.clientId, scope: request.scope, clientSecret: jobSecret });
    this.#clock = clock;
  }

  /**
   * A look, which reads only when something about the file changed. It counts as gone when two looks in a row don't
   * find it, since one may fall between two steps of somebody's; any other trouble is no answer. Never throws.
   */
  async look(): Promise<FileState> {
    try {
      const { dev, ino, size, mtimeMs } = await lstat(this.#path);
      this.#missed = false;
      const seen = [dev, ino, size, mtimeMs].join();
      if (seen === this.#seen) return "ours";
      const state = await this.#read();
      if (state === "ours") this.#seen = seen;
      return state;
    } catch (error) {
      if (!NOWHERE.has(errorCode(error))) return "unknown";
      const isGone = this.#missed;
      this.#missed = true;
      return isGone ? "gone" : "unknown";
    }
  }

  /**
   * Puts a token into it, unless it is gone or another's: a file that was removed must not come back.
   *
   * @throws Error when that can't be done now
   */
  async replace(token: AccessToken, endpoint: Endpoint): Promise<void> {
    const text = formatAuthFile(entryOf(this.#request, token, this.#clock.wall(), endpoint));
    const stillWanted = async (): Promise<boolean> => (await this.#read()) === "ours";
    if (!(await replaceFile(this.#path, text, { stillWanted, clock: this.#clock })))
      throw new Error("the file is not there, or not ours");
  }

  /** Removes it. What can't be removed is post's to tell. */
  async remove(): Promise<void> {
    await removeFile(this.#path, { isOurs: this.#isOurs, clock: this.#clock }).catch(() => false);
  }

  async #read(): Promise<FileState> {
    try {
      const file = await readOwnFile(this.#path);
      if (file === undefined) return "unknown";
      return this.#isOurs(file.text) ? "ours" : "foreign";
    } catch (error) {
      return FOREIGN.has(errorCode(error)) ? "foreign" : "unknown";
    }
  }

  readonly #isOurs = (text: string): boolean => ownEntry(text, this.#ownership) !== undefined;
}
