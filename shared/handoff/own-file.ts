import type { Stats } from "node:fs";
import { constants, lstat, open, type FileHandle } from "node:fs/promises";
import type { Milliseconds } from "../clock.ts";
import { errorCode } from "../report/errors.ts";
import { aboutFile, fileError } from "./file-error.ts";
import type { HandoffCode } from "./handoff-error.ts";

/** A file that is ours by all that the system tells of it, with its text. */
export interface OwnFile {
  readonly text: string;
  /** The permission bits, as `0o600`. */
  readonly mode: number;
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: Milliseconds;
}

/** No auth file is longer, in bytes. */
const LONGEST = 65_536;
/** A file that others replace all the time is found whole at one of these looks. */
const LOOKS = 100;
/** Absent on Windows, where links are looked for beforehand. */
const NO_FOLLOW = constants.O_NOFOLLOW as number | undefined;
/** A pipe would keep us waiting for who writes into it. */
const NO_WAIT = constants.O_NONBLOCK as number | undefined;
const FLAGS = constants.O_RDONLY | (NO_FOLLOW ?? 0) | (NO_WAIT ?? 0);

/**
 * Reads a file that must be a regular one, of this user, under one name alone and at most 64 KiB long.
 *
 * @returns undefined when there is none
 * @throws AuthError of kind `config` for any other thing at that path, or when it can't be read
 */
export async function readOwnFile(path: string): Promise<OwnFile | undefined> {
  try {
    for (let look = 1; look <= LOOKS; look++) {
      const file = await readOnce(path);
      if (file !== "replaced") return file;
    }
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw fileError(error, path, "be read");
  }
  throw aboutFile(path, "can't be read: it is replaced all the time", "auth_file_io");
}

async function readOnce(path: string): Promise<OwnFile | "replaced"> {
  if (NO_FOLLOW === undefined && (await lstat(path)).isSymbolicLink())
    throw aboutFile(path, "is a symbolic link", "auth_file_unsafe");
  const handle = await open(path, FLAGS);
  try {
    const stats = await handle.stat();
    // No name left: another file took its place between the two calls.
    if (stats.nlink === 0) return "replaced";
    const fault = faultOf(stats);
    if (fault !== undefined) throw aboutFile(path, ...fault);
    const { mode, dev, ino, size, mtimeMs } = stats;
    return { text: await readWhole(handle, path), mode: mode & 0o777, dev, ino, size, mtimeMs };
  } finally {
    await handle.close();
  }
}

const TOO_LONG = "is longer than an auth file can be";

/** What speaks against a file: the rest of a sentence, and the hint's code. */
function faultOf(stats: Stats): readonly [reason: string, code: HandoffCode] | undefined {
  const user = process.getuid?.();
  if (stats.isDirectory()) return ["is a folder", "auth_file_path"];
  if (!stats.isFile()) return ["is no regular file", "auth_file_unsafe"];
  if (user !== undefined && stats.uid !== user)
    return [`belongs to another user (uid ${stats.uid})`, "auth_file_unsafe"];
  if (stats.nlink > 1) return ["has a second name (a hard link)", "auth_file_unsafe"];
  return stats.size > LONGEST ? [TOO_LONG, "auth_file_foreign"] : undefined;
}

async function readWhole(handle: FileHandle, path: string): Promise<string> {
  const buffer = Buffer.alloc(LONGEST + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) return buffer.toString("utf8", 0, length);
    length += bytesRead;
  }
  throw aboutFile(path, TOO_LONG, "auth_file_foreign");
}
