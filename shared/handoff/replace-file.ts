import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { constants, lstat, open, readdir, rename, unlink } from "node:fs/promises";
import { userInfo } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { sleep, systemClock, type Clock, type Milliseconds } from "../clock.ts";
import { errorCode } from "../report/errors.ts";
import { fileError } from "./file-error.ts";
import { readOwnFile } from "./own-file.ts";

/** The name of what lies beside the file `path` for a while: `.<name>.<suffix>`. */
export const besideFile = (path: string, suffix: string): string => join(dirname(path), `.${basename(path)}.${suffix}`);

/** A name beside `path` that nobody has: `.<name>.<12 hexadecimal digits>.tmp`. {@link sweepTemporaries} knows it. */
export const temporaryName = (path: string): string => besideFile(path, `${randomBytes(6).toString("hex")}.tmp`);

/** How a file is replaced. */
export interface ReplaceOptions {
  /** Asked when all is written but the name, for who must not bring a file back that somebody has removed. */
  readonly stillWanted?: (() => Promise<boolean>) | undefined;
  readonly clock?: Clock;
}

/** A temporary that somebody swept is written anew so often. */
const TRIES = 3;
/** What virus scanners and indexers of Windows cause for a moment, and how long that is waited for. */
const BUSY: ReadonlySet<string | undefined> = new Set(["EPERM", "EACCES", "EBUSY"]);
const PATIENCE: Milliseconds = 2000;
const PAUSE: Milliseconds = 50;

/**
 * Puts `text` at `path` in one step: whoever looks finds the old file or the new one, whole. It is this user's alone
 * (0600) before a byte of it is written. A symbolic link at `path` is replaced, never followed.
 *
 * @returns false when `stillWanted` said so; then nothing changed
 * @throws AuthError of kind `config`; nothing is left behind
 */
export async function replaceFile(
  path: string,
  text: string,
  { stillWanted, clock = systemClock }: ReplaceOptions = {},
): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    const temporary = temporaryName(path);
    try {
      await writeTemporary(temporary, text);
      if (stillWanted !== undefined && !(await stillWanted())) {
        await unlink(temporary).catch(() => undefined);
        return false;
      }
      await patiently(() => rename(temporary, path), clock);
      return true;
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      // Swept while this process slept. Whether the file is still wanted is asked anew.
      if (errorCode(error) !== "ENOENT" || tries === TRIES) throw fileError(error, path, "be written");
    }
  }
}

const FLAGS =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | ((constants.O_NOFOLLOW as number | undefined) ?? 0);

async function writeTemporary(temporary: string, text: string): Promise<void> {
  const handle = await open(temporary, FLAGS, 0o600);
  try {
    // Whatever the umask took away.
    if (process.platform === "win32") await keepToThisUser(temporary);
    else await handle.chmod(0o600);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Modes mean nothing on Windows: access control lists do. Where that fails the folder's own list must do. */
async function keepToThisUser(file: string): Promise<void> {
  const args = [file, "/inheritance:r", "/grant:r", `${userInfo().username}:F`];
  await promisify(execFile)("icacls", args, { timeout: 5000, windowsHide: true }).catch(() => undefined);
}

/**
 * Does `work` again, for two seconds at most, while Windows says that the file is busy. Elsewhere these errors are
 * meant as they are said.
 *
 * @param platform - as `process.platform`
 */
export async function patiently<T>(
  work: () => Promise<T>,
  clock: Clock,
  platform: NodeJS.Platform = process.platform,
): Promise<T> {
  const end = clock.monotonic() + PATIENCE;
  const { signal } = new AbortController();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (platform !== "win32" || !BUSY.has(errorCode(error)) || clock.monotonic() >= end) throw error;
      await sleep(clock, PAUSE, signal);
    }
  }
}

/** How a file is removed. */
export interface RemoveOptions {
  /** Looks at the text of what lies there. What it does not know stays. Default: all goes. */
  readonly isOurs?: ((text: string) => boolean) | undefined;
  readonly clock?: Clock;
}

/**
 * Removes a file so that it does not come back: also not by a process that had its temporary ready and slept.
 *
 * @returns whether there was a file that went
 * @throws AuthError of kind `config`
 */
export async function removeFile(path: string, { isOurs, clock = systemClock }: RemoveOptions = {}): Promise<boolean> {
  const removed = await removeOnce(path, isOurs, clock);
  await sweepTemporaries(path);
  await unlink(besideFile(path, LOCK)).catch(() => undefined);
  // Who looked for the file before it went may have renamed meanwhile; now no temporary is left to rename.
  return (await removeOnce(path, isOurs, clock)) || removed;
}

async function removeOnce(path: string, isOurs: RemoveOptions["isOurs"], clock: Clock): Promise<boolean> {
  try {
    if (isOurs !== undefined) {
      const found = await readOwnFile(path).catch(() => undefined);
      if (found === undefined || !isOurs(found.text)) return false;
    }
    await patiently(() => unlink(path), clock);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw fileError(error, path, "be removed");
  }
}

/** The suffix of the lock's name. */
export const LOCK = "lock";
const TEMPORARY = /^[0-9a-f]{12}\.tmp$/;

/**
 * Removes the temporaries that writers of `path` left who were killed. What can't be removed stays.
 *
 * @param olderThan - age from which on they go, by their own time and `wall`; a younger one's writer may live
 */
export async function sweepTemporaries(
  path: string,
  olderThan: Milliseconds = -Infinity,
  wall = Date.now(),
): Promise<void> {
  const start = `.${basename(path)}.`;
  const names = await readdir(dirname(path)).catch((): readonly string[] => []);
  for (const name of names) {
    if (!name.startsWith(start) || !TEMPORARY.test(name.slice(start.length))) continue;
    const temporary = join(dirname(path), name);
    const age = await lstat(temporary).then(
      ({ mtimeMs }) => wall - mtimeMs,
      () => -Infinity,
    );
    if (age >= olderThan) await unlink(temporary).catch(() => undefined);
  }
}
