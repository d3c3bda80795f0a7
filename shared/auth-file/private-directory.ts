import type { Stats } from "node:fs";
import { chmod, lstat, mkdir, readlink, realpath, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { AuthError, getErrorCode } from "../errors.ts";
import { printablePath, runFileOperation, type FileLimits } from "./safe-files.ts";

const S_ISVTX = 0o1000;
const S_IWGRP = 0o020;
const S_IWOTH = 0o002;
const ROOT = 0;

/**
 * Why a directory cannot be used, or a warning about it. Each text continues a sentence that starts with the directory.
 */
export interface DirectoryCheck {
  readonly error?: string;
  readonly warning?: string;
}

const CAN_REPLACE = "can replace the auth file";

/**
 * Checks whether other users could replace a file in a directory, like the `StrictModes` option of OpenSSH
 * (sshd_config(5)). The owner must be root or this user. No one else may have write permission unless the sticky bit
 * protects the entries of other users. A directory that only its group can write to is common (umask 002) and causes a
 * warning.
 *
 * @param user - this user's uid; undefined on Windows, where nothing is checked
 * @param systemOwner - the uid that owns the root directory, which may differ from 0 in a user namespace
 */
export function checkDirectory(
  { uid, gid, mode }: Pick<Stats, "uid" | "gid" | "mode">,
  user: number | undefined,
  systemOwner = ROOT,
): DirectoryCheck {
  if (user === undefined) return {};
  const isSystem = uid === ROOT || uid === systemOwner;
  const isOther = uid !== user && !isSystem;
  const isSticky = (mode & S_ISVTX) !== 0;
  if (isOther && user !== ROOT) return { error: `belongs to another user (uid ${uid})` };
  if ((mode & S_IWOTH) !== 0 && !isSticky) return { error: "can be written to by every user" };
  // In a container, root often works in a directory owned by a user of the host.
  if (isOther) return { warning: `belongs to another user (uid ${uid}), who ${CAN_REPLACE}` };
  if ((mode & S_IWGRP) === 0 || isSticky) return {};
  if (uid !== user && gid !== ROOT) return { error: `can be written to by its group (gid ${gid})` };
  return { warning: `can be written to by its group, whose members ${CAN_REPLACE}` };
}

/**
 * Creates the directory of the auth file at `path` if it does not exist. The new directory is accessible only to this
 * user and ignored by Git. Then checks the directory and all its parents.
 *
 * @param trustedDir - a directory that the platform assigned to this job. It and its parents may have any owner and
 *   mode, because in a container they belong to a user of the host. Default: RUNNER_TEMP
 * @returns at most one warning
 * @throws AuthError of kind `file` if other users could replace the file, or if the directory cannot be created
 */
export function ensurePrivateDirectory(
  path: string,
  limits: FileLimits = {},
  trustedDir: string | undefined = process.env["RUNNER_TEMP"],
): Promise<readonly string[]> {
  return runFileOperation(path, "written", limits, async () => {
    const directory = dirname(path);
    if (await createDirectory(directory, trustedDir))
      await ignoreExisting(writeFile(join(directory, ".gitignore"), "*\n", { flag: "wx", mode: 0o600 }));
    return checkAncestors(directory, trustedDir);
  });
}

/** Performs the same checks as {@link ensurePrivateDirectory} but creates nothing. */
export const checkPrivateDirectory = (path: string, limits: FileLimits = {}): Promise<readonly string[]> =>
  runFileOperation(path, "read", limits, () => checkAncestors(dirname(path), process.env["RUNNER_TEMP"]));

/**
 * Creates a directory and its missing parents if the closest existing parent passes the check. Returns false if the
 * directory already exists. Does not use `mkdir` with `recursive: true`, which never returns if the parent exists but
 * creating the directory fails with ENOENT, as in /proc.
 */
async function createDirectory(directory: string, trustedDir: string | undefined): Promise<boolean> {
  try {
    // With the trailing slash, a file causes an error (ENOTDIR).
    await stat(`${directory}/`);
  } catch (error) {
    const parent = dirname(directory);
    if (getErrorCode(error) !== "ENOENT" || parent === directory) throw error;
    await createDirectory(parent, trustedDir);
    // The umask may have cleared permission bits.
    await ignoreExisting(mkdir(directory, 0o700).then(() => chmod(directory, 0o700)));
    return true;
  }
  await checkAncestors(directory, trustedDir);
  return false;
}

async function ignoreExisting(operation: Promise<void>): Promise<void> {
  await operation.catch((error: unknown) => {
    if (getErrorCode(error) !== "EEXIST") throw error;
  });
}

async function checkAncestors(directory: string, trustedDir: string | undefined): Promise<readonly string[]> {
  const user = process.geteuid?.();
  if (user === undefined) return [];
  // A directory that does not exist cannot contain the file.
  const trusted = await getPathDirectories(trustedDir ?? "").catch(() => new Set());
  const { uid: systemOwner } = await stat("/");
  let warning: string | undefined;
  for (const name of await getPathDirectories(directory)) {
    if (trusted.has(name)) continue;
    const stats = await lstat(name).catch(ignoreMissing);
    if (stats === undefined) continue;
    // The mode of a symbolic link has no meaning.
    const check = checkDirectory(stats.isSymbolicLink() ? { ...stats, mode: 0 } : stats, user, systemOwner);
    if (check.error !== undefined)
      throw new AuthError(`the directory ${printablePath(name)} ${check.error}.`, {
        kind: "file",
        code: "auth_file_dir_insecure",
      });
    warning ??= check.warning && `The directory ${printablePath(name)} ${check.warning}.`;
  }
  return warning === undefined ? [] : [warning];
}

/**
 * Returns all directories and symbolic links that determine what a path refers to. The owner of a link and the owner of
 * the directory that contains it can change its target.
 */
async function getPathDirectories(directory: string): Promise<ReadonlySet<string>> {
  const names = new Set([...getAncestors(await realpath(directory)), ...getAncestors(resolve(directory))]);
  // The loop also visits the names that it adds.
  for (const name of names) {
    const target = await readlink(name).catch(() => undefined);
    if (target === undefined) continue;
    // A target such as `link/../name` may be resolved to a path that does not exist.
    for (const added of getAncestors(resolve(await realpath(dirname(name)), target))) names.add(added);
  }
  return names;
}

function ignoreMissing(error: unknown): undefined {
  if (getErrorCode(error) !== "ENOENT") throw error;
}

/** Returns a directory and all its parents, innermost first. */
function getAncestors(directory: string): readonly string[] {
  const parent = dirname(directory);
  return parent === directory ? [directory] : [directory, ...getAncestors(parent)];
}
