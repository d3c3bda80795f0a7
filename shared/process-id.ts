import { readFileSync } from "node:fs";
import { getErrorCode } from "./errors.ts";

/** Identifies a process by its ID and start time, because process IDs are reused. */
export interface ProcessId {
  readonly pid: number;
  /** In clock ticks since boot (proc(5), `starttime`); undefined except on Linux. */
  readonly startedAt: string | undefined;
}

/** Zombie or dead (proc(5), `state`). */
const DEAD_STATE = /^[ZXx]/;

/** Identifies the process that has this ID now. */
export const readProcessId = (pid: number): ProcessId => ({ pid, startedAt: readProcStat(pid)?.startedAt });

/** Whether the process is still running. */
export function isRunning({ pid, startedAt }: ProcessId): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM means that the process belongs to another user. Without a start time, it could be a different process.
    if (getErrorCode(error) !== "EPERM" || startedAt === undefined) return false;
  }
  if (startedAt === undefined) return true;
  const stat = readProcStat(pid);
  // The process exists, but its status cannot be read, for example because no file descriptors are available. The next
  // call tries again.
  return stat === undefined || (stat.startedAt === startedAt && !DEAD_STATE.test(stat.state));
}

/** Reads `/proc/<pid>/stat`. Its second field, the name, may contain spaces and parentheses. */
function readProcStat(pid: number): { readonly state: string; readonly startedAt: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state = "", ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state, startedAt: rest[18] ?? "" };
  } catch {
    return undefined;
  }
}
