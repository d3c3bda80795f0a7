import { readFileSync } from "node:fs";
import type { Clock, Milliseconds } from "../../shared/clock.ts";
import { getErrorCode } from "../../shared/errors.ts";

/** Identifies a process by its ID and start time, because process IDs are reused. */
export interface ProcessId {
  readonly pid: number;
  /** In clock ticks since boot (proc(5), `starttime`); undefined except on Linux. */
  readonly startedAt: string | undefined;
}

const HOUR: Milliseconds = 3_600_000;
/** The maximum duration of a job on a self-hosted runner. */
const MAX_JOB: Milliseconds = 5 * 24 * HOUR;
/** The maximum duration of a job on a GitHub-hosted runner, used if the end of the job cannot be detected. */
const MAX_UNMONITORED_JOB: Milliseconds = 6 * HOUR;
/** Zombie or dead (proc(5), `state`). */
const DEAD_STATE = /^[ZXx]/;

/**
 * Identifies a running process. Returns undefined for process IDs 0 and 1. In a container, the parent process ID is 0
 * if the parent is outside the container. Process 1 is the first process, and its exit terminates all others. Also
 * returns undefined if {@link isRunning} cannot observe the process.
 */
export function identifyProcess(pid: number): ProcessId | undefined {
  if (pid <= 1) return undefined;
  const process = { pid, startedAt: readProcStat(pid)?.startedAt };
  return isRunning(process) ? process : undefined;
}

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

/**
 * Returns a function that reports whether the job has ended: `parent` has exited, or the maximum duration has passed.
 *
 * @param parent - the process that started the steps of the job; undefined if it cannot be determined
 */
export function createJobMonitor(parent: ProcessId | undefined, clock: Pick<Clock, "monotonic">): () => boolean {
  const end = clock.monotonic() + (parent === undefined ? MAX_UNMONITORED_JOB : MAX_JOB);
  return () => clock.monotonic() >= end || (parent !== undefined && !isRunning(parent));
}
