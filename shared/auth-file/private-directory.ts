import { lstat, mkdir, realpath, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AuthError, getErrorCode } from "../errors.ts";
import { printablePath, runFileOperation, type FileLimits } from "./file-operation.ts";

const S_ISVTX = 0o1000;
const S_IWGRP = 0o020;
const S_IWOTH = 0o002;
const ROOT = 0;

/** The owner and the permissions of a directory. */
export interface DirectoryStats {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** Why a directory cannot be used, or what to warn about. Each continues a sentence that starts with the directory. */
export interface DirectoryCheck {
  readonly error?: string;
  readonly warning?: string;
}

const CAN_REPLACE = "can replace the auth file";

/**
 * Checks who could replace a file below a directory, as `StrictModes` of OpenSSH does (sshd_config(5)): the owner must be
 * root or this user, and no one else may write, except where the sticky bit protects the entries of others. A directory
 * that only its group can write to is common (umask 002) and causes a warning.
 *
 * @param user - this user's uid; undefined on Windows, where nothing is checked
 * @param systemOwner - the owner of the root directory, which is not 0 in a user namespace
 */
export function checkDirectory(
  { uid, gid, mode }: DirectoryStats,
  user: number | undefined,
  systemOwner = ROOT,
): DirectoryCheck {
  if (user === undefined) return {};
  const isSystem = uid === ROOT || uid === systemOwner;
  const isOther = uid !== user && !isSystem;
  const isSticky = (mode & S_ISVTX) !== 0;
  if (isOther && user !== ROOT) return { error: `belongs to another user (uid ${uid})` };
  if ((mode & S_IWOTH) !== 0 && !isSticky) return { error: "can be written to by every user" };
  // In a container, root often works in a directory of the host's user.
  if (isOther) return { warning: `belongs to another user (uid ${uid}), who ${CAN_REPLACE}` };
  if ((mode & S_IWGRP) === 0 || isSticky) return {};
  if (uid !== user && gid !== ROOT) return { error: `can be written to by its group (gid ${gid})` };
  return { warning: `can be written to by its group, whose members ${CAN_REPLACE}` };
}

/** How a directory is checked. */
export interface DirectoryOptions {
  /**
   * A directory that the platform assigned to this job (RUNNER_TEMP). It and the directories above may have any owner and
   * mode: in a container they belong to the host's user.
   */
  readonly trustedDir?: string | undefined;
  readonly limits?: FileLimits;
}

/**
 * Creates the directory of the auth file at `path` if it is missing, accessible to this user only and ignored by git, and
 * checks it and all directories above.
 *
 * @returns at most one warning
 * @throws AuthError of kind `file` when others could replace the file, or when the directory cannot be created
 */
export function ensurePrivateDirectory(path: string, options: DirectoryOptions = {}): Promise<readonly string[]> {
  return runFileOperation(path, "written", options.limits ?? {}, async () => {
    const directory = dirname(path);
    const missing = await findMissing(directory);
    const existing = missing.at(-1) === undefined ? directory : dirname(missing.at(-1) ?? directory);
    await checkAncestors(existing, options);
    // Not `recursive: true`: that never returns where mkdir fails with ENOENT although the parent exists (/proc).
    for (const name of missing.toReversed()) await ignoreExisting(mkdir(name, 0o700));
    if (missing.length > 0)
      await ignoreExisting(writeFile(join(directory, ".gitignore"), "*\n", { flag: "wx", mode: 0o600 }));
    return checkAncestors(directory, options);
  });
}

/** Checks like {@link ensurePrivateDirectory}, but creates nothing. */
export function checkPrivateDirectory(path: string, options: DirectoryOptions = {}): Promise<readonly string[]> {
  return runFileOperation(path, "read", options.limits ?? {}, () => checkAncestors(dirname(path), options));
}

/** `directory` and the directories above it that do not exist, from the bottom up. */
async function findMissing(directory: string): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let name = directory; ; name = dirname(name)) {
    try {
      if (!(await stat(name)).isDirectory()) throw Object.assign(new Error("not a directory"), { code: "ENOTDIR" });
      return missing;
    } catch (error) {
      if (getErrorCode(error) !== "ENOENT" || dirname(name) === name) throw error;
      missing.push(name);
    }
  }
}

async function ignoreExisting(operation: Promise<void>): Promise<void> {
  await operation.catch((error: unknown) => {
    if (getErrorCode(error) !== "EEXIST") throw error;
  });
}

async function checkAncestors(directory: string, { trustedDir }: DirectoryOptions): Promise<readonly string[]> {
  const user = process.geteuid?.();
  if (user === undefined) return [];
  const trusted = new Set(trustedDir === undefined ? [] : getAncestors(await realpath(trustedDir)));
  const real = getAncestors(await realpath(directory));
  const { uid: systemOwner } = await stat("/");
  let warning: string | undefined;
  // The path as given may contain links: the owner of a link and of its directory decides where it leads.
  for (const name of new Set([...real, ...getAncestors(directory)])) {
    if (trusted.has(name)) continue;
    const stats = await lstat(name);
    const { uid, gid } = stats;
    const mode = stats.isSymbolicLink() ? 0 : stats.mode;
    const check = checkDirectory({ uid, gid, mode }, user, systemOwner);
    if (check.error !== undefined) throw directoryError(name, check.error);
    warning ??= check.warning && `The directory ${printablePath(name)} ${check.warning}.`;
  }
  return warning === undefined ? [] : [warning];
}

const directoryError = (directory: string, message: string): AuthError =>
  new AuthError(`the directory ${printablePath(directory)} ${message}.`, {
    kind: "file",
    code: "auth_file_dir_insecure",
  });

/** A directory and all above it, from the bottom up. */
function getAncestors(directory: string): readonly string[] {
  const parent = dirname(directory);
  return parent === directory ? [directory] : [directory, ...getAncestors(parent)];
}
