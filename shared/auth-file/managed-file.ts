import { createHash } from "node:crypto";
import type { Clock, Milliseconds } from "../clock.ts";
import {
  matchesIdentity,
  otherIdentityError,
  parseAuthFile,
  parseManagedFile,
  serializeAuthFile,
  type AuthFileContent,
} from "./format.ts";
import { authFileError, isPrivate, readPrivateFile, removeManagedFile, writeFileAtomic } from "./safe-files.ts";

/** Returns the SHA-256 digest of several values. */
export const getDigest = (...values: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(values)).digest("hex");

/**
 * Returns a value that identifies the auth file of one step. It reveals no secret, so it can be stored in the runner's
 * state.
 */
export const getFingerprint = ({
  clientId,
  scope,
  clientSecret,
}: Pick<AuthFileContent, "clientId" | "scope" | "clientSecret">): string => getDigest(clientId, scope, clientSecret);

/** Parses the auth file with this fingerprint. Returns undefined for any other text. */
export function parseIfOwn(text: string, fingerprint: string): AuthFileContent | undefined {
  const content = parseAuthFile(text);
  return content !== undefined && getFingerprint(content) === fingerprint ? content : undefined;
}

/** The state of the file. `unreadable` means that something exists at its path but cannot be read as a file. */
type FileState = "managed" | "missing" | "replaced" | "unreadable";

/**
 * How long each state may last before the file is considered gone. A check may happen while a program is replacing the
 * file. A step in a container may change the owner of the workspace until a later step restores it, while providers use
 * the token server.
 */
const MAX_DURATION: Readonly<Record<FileState, Milliseconds>> = {
  managed: Infinity,
  missing: 1000,
  replaced: 0,
  unreadable: 3_600_000,
};

/** The auth file that a refresher writes and watches. Any other file at its path is left unchanged. */
export class ManagedAuthFile {
  readonly path: string;
  readonly #fingerprint: string;
  readonly #clock: Clock;
  /** When the file was last found, according to `clock.monotonic()`. */
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
   * @throws AuthError of kind `file`, including if a file that was not created by scm-auth, or one with a valid token for
   *   another identity, has appeared in the meantime
   */
  async create(content: AuthFileContent): Promise<void> {
    await writeFileAtomic(this.path, serializeAuthFile(content), async () => {
      const file = await readPrivateFile(this.path);
      if (file === undefined || file.text === "") return true;
      const existing = parseManagedFile(this.path, file.text);
      if (isPrivate(file) && !matchesIdentity(existing, content) && existing.jwtExpiresAt > this.#clock.now())
        throw otherIdentityError(this.path);
      return true;
    });
  }

  /**
   * Updates the file.
   *
   * @throws AuthError, including if the file was removed or replaced, because it must not be created again
   */
  async update(text: string): Promise<void> {
    const isOwn = async (): Promise<boolean> => {
      // A file that was given to another user is not taken back.
      const file = await readPrivateFile(this.path);
      return file !== undefined && parseIfOwn(file.text, this.#fingerprint) !== undefined;
    };
    if (!(await writeFileAtomic(this.path, text, isOwn)))
      throw authFileError(this.path, "cannot be updated: it was removed or replaced", "auth_file_io_error");
  }

  /** Removes the file. Failures are ignored: the post step reports a file that remains. */
  async remove(): Promise<void> {
    const isOwn = (text: string): boolean => parseIfOwn(text, this.#fingerprint) !== undefined;
    await removeManagedFile(this.path, isOwn, { anyOwner: true }).catch(() => false);
  }

  async #getState(): Promise<FileState> {
    try {
      const file = await readPrivateFile(this.path, { anyOwner: true });
      if (file === undefined) return "missing";
      return parseIfOwn(file.text, this.#fingerprint) === undefined ? "replaced" : "managed";
    } catch {
      return "unreadable";
    }
  }
}
