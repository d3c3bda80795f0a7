import { systemClock, type Clock, type Milliseconds } from "../clock.ts";
import { abortedError, AuthError, getErrorCode, type AuthErrorCode } from "../errors.ts";
import { sanitize } from "../redact.ts";

/** When an operation on the file system must end. */
export interface FileLimits {
  /** Default: the system clock. */
  readonly clock?: Clock;
  /** On `clock.monotonic()`. No operation takes longer than 10 s in any case. */
  readonly deadline?: Milliseconds | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A disk takes milliseconds; a network file system may never respond. */
const FILE_TIMEOUT: Milliseconds = 10_000;

/** What an error of the file system means, by its code (POSIX `errno`). */
const ERRNO_MESSAGES: Readonly<Record<string, readonly [message: string, code: AuthErrorCode]>> = Object.freeze({
  EACCES: ["permission denied", "auth_file_permission_denied"],
  EPERM: ["operation not permitted", "auth_file_permission_denied"],
  EROFS: ["the file system is read-only", "auth_file_permission_denied"],
  ENOSPC: ["no space left on the disk", "auth_file_disk_full"],
  EDQUOT: ["disk quota exceeded", "auth_file_disk_full"],
  EFBIG: ["file size limit exceeded", "auth_file_disk_full"],
  ENOENT: ["its directory does not exist or cannot be created", "auth_file_invalid_path"],
  ENOTDIR: ["a parent of the path is not a directory", "auth_file_invalid_path"],
  EEXIST: ["a parent of the path is not a directory", "auth_file_invalid_path"],
  EISDIR: ["it is a directory", "auth_file_invalid_path"],
  ENAMETOOLONG: ["the path is too long", "auth_file_invalid_path"],
  EINVAL: ["the path is not valid on this system", "auth_file_invalid_path"],
  ELOOP: ["it is a symbolic link", "auth_file_insecure"],
  EMFILE: ["too many open files in this process", "auth_file_io_error"],
  ENFILE: ["too many open files on this machine", "auth_file_io_error"],
  EBUSY: ["it is in use by another process", "auth_file_io_error"],
});

/** A path as messages show it. */
export const printablePath = (path: string): string => sanitize(path, 200);

/** An AuthError of kind `file`: `the auth file <path> <message>.` */
export const authFileError = (path: string, message: string, code: AuthErrorCode, cause?: unknown): AuthError =>
  new AuthError(`the auth file ${printablePath(path)} ${message}.`, { kind: "file", code, cause });

function toAuthFileError(error: unknown, path: string, action: string): AuthError {
  if (AuthError.isAuthError(error)) return error;
  const errno = getErrorCode(error);
  const known = errno !== undefined && Object.hasOwn(ERRNO_MESSAGES, errno) ? ERRNO_MESSAGES[errno] : undefined;
  const [message, code] = known ?? [`error ${sanitize(errno ?? "without a code", 40)}`, "auth_file_io_error"];
  return authFileError(path, `cannot be ${action}: ${message}`, code, error);
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
  { clock = systemClock, deadline = Infinity, signal }: FileLimits,
  operation: () => Promise<T>,
): Promise<T> {
  if (signal?.aborted) throw abortedError(signal.reason);
  const timeout = Math.max(0, Math.min(FILE_TIMEOUT, deadline - clock.monotonic()));
  let end = (): void => undefined;
  const limit = new Promise<never>((_, reject) => {
    const cancel = clock.setTimeout(() => {
      reject(authFileError(path, `cannot be ${action}: the file system does not respond`, "auth_file_io_error"));
    }, timeout);
    const onAbort = (): void => {
      reject(abortedError(signal?.reason));
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    end = () => {
      cancel();
      signal?.removeEventListener("abort", onAbort);
    };
  });
  try {
    return await Promise.race([operation(), limit]);
  } catch (error) {
    throw toAuthFileError(error, path, action);
  } finally {
    end();
  }
}
