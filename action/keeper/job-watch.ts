import { readFileSync } from "node:fs";

/** A process that is known by its id and, where the system tells, by when it began: ids are used again. */
export interface WatchedProcess {
  readonly pid: number;
  /** As Linux counts it (proc(5), `starttime`); undefined elsewhere. */
  readonly startedAt: string | undefined;
}

/**
 * The process to watch; undefined for one that can't be recognised: in a container the parent is 0 or lies outside,
 * and 1 is the container's own first process, with whose end all ends.
 */
export const watchable = (pid: number): WatchedProcess | undefined =>
  pid > 1 ? { pid, startedAt: statOf(pid)?.startedAt } : undefined;

/** Whether it still runs. A dead one that nobody has buried does not, and somebody else's under its id is not it. */
export function isRunning({ pid, startedAt }: WatchedProcess): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    // ESRCH, or EPERM: the id belongs to another user by now.
    return false;
  }
  if (startedAt === undefined) return true;
  const now = statOf(pid);
  // It answers, and nothing can be read of it: this process may have no file left to open. The next look tells.
  return now === undefined || (now.startedAt === startedAt && !DEAD.test(now.state));
}

/** Zombie or dead (proc(5), `state`). */
const DEAD = /^[ZXx]/;

/** From `/proc/<pid>/stat`, where the second field is a name that may hold spaces and parentheses. */
function statOf(pid: number): { readonly state: string; readonly startedAt: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state = "", ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state, startedAt: rest[18] ?? "" };
  } catch {
    return undefined;
  }
}
