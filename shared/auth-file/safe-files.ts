import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { constants, lstat, open, readdir, rename, rm, unlink } from "node:fs/promises";
import { userInfo } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { getSystemErrorMap, promisify } from "node:util";
import { sleep, systemClock, type Milliseconds } from "../clock.ts";
import { abortedError, AuthError, getErrorCode, type AuthErrorCode } from "../errors.ts";
import type { RequestLimits } from "../http/request-context.ts";
import { sanitize } from "../redact.ts";

/** When an operation on the file system must end. It never takes longer than 10 s. */
export type FileLimits = Partial<RequestLimits>;

/** A disk takes milliseconds; a network file system may never respond. */
const FILE_TIMEOUT: Milliseconds = 10_000;

/** A path as messages show it. */
export const printablePath = (path: string): string => sanitize(path, 200);

/** An AuthError of kind `file`: `the auth file <path> <message>.` */
export const authFileError = (path: string, message: string, code: AuthErrorCode, cause?: unknown): AuthError =>
  new AuthError(`the auth file ${printablePath(path)} ${message}.`, { kind: "file", code, cause });

/** The class of an error of the file system, by its POSIX `errno`. */
function classifyErrno(errno: string): AuthErrorCode {
  if (/^(EACCES|EPERM|EROFS)$/.test(errno)) return "auth_file_permission_denied";
  if (/^(ENOSPC|EDQUOT|EFBIG)$/.test(errno)) return "auth_file_disk_full";
  if (/^(ENOENT|ENOTDIR|EEXIST|EISDIR|ENAMETOOLONG|EINVAL)$/.test(errno)) return "auth_file_invalid_path";
  return errno === "ELOOP" ? "auth_file_insecure" : "auth_file_io_error";
}

/**
 * Runs an operation on an auth file. It ends in time, although `node:fs` cannot cancel a system call that hangs.
 *
 * @param action - "written", "read", for the message
 * @throws AuthError; errors of `node:fs` are converted to kind `file` by their code
 */
export async function runFileOperation<T>(
  path: string,
  action: string,
  { deadline = Infinity, signal }: FileLimits,
  operation: () => Promise<T>,
): Promise<T> {
  if (signal?.aborted) throw abortedError(signal.reason);
  const timeout = Math.max(0, Math.min(FILE_TIMEOUT, deadline - systemClock.monotonic()));
  const done = new AbortController();
  const limit = async (): Promise<never> => {
    await sleep(systemClock, timeout, signal ? AbortSignal.any([signal, done.signal]) : done.signal);
    if (signal?.aborted) throw abortedError(signal.reason);
    throw authFileError(path, `cannot be ${action}: the file system does not respond`, "auth_file_io_error");
  };
  try {
    return await Promise.race([operation(), limit()]);
  } catch (error) {
    if (AuthError.isAuthError(error)) throw error;
    const { code = "", errno = 0 } = error as NodeJS.ErrnoException;
    const reason = getSystemErrorMap().get(errno)?.[1] ?? `error ${sanitize(code, 40)}`;
    throw authFileError(path, `cannot be ${action}: ${reason}`, classifyErrno(code), error);
  } finally {
    done.abort();
  }
}

/** The content of a file at one moment. */
export interface FileSnapshot {
  readonly text: string;
  /** The permission bits, for example `0o600`. */
  readonly mode: number;
}

/** No auth file is larger. */
const MAX_BYTES = 65_536;
/** A temporary file that another process removed is written again, this often. */
const MAX_WRITE_ATTEMPTS = 3;
/** Not defined on Windows. */
const O_NOFOLLOW = (constants.O_NOFOLLOW as number | undefined) ?? 0;
/** Opening a FIFO would block until a process writes into it. */
const O_NONBLOCK = (constants.O_NONBLOCK as number | undefined) ?? 0;
const CREATE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | O_NOFOLLOW;
const ICACLS_TIMEOUT: Milliseconds = 5000;

/** A name next to `path` for temporary use: `.<name>.<suffix>`. */
export const getSiblingPath = (path: string, suffix: string): string =>
  join(dirname(path), `.${basename(path)}.${suffix}`);

/** The directory that `withFileLock` creates. */
export const getLockPath = (path: string): string => getSiblingPath(path, "lock");

const TEMP_SUFFIX = /^[0-9a-f]{12}\.tmp$/;

/**
 * Reads a file that must be a regular file of this user, without other hard links and at most 64 KiB large.
 *
 * @returns undefined if there is none
 * @throws AuthError of kind `file` for anything else at that path, and if it cannot be read
 */
export function readPrivateFile(path: string, limits: FileLimits = {}): Promise<FileSnapshot | undefined> {
  return runFileOperation(path, "read", limits, async () => {
    try {
      return await readFile(path);
    } catch (error) {
      if (getErrorCode(error) === "ENOENT") return undefined;
      throw error;
    }
  });
}

async function readFile(path: string): Promise<FileSnapshot> {
  const fail = (message: string, code: AuthErrorCode): never => {
    throw authFileError(path, message, code);
  };
  if ((await lstat(path)).isSymbolicLink()) fail("is a symbolic link", "auth_file_insecure");
  const handle = await open(path, constants.O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stats = await handle.stat();
    const user = process.geteuid?.() ?? stats.uid;
    if (stats.isDirectory()) fail("is a directory", "auth_file_invalid_path");
    if (!stats.isFile()) fail("is not a regular file", "auth_file_insecure");
    if (stats.uid !== user) fail(`belongs to another user (uid ${stats.uid})`, "auth_file_insecure");
    if (stats.nlink > 1) fail("has another hard link", "auth_file_insecure");
    if (stats.size > MAX_BYTES) fail("is too large for an auth file", "auth_file_not_managed");
    return { text: await handle.readFile("utf8"), mode: stats.mode & 0o777 };
  } finally {
    await handle.close();
  }
}

/** Whether no other user may access the file. Windows has no such bits. */
export const isPrivate = ({ mode }: Pick<FileSnapshot, "mode">): boolean =>
  process.geteuid === undefined || (mode & 0o077) === 0;

/**
 * Replaces the file at `path` in one step: readers see the old or the new content as a whole. Its mode is 0600 before the
 * first byte is written. A symbolic link at `path` is replaced, not followed.
 *
 * @param shouldReplace - called right before the rename. If it returns false nothing changes: a file that was removed
 *   must not come back
 * @returns what `shouldReplace` returned
 * @throws AuthError of kind `file`; nothing is left behind
 */
export function writeFileAtomic(
  path: string,
  text: string,
  shouldReplace: () => Promise<boolean>,
  limits: FileLimits = {},
): Promise<boolean> {
  return runFileOperation(path, "written", limits, async () => {
    for (let attempt = 1; ; attempt++) {
      const temp = getSiblingPath(path, `${randomBytes(6).toString("hex")}.tmp`);
      try {
        await writeTempFile(temp, text);
        const isWanted = await shouldReplace();
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

/** Virus scanners and indexers of Windows lock new files for a moment. On other systems the codes mean what they say. */
export async function retryWhileBusy(operation: () => Promise<void>): Promise<void> {
  for (let retries = 40; ; retries--) {
    try {
      await operation();
      return;
    } catch (error) {
      const isBusy = process.platform === "win32" && /^(EPERM|EACCES|EBUSY)$/.test(getErrorCode(error) ?? "");
      if (!isBusy || retries === 0) throw error;
      await setTimeout(50);
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
export function removeManagedFile(path: string, isManaged: (text: string) => boolean): Promise<boolean> {
  return runFileOperation(path, "removed", {}, async () => {
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
  await retryWhileBusy(() => rm(path, { force: true }));
  return true;
}

/**
 * Removes temporary files of writers that were killed. Failures are ignored.
 *
 * @param minAge - younger files stay: their writers may be running. Default: all are removed
 */
export async function removeTempFiles(path: string, minAge: Milliseconds = -Infinity): Promise<void> {
  const prefix = `.${basename(path)}.`;
  const names = await readdir(dirname(path)).catch((): readonly string[] => []);
  for (const name of names.filter((name) => name.startsWith(prefix) && TEMP_SUFFIX.test(name.slice(prefix.length)))) {
    const temp = join(dirname(path), name);
    const stats = await lstat(temp).catch(() => undefined);
    if (stats !== undefined && Date.now() - stats.mtimeMs >= minAge) await unlink(temp).catch(() => undefined);
  }
}
