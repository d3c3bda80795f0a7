import { createHash, randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { removeAuthFile } from "../shared/auth-file/ensure-auth-file.ts";
import { getErrorCode } from "../shared/errors.ts";

/**
 * `run-<machine>-<process ID>-<random>.json`, the auth file of one `scm-auth run`. The machine is in the name because
 * machines and containers may share a home directory.
 */
const RUN_FILE = /^run-([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.json$/;

const getMachine = (): string => createHash("sha256").update(hostname()).digest("hex").slice(0, 8);

export const createRunFileName = (): string =>
  `run-${getMachine()}-${process.pid}-${randomBytes(4).toString("hex")}.json`;

/** Removes the files of runs that could not do so themselves, for example because of SIGKILL. Never throws. */
export async function removeAbandonedFiles(directory: string): Promise<void> {
  const names = await readdir(directory).catch((): readonly string[] => []);
  for (const name of names) {
    const [, machine, pid] = RUN_FILE.exec(name) ?? [];
    if (machine !== getMachine() || isRunning(Number(pid))) continue;
    await removeAuthFile(join(directory, name)).catch(() => false);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return getErrorCode(error) !== "ESRCH";
  }
}
