import { readdir, readFile } from "node:fs/promises";

/** A process as the system shows it to every program of the same user. */
export interface SeenProcess {
  readonly pid: number;
  readonly environment: string;
  readonly commandLine: string;
}

/** Whether this machine shows processes as Linux does. */
export const canSeeProcesses = process.platform === "linux";

/**
 * The processes that a job has left behind, found as the runner's clean-up finds them: by the tracking id in their
 * environment.
 */
export const processesOf = (trackingId: string): Promise<readonly SeenProcess[]> =>
  processesWith(({ environment }) => environment.split("\0").includes(`RUNNER_TRACKING_ID=${trackingId}`));

/** Every process of this machine that is so. */
export async function processesWith(isSo: (seen: SeenProcess) => boolean): Promise<readonly SeenProcess[]> {
  const found: SeenProcess[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const read = (part: string): Promise<string> => readFile(`/proc/${name}/${part}`, "latin1").catch(() => "");
    const seen = { pid: Number(name), environment: await read("environ"), commandLine: await read("cmdline") };
    if (isSo(seen)) found.push(seen);
  }
  return found;
}
