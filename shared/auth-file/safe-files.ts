import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { constants, lstat, open, readdir, rename, rmdir, unlink } from "node:fs/promises";
import { userInfo } from "node:os";
import { basename, dirname, join, win32 } from "node:path";
import { setTimeout } from "node:timers/promises";
import { getSystemErrorMap, promisify } from "node:util";
import { sleep, systemClock, type Milliseconds } from "../clock.ts";
import { abortedError, AuthError, getErrorCode, type AuthErrorCode } from "../errors.ts";
import type { RequestLimits } from "../http/request-context.ts";
import { sanitize } from "../redact.ts";

/** Limits for a file system operation, which never takes longer than 10 s. */
export type FileLimits = Partial<RequestLimits>;

/**
 * The time limit for an operation. A disk responds within milliseconds, but a network file system may never respond.
 */
const FILE_TIMEOUT: Milliseconds = 10_000;

/** Formats a path for messages. */
export const printablePath = (path: string): string => sanitize(path, 200);

/** Creates an AuthError of kind `file`: `the auth file <path> <message>.` */
export const authFileError = (path: string, message: string, code: AuthErrorCode, cause?: unknown): AuthError =>
  new AuthError(`the auth file ${printablePath(path)} ${message}.`, { kind: "file", code, cause });

/** Maps a POSIX error code from the file system to the code of an AuthError. */
function classifyErrno(errno: string): AuthErrorCode {
  if (/^(EACCES|EPERM|EROFS)$/.test(errno)) return "auth_file_permission_denied";
  if (/^(ENOSPC|EDQUOT|EFBIG)$/.test(errno)) return "auth_file_disk_full";
  if (/^(ENOENT|ENOTDIR|EEXIST|EISDIR|ENAMETOOLONG|EINVAL)$/.test(errno)) return "auth_file_invalid_path";
  return errno === "ELOOP" ? "auth_file_insecure" : "auth_file_io_error";
}

/**
 * Runs an operation on an auth file. The promise settles in time even if a system call hangs, which `node:fs` cannot
 * cancel.
 *
 * @param action - the participle in the error message, for example "written" or "read"
 * @throws AuthError; an error thrown by `node:fs` is converted to an AuthError of kind `file` based on its code
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
    // An error without a code does not come from the file system.
    if (AuthError.isAuthError(error) || getErrorCode(error) === undefined) throw error;
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

/** The maximum size of an auth file. */
const MAX_BYTES = 65_536;
/** The maximum number of attempts to write a temporary file if other processes remove it. */
const MAX_WRITE_ATTEMPTS = 3;
/** Not defined on Windows. */
const O_NOFOLLOW = (constants.O_NOFOLLOW as number | undefined) ?? 0;
/** Opening a FIFO would block until a process writes into it. */
const O_NONBLOCK = (constants.O_NONBLOCK as number | undefined) ?? 0;
const CREATE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | O_NOFOLLOW;
const ICACLS_TIMEOUT: Milliseconds = 5000;

/** Returns the path of a temporary file or directory next to `path`: `.<name>.<suffix>`. */
export const getSiblingPath = (path: string, suffix: string): string =>
  join(dirname(path), `.${basename(path)}.${suffix}`);

/** Returns the path of the directory that `withFileLock` creates. */
export const getLockPath = (path: string): string => getSiblingPath(path, "lock");

const TEMP_SUFFIX = /^[0-9a-f]{12}\.tmp$/;

/** Options for reading a file whose text proves that scm-auth wrote it. */
export interface OwnerOptions {
  /** Accepts a file whose owner was changed, or that got another hard link, for example from a backup. Default: false. */
  readonly anyOwner?: boolean;
}

/**
 * Reads a file. It must be a regular file that is owned by this user, has a single hard link, and is at most 64 KiB in
 * size.
 *
 * @returns undefined if there is no file
 * @throws AuthError of kind `file` if anything else exists at that path, or if the file cannot be read
 */
export function readPrivateFile(
  path: string,
  options: FileLimits & OwnerOptions = {},
): Promise<FileSnapshot | undefined> {
  return runFileOperation(path, "read", options, async () => {
    try {
      return await readFile(path, options);
    } catch (error) {
      if (getErrorCode(error) === "ENOENT") return undefined;
      throw error;
    }
  });
}

async function readFile(path: string, { anyOwner = false }: OwnerOptions): Promise<FileSnapshot> {
  const fail = (message: string, code: AuthErrorCode): never => {
    throw authFileError(path, message, code);
  };
  const checkOwner = ({ uid }: { readonly uid: number }): void => {
    if (uid !== (process.geteuid?.() ?? uid)) fail(`belongs to another user (uid ${uid})`, "auth_file_insecure");
  };
  const entry = await lstat(path);
  if (entry.isSymbolicLink()) fail("is a symbolic link", "auth_file_insecure");
  const handle = await open(path, constants.O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error: unknown) => {
    if (getErrorCode(error) === "EACCES") checkOwner(entry);
    throw error;
  });
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) fail("is a directory", "auth_file_invalid_path");
    if (!stats.isFile()) fail("is not a regular file", "auth_file_insecure");
    if (!anyOwner) checkOwner(stats);
    if (!anyOwner && stats.nlink > 1) fail("has another hard link", "auth_file_insecure");
    if (stats.size > MAX_BYTES) fail("is too large for an auth file", "auth_file_not_managed");
    return { text: await handle.readFile("utf8"), mode: stats.mode & 0o777 };
  } finally {
    await handle.close();
  }
}

/** Whether no other user may access the file. Always true on Windows, which has no permission bits. */
export const isPrivate = ({ mode }: Pick<FileSnapshot, "mode">): boolean =>
  process.geteuid === undefined || (mode & 0o077) === 0;

/**
 * Atomically replaces the file at `path`: readers see either the old or the new content. The mode is set to 0600 before
 * the first byte is written. A symbolic link at `path` is replaced, not followed.
 *
 * @param shouldReplace - called right before the rename. If it returns false, nothing changes, so that a removed file
 *   is not created again
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
        // The temporary file was removed together with the auth file while this process was suspended. Decide again
        // whether to write.
        if (getErrorCode(error) !== "ENOENT" || attempt === MAX_WRITE_ATTEMPTS) throw error;
      }
    }
  });
}

async function writeTempFile(temp: string, text: string): Promise<void> {
  const handle = await open(temp, CREATE_FLAGS, 0o600);
  try {
    // The umask may have cleared permission bits.
    if (process.platform === "win32") await restrictToUser(temp);
    else await handle.chmod(0o600);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Restricts access to a file to this user on Windows, which has access control lists (ACLs) instead of modes. If
 * `icacls` fails, the ACL inherited from the directory applies.
 */
async function restrictToUser(file: string): Promise<void> {
  const args = [file, "/inheritance:r", "/grant:r", `${userInfo().username}:F`];
  const options = { timeout: ICACLS_TIMEOUT, windowsHide: true };
  await promisify(execFile)(getIcaclsPath(process.env["SystemRoot"]), args, options).catch(() => undefined);
}

/**
 * Returns the absolute path of `icacls`, because Windows searches the working directory for a program without one. Any
 * value of SystemRoot that is not on a local drive is ignored for the same reason.
 */
export const getIcaclsPath = (systemRoot = ""): string =>
  win32.join(/^[a-z]:\\./i.test(systemRoot) ? systemRoot : "C:\\Windows", "System32", "icacls.exe");

/**
 * Retries an operation while the file is busy. On Windows, virus scanners and indexers briefly lock new files. On other
 * systems, the same error codes are permanent.
 */
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
 * Removes a file, its temporary files, and its lock. The file is not created again, because a process that is about to
 * rename a temporary file no longer finds it.
 *
 * @param isManaged - receives the text of the file; if it returns false, the file is kept
 * @returns whether a file was removed
 * @throws AuthError of kind `file`
 */
export function removeManagedFile(
  path: string,
  isManaged: (text: string) => boolean,
  options: OwnerOptions = {},
): Promise<boolean> {
  return runFileOperation(path, "removed", {}, async () => {
    const isRemoved = await removeOnce(path, isManaged, options);
    await removeTempFiles(path);
    // The lock is an empty directory. Anything else at this path was not created by scm-auth.
    await rmdir(getLockPath(path)).catch(() => undefined);
    // A process may have renamed its temporary file before it could be removed.
    return (await removeOnce(path, isManaged, options)) || isRemoved;
  });
}

async function removeOnce(path: string, isManaged: (text: string) => boolean, options: OwnerOptions): Promise<boolean> {
  const file = await readPrivateFile(path, options).catch(() => undefined);
  if (file === undefined || !isManaged(file.text)) return false;
  // Unlike `unlink`, `rm` reports EPERM as ENOTDIR.
  await retryWhileBusy(() => unlink(path)).catch((error: unknown) => {
    if (getErrorCode(error) !== "ENOENT") throw error;
  });
  return true;
}

/**
 * Removes temporary files left behind by processes that were killed. Failures are ignored.
 *
 * @param minAge - younger files are kept, because the processes that write them may still be running. Default: all are
 *   removed
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
