import { readFileSync } from "node:fs";
import type { Clock, Milliseconds } from "../../shared/clock.ts";

/** A process, identified also by its start time because process IDs are reused. */
export interface ProcessId {
  readonly pid: number;
  /** In clock ticks since boot (proc(5), `starttime`); undefined except on Linux. */
  readonly startedAt: string | undefined;
}

const HOUR: Milliseconds = 3_600_000;
/** The longest job of a self-hosted runner. */
const MAX_JOB: Milliseconds = 5 * 24 * HOUR;
/** The longest job of a hosted runner, where the end of the job cannot be recognized. */
const MAX_UNMONITORED_JOB: Milliseconds = 6 * HOUR;
/** Zombie or dead (proc(5), `state`). */
const DEAD_STATE = /^[ZXx]/;

/**
 * Identifies a running process. Undefined for 0 and 1: in a container, the parent is 0 if it is outside, and 1 is the
 * first process, whose end ends all others.
 */
export const identifyProcess = (pid: number): ProcessId | undefined =>
  pid > 1 ? { pid, startedAt: readProcStat(pid)?.startedAt } : undefined;

/** Whether the process is still running. */
export function isRunning({ pid, startedAt }: ProcessId): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    // ESRCH, or EPERM: the ID belongs to another user by now.
    return false;
  }
  if (startedAt === undefined) return true;
  const stat = readProcStat(pid);
  // Unreadable although it exists, for example without file descriptors: the next call decides.
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
 * Returns a function that reports whether the job has ended: `parent` has exited, or the longest possible time has passed.
 *
 * @param parent - the process that started the steps of the job; undefined if it cannot be recognized
 */
export function createJobMonitor(parent: ProcessId | undefined, clock: Pick<Clock, "monotonic">): () => boolean {
  const end = clock.monotonic() + (parent === undefined ? MAX_UNMONITORED_JOB : MAX_JOB);
  return () => clock.monotonic() >= end || (parent !== undefined && !isRunning(parent));
}
