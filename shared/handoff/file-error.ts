import { AuthError, errorCode } from "../report/errors.ts";
import { printable } from "../report/printable.ts";
import { handoffError, type HandoffCode } from "./handoff-error.ts";

/** What an error of the file system means, by its code (POSIX `errno`): the rest of a sentence, and the hint. */
const MEANING: Readonly<Record<string, readonly [reason: string, code: HandoffCode]>> = Object.freeze({
  EACCES: ["this user may not", "auth_file_denied"],
  EPERM: ["this user may not", "auth_file_denied"],
  EROFS: ["the disk is read-only", "auth_file_denied"],
  ENOSPC: ["the disk is full", "auth_file_no_space"],
  EDQUOT: ["this user's share of the disk is used up", "auth_file_no_space"],
  EFBIG: ["files may not be that large here", "auth_file_no_space"],
  EMFILE: ["this process has too many files open", "auth_file_io"],
  ENFILE: ["this machine has too many files open", "auth_file_io"],
  ENOENT: ["its folder is gone", "auth_file_path"],
  ENOTDIR: ["a part of the path before the last is no folder", "auth_file_path"],
  EEXIST: ["a part of the path before the last is no folder", "auth_file_path"],
  EISDIR: ["it is a folder", "auth_file_path"],
  ENAMETOOLONG: ["the path is too long", "auth_file_path"],
  EINVAL: ["the path is none that this machine knows", "auth_file_path"],
  ELOOP: ["it is a symbolic link", "auth_file_unsafe"],
  EBUSY: ["another process holds it", "auth_file_io"],
});

/** A path as a message shows it. */
export const shownPath = (path: string): string => printable(path, 200);

/** A config error about the file at `path`: the rest of a sentence that begins with it. */
export const aboutFile = (path: string, reason: string, code: HandoffCode, cause?: unknown): AuthError =>
  handoffError(`the auth file ${shownPath(path)} ${reason}.`, code, cause === undefined ? {} : { cause });

/**
 * An error of node:fs in the words of a person.
 *
 * @param doing - what was tried: "be written"
 */
export function fileError(error: unknown, path: string, doing: string): AuthError {
  if (AuthError.isAuthError(error)) return error;
  const errno = errorCode(error);
  const known = errno !== undefined && Object.hasOwn(MEANING, errno) ? MEANING[errno] : undefined;
  const [reason, code] = known ?? [`error ${printable(errno ?? "without a code", 40)}`, "auth_file_io"];
  return aboutFile(path, `can't ${doing}: ${reason}`, code, error);
}
