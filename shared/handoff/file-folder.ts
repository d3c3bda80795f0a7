import { lstat, mkdir, realpath, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorCode } from "../report/errors.ts";
import { fileError, shownPath } from "./file-error.ts";
import { handoffError } from "./handoff-error.ts";

const STICKY = 0o1000;
const OTHERS_WRITE = 0o002;
const GROUP_WRITES = 0o020;
const ROOT = 0;

/** What the system tells of a folder. */
export interface FolderFacts {
  /** Of the owner. */
  readonly uid: number;
  /** With the type's bits. */
  readonly mode: number;
}

/** A folder's verdict: why it can't be used, or what to warn of. Each is the rest of a sentence. */
export interface FolderVerdict {
  readonly refusal?: string;
  readonly warning?: string;
}

/**
 * Judges a folder by who could put another file into it. Pure.
 *
 * @param user - our uid; undefined where there are none (Windows), and nothing is judged
 * @param isTrusted - whether the platform itself gave us the folder (a job's temporary folder in a container belongs to
 *   the runner outside of it), so that its owner may be anyone
 */
export function judgeOwnership(
  { uid, mode }: FolderFacts,
  user: number | undefined,
  isTrusted: boolean,
): FolderVerdict {
  if (user === undefined) return {};
  const isForeign = uid !== user && uid !== ROOT && !isTrusted;
  if (isForeign && user !== ROOT) return { refusal: `belongs to another user (uid ${uid})` };
  if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) return { refusal: "can be written by every user" };
  if (isForeign)
    return { warning: `belongs to another user (uid ${uid}), who can put another file in the auth file's place` };
  if ((mode & GROUP_WRITES) !== 0 && (mode & STICKY) === 0)
    return { warning: "can be written by its group, whose members can put another file in the auth file's place" };
  return {};
}

/** How a folder is judged. */
export interface FolderOptions {
  /** A folder that the platform itself gave us. See {@link judgeOwnership}. */
  readonly trusted?: string | undefined;
}

/**
 * Makes sure of the folder that the auth file at `path` lies in. A missing one is made for this user alone, and git
 * passes it over.
 *
 * @returns what to warn of, as sentences
 * @throws AuthError of kind `config` when others could write into it, or it can't be made
 */
export async function judgeFolder(path: string, { trusted }: FolderOptions = {}): Promise<readonly string[]> {
  const folder = dirname(path);
  try {
    await makeFolder(folder);
    const user = process.getuid?.();
    const real = await realpath(folder);
    const isTrusted = trusted !== undefined && real === (await realpath(trusted).catch(() => undefined));
    const link = await lstat(folder);
    const verdicts = [
      // Who owns a link decides where it leads.
      ...(link.isSymbolicLink() ? [judgeOwnership({ uid: link.uid, mode: 0 }, user, isTrusted)] : []),
      judgeOwnership(await stat(real), user, isTrusted),
    ];
    const refusal = verdicts.find((verdict) => verdict.refusal !== undefined)?.refusal;
    if (refusal !== undefined)
      throw handoffError(`the auth file's folder ${shownPath(folder)} ${refusal}.`, "auth_folder_unsafe");
    return verdicts.flatMap(({ warning }) =>
      warning === undefined ? [] : [`The auth file's folder ${shownPath(folder)} ${warning}.`],
    );
  } catch (error) {
    throw fileError(error, path, "be written");
  }
}

async function makeFolder(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (made === undefined) return;
  // Another process may have been faster.
  await writeFile(join(folder, ".gitignore"), "*\n", { flag: "wx", mode: 0o600 }).catch((error: unknown) => {
    if (errorCode(error) !== "EEXIST") throw error;
  });
}
