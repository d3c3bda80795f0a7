import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { Stats } from "node:fs";
import { constants, lstat, open, readdir, rename, rm, unlink, type FileHandle } from "node:fs/promises";
import { userInfo } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { sleep, systemClock, type Milliseconds } from "../clock.ts";
import { getErrorCode, type AuthErrorCode } from "../errors.ts";
import { authFileError, runFileOperation, type FileLimits } from "./file-operation.ts";

/** A file at one moment. Two snapshots with the same `ino` and `text` are of the same file. */
export interface FileSnapshot {
  readonly text: string;
  /** The permission bits, for example `0o600`. */
  readonly mode: number;
  readonly ino: number;
}

/** No auth file is larger. */
const MAX_BYTES = 65_536;
/** A file that is replaced while it is read is read again, this often. */
const MAX_READ_ATTEMPTS = 10;
/** A temporary file that another process removed is written again, this often. */
const MAX_WRITE_ATTEMPTS = 3;
/** Not defined on Windows. */
const O_NOFOLLOW = (constants.O_NOFOLLOW as number | undefined) ?? 0;
/** Opening a FIFO would block until a process writes into it. */
const O_NONBLOCK = (constants.O_NONBLOCK as number | undefined) ?? 0;
const READ_FLAGS = constants.O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
const CREATE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | O_NOFOLLOW;

/** Virus scanners and indexers of Windows lock new files for a moment. */
const BUSY_ERRNOS: ReadonlySet<string | undefined> = new Set(["EPERM", "EACCES", "EBUSY"]);
const BUSY_TIMEOUT: Milliseconds = 2000;
const BUSY_DELAY: Milliseconds = 50;
const ICACLS_TIMEOUT: Milliseconds = 5000;

/** A name next to `path` for temporary use: `.<name>.<suffix>`. */
export const getSiblingPath = (path: string, suffix: string): string =>
  join(dirname(path), `.${basename(path)}.${suffix}`);

/** The directory that `withFileLock` creates. */
export const getLockPath = (path: string): string => getSiblingPath(path, "lock");

const TEMP_SUFFIX = /^[0-9a-f]{12}\.tmp$/;
const createTempPath = (path: string): string => getSiblingPath(path, `${randomBytes(6).toString("hex")}.tmp`);

/**
 * Reads a file that must be a regular file of this user, without other hard links and at most 64 KiB large.
 *
 * @returns undefined if there is none
 * @throws AuthError of kind `file` for anything else at that path, and if it cannot be read
 */
export function readPrivateFile(path: string, limits: FileLimits = {}): Promise<FileSnapshot | undefined> {
  return runFileOperation(path, "read", limits, async () => {
    try {
      for (let attempt = 1; attempt <= MAX_READ_ATTEMPTS; attempt++) {
        const file = await readOnce(path);
        if (file !== "replaced") return file;
      }
    } catch (error) {
      if (getErrorCode(error) === "ENOENT") return undefined;
      throw error;
    }
    throw authFileError(path, "cannot be read: it keeps being replaced", "auth_file_io_error");
  });
}

async function readOnce(path: string): Promise<FileSnapshot | "replaced"> {
  if (O_NOFOLLOW === 0 && (await lstat(path)).isSymbolicLink())
    throw authFileError(path, "is a symbolic link", "auth_file_insecure");
  const handle = await open(path, READ_FLAGS);
  try {
    const stats = await handle.stat();
    // Another file took its name after it was opened.
    if (stats.nlink === 0) return "replaced";
    const problem = findProblem(stats);
    if (problem !== undefined) throw authFileError(path, ...problem);
    return { text: await readText(handle, path), mode: stats.mode & 0o777, ino: stats.ino };
  } finally {
    await handle.close();
  }
}

const TOO_LARGE = ["is too large for an auth file", "auth_file_not_managed"] as const;

function findProblem(stats: Stats): readonly [message: string, code: AuthErrorCode] | undefined {
  const user = process.geteuid?.();
  if (stats.isDirectory()) return ["is a directory", "auth_file_invalid_path"];
  if (!stats.isFile()) return ["is not a regular file", "auth_file_insecure"];
  if (user !== undefined && stats.uid !== user)
    return [`belongs to another user (uid ${stats.uid})`, "auth_file_insecure"];
  if (stats.nlink > 1) return ["has another hard link", "auth_file_insecure"];
  return stats.size > MAX_BYTES ? TOO_LARGE : undefined;
}

async function readText(handle: FileHandle, path: string): Promise<string> {
  const buffer = Buffer.alloc(MAX_BYTES + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) return buffer.toString("utf8", 0, length);
    length += bytesRead;
  }
  throw authFileError(path, ...TOO_LARGE);
}

/** Whether no other user may access the file. Windows has no such bits. */
export const isPrivate = ({ mode }: Pick<FileSnapshot, "mode">): boolean =>
  process.geteuid === undefined || (mode & 0o077) === 0;

/** How a file is written. */
export interface WriteOptions {
  /** Called right before the rename. If it returns false nothing changes: a file that was removed must not come back. */
  readonly shouldReplace?: (() => Promise<boolean>) | undefined;
  readonly limits?: FileLimits;
}

/**
 * Replaces the file at `path` in one step: readers see the old or the new content as a whole. Its mode is 0600 before the
 * first byte is written. A symbolic link at `path` is replaced, not followed.
 *
 * @returns false if `shouldReplace` returned false
 * @throws AuthError of kind `file`; nothing is left behind
 */
export function writeFileAtomic(path: string, text: string, options: WriteOptions = {}): Promise<boolean> {
  const { shouldReplace, limits = {} } = options;
  return runFileOperation(path, "written", limits, async () => {
    for (let attempt = 1; ; attempt++) {
      const temp = createTempPath(path);
      try {
        await writeTempFile(temp, text);
        const isWanted = shouldReplace === undefined || (await shouldReplace());
        if (isWanted) await retryWhileBusy(() => rename(temp, path));
        else await unlink(temp);
        return isWanted;
      } catch (error) {
        await unlink(temp).catch(() => undefined);
        // Removed together with the file while this process was suspended: whether to write is decided again.
        if (getErrorCode(error) !== "ENOENT" || attempt === MAX_WRITE_ATTEMPTS) throw error;
      }
    }
  });
}

async function writeTempFile(temp: string, text: string): Promise<void> {
  const handle = await open(temp, CREATE_FLAGS, 0o600);
  try {
    // The umask may have removed bits.
    if (process.platform === "win32") await restrictToUser(temp);
    else await handle.chmod(0o600);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Windows has access control lists instead of modes. If `icacls` fails, the list of the directory applies. The command
 * has an absolute path because Windows looks for a bare name in the working directory first.
 */
async function restrictToUser(file: string): Promise<void> {
  const icacls = join(process.env["SystemRoot"] ?? "C:\\Windows", "System32", "icacls.exe");
  const args = [file, "/inheritance:r", "/grant:r", `${userInfo().username}:F`];
  await promisify(execFile)(icacls, args, { timeout: ICACLS_TIMEOUT, windowsHide: true }).catch(() => undefined);
}

/**
 * Repeats `operation` for up to two seconds while Windows reports that the file is busy. On other systems the same codes
 * mean what they say.
 *
 * @param platform - for tests
 */
export async function retryWhileBusy(
  operation: () => Promise<void>,
  platform: NodeJS.Platform = process.platform,
): Promise<void> {
  const end = performance.now() + BUSY_TIMEOUT;
  for (;;) {
    try {
      await operation();
      return;
    } catch (error) {
      if (platform !== "win32" || !BUSY_ERRNOS.has(getErrorCode(error)) || performance.now() >= end) throw error;
      await sleep(systemClock, BUSY_DELAY);
    }
  }
}

/**
 * Removes a file with its temporary files and its lock, so that it does not come back: a process that has a new file
 * ready to rename no longer finds it.
 *
 * @param isManaged - looks at the text of the file; a file for which it returns false stays
 * @returns whether a file was removed
 * @throws AuthError of kind `file`
 */
export function removeManagedFile(
  path: string,
  isManaged: (text: string) => boolean,
  limits: FileLimits = {},
): Promise<boolean> {
  return runFileOperation(path, "removed", limits, async () => {
    const isRemoved = await removeOnce(path, isManaged);
    await removeTempFiles(path);
    await rm(getLockPath(path), { recursive: true, force: true }).catch(() => undefined);
    // A process may have renamed its temporary file before that was removed.
    return (await removeOnce(path, isManaged)) || isRemoved;
  });
}

async function removeOnce(path: string, isManaged: (text: string) => boolean): Promise<boolean> {
  const file = await readPrivateFile(path).catch(() => undefined);
  if (file === undefined || !isManaged(file.text)) return false;
  try {
    await retryWhileBusy(() => unlink(path));
    return true;
  } catch (error) {
    if (getErrorCode(error) === "ENOENT") return false;
    throw error;
  }
}

/**
 * Removes temporary files of writers that were killed. Failures are ignored.
 *
 * @param minAge - younger files stay: their writers may be running. Default: all are removed
 */
export async function removeTempFiles(path: string, minAge: Milliseconds = -Infinity): Promise<void> {
  const prefix = `.${basename(path)}.`;
  const names = await readdir(dirname(path)).catch((): readonly string[] => []);
  for (const name of names) {
    if (!name.startsWith(prefix) || !TEMP_SUFFIX.test(name.slice(prefix.length))) continue;
    const temp = join(dirname(path), name);
    const mtime = await lstat(temp).then(
      (stats) => stats.mtimeMs,
      () => Infinity,
    );
    if (Date.now() - mtime >= minAge) await unlink(temp).catch(() => undefined);
  }
}
