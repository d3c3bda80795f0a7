import { lstat, mkdir, rmdir } from "node:fs/promises";
import { sleep, type Clock, type Milliseconds, type RandomSource } from "../clock.ts";
import { abortedError, getErrorCode } from "../errors.ts";
import type { RequestLimits } from "../http/request-context.ts";
import { getLockPath } from "./safe-files.ts";

/** Limits the time that a caller waits for a lock. After `deadline`, it continues without the lock. */
export interface LockOptions extends RequestLimits {
  readonly clock: Clock;
  readonly random: RandomSource;
}

/** A lock is removed if it has not changed for this long, as measured by the waiting process. */
const STALE_AFTER: Milliseconds = 10_000;
const MAX_DELAY: Milliseconds = 160;

/**
 * Runs `work` while no other process does so for the same file. The lock saves requests but does not guarantee
 * exclusive access: `work` runs without the lock if it cannot be created, for example because the disk is full, or
 * after a long wait.
 *
 * @param work - must first check whether another process has already done the work
 * @throws AuthError if aborted while waiting; any error that `work` throws
 */
export async function withFileLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  const lock = getLockPath(path);
  const acquired = await acquire(lock, options);
  try {
    return await work();
  } finally {
    // Another process may have taken over the lock in the meantime.
    if (acquired !== undefined && (await identify(lock)) === acquired) await rmdir(lock).catch(() => undefined);
  }
}

/** Returns the identity of the acquired lock, or undefined to continue without a lock. */
async function acquire(lock: string, { clock, random, deadline, signal }: LockOptions): Promise<string | undefined> {
  let seen: string | undefined;
  let seenAt = clock.monotonic();
  for (;;) {
    try {
      await mkdir(lock, 0o700);
      return await identify(lock);
    } catch (error) {
      if (getErrorCode(error) !== "EEXIST") return undefined;
    }
    const current = await identify(lock);
    const now = clock.monotonic();
    if (now >= deadline) return undefined;
    if (current !== seen) {
      seen = current;
      seenAt = now;
    } else if (now - seenAt >= STALE_AFTER) {
      const errno = await rmdir(lock).then(() => "ENOENT", getErrorCode);
      // The lock is not an empty directory, or it cannot be removed for another reason.
      if (errno !== "ENOENT") return undefined;
    }
    await sleep(clock, Math.min((0.25 + random() * 0.75) * MAX_DELAY, deadline - now), signal);
    if (signal?.aborted) throw abortedError(signal.reason);
  }
}

const identify = (lock: string): Promise<string | undefined> =>
  lstat(lock, { bigint: true }).then(
    ({ ino, birthtimeNs }) => `${ino}:${birthtimeNs}`,
    () => undefined,
  );
