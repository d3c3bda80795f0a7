import type { Clock, Milliseconds } from "../../shared/clock.ts";
import { isRunning, readProcessId, type ProcessId } from "../../shared/process-id.ts";

const HOUR: Milliseconds = 3_600_000;
/** The maximum duration of a job on a self-hosted runner. */
const MAX_JOB: Milliseconds = 5 * 24 * HOUR;
/** The maximum duration of a job on a GitHub-hosted runner, used if the end of the job cannot be detected. */
const MAX_UNMONITORED_JOB: Milliseconds = 6 * HOUR;

/**
 * Identifies a running process. Returns undefined for process IDs 0 and 1. In a container, the parent process ID is 0
 * if the parent is outside the container. Process 1 is the first process, and its exit terminates all others. Also
 * returns undefined if {@link isRunning} cannot observe the process.
 */
export function identifyProcess(pid: number): ProcessId | undefined {
  if (pid <= 1) return undefined;
  const process = readProcessId(pid);
  return isRunning(process) ? process : undefined;
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
