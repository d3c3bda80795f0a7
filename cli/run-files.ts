import { createHash, randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { removeAuthFile } from "../shared/auth-file/ensure-auth-file.ts";
import { ensurePrivateDirectory } from "../shared/auth-file/private-directory.ts";
import type { Environment } from "../shared/environment.ts";
import { isRunning, readProcessId } from "../shared/process-id.ts";
import { getCacheDirectory } from "./token-cache.ts";

/**
 * `run-<machine>-<process ID>-<start time>-<random>.json`, the auth file of one `scm-auth run`. The machine is in the
 * name because machines and containers may share a home directory. The start time is empty except on Linux.
 */
const RUN_FILE = /^run-([0-9a-f]{8})-(\d+)-(\d+)?-[0-9a-f]{8}\.json$/;

const getMachine = (): string => createHash("sha256").update(hostname()).digest("hex").slice(0, 8);

/** The user's cache directory, and a directory for users that do not have one, as in many containers. */
const getDirectories = (env: Environment): readonly string[] => {
  const cache = getCacheDirectory(env);
  return [...(cache === undefined ? [] : [cache]), join(tmpdir(), `scm-auth-${process.getuid?.() ?? "user"}`)];
};

/**
 * Returns the path for the auth file of this process, in a directory that only this user can read.
 *
 * @throws AuthError of kind `file`
 */
export async function createRunPath(env: Environment): Promise<string> {
  const { pid, startedAt = "" } = readProcessId(process.pid);
  const name = `run-${getMachine()}-${pid}-${startedAt}-${randomBytes(4).toString("hex")}.json`;
  const [first = "", ...others] = getDirectories(env).map((directory) => join(directory, name));
  for (const path of [first, ...others]) {
    const isUsable = await ensurePrivateDirectory(path).then(
      () => true,
      () => false,
    );
    if (isUsable) return path;
  }
  // Fails with the reason.
  await ensurePrivateDirectory(first);
  return first;
}

/** Removes the files of runs that could not do so themselves, for example because of SIGKILL. Never throws. */
export async function removeAbandonedFiles(env: Environment): Promise<void> {
  for (const directory of getDirectories(env))
    for (const name of await readdir(directory).catch((): readonly string[] => [])) {
      const [, machine, pid, startedAt] = RUN_FILE.exec(name) ?? [];
      if (machine !== getMachine() || isRunning({ pid: Number(pid), startedAt })) continue;
      await removeAuthFile(join(directory, name)).catch(() => false);
    }
}
