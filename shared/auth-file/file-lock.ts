import { lstat, mkdir, rmdir } from "node:fs/promises";
import { sleep, type Clock, type Milliseconds, type RandomSource } from "../clock.ts";
import { abortedError, getErrorCode } from "../errors.ts";
import type { RequestLimits } from "../http/request-context.ts";
import { getLockPath, runFileOperation, type FileLimits } from "./safe-files.ts";

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
    if (acquired !== undefined) await limit(lock, {}, () => release(lock, acquired), undefined);
  }
}

/** Returns the identity of the acquired lock, or undefined to continue without a lock. */
async function acquire(lock: string, options: LockOptions): Promise<string | undefined> {
  const { clock, random, deadline, signal } = options;
  let seen: string | undefined;
  let seenAt = clock.monotonic();
  for (;;) {
    const { state, id } = await limit(lock, options, () => create(lock), UNAVAILABLE);
    if (state === "created") return id;
    const now = clock.monotonic();
    if (state === "unavailable" || now >= deadline) return undefined;
    if (id !== seen) {
      seen = id;
      seenAt = now;
    } else if (now - seenAt >= STALE_AFTER) {
      const errno = await limit(lock, options, () => rmdir(lock).then(() => "ENOENT", getErrorCode), undefined);
      // The lock is not an empty directory, or it cannot be removed for another reason.
      if (errno !== "ENOENT") return undefined;
    }
    await sleep(clock, Math.min((0.25 + random() * 0.75) * MAX_DELAY, deadline - now), signal);
    if (signal?.aborted) throw abortedError(signal.reason);
  }
}

/** The result of an attempt to create a lock, and the identity of the lock that exists afterward. */
interface Attempt {
  readonly state: "created" | "exists" | "unavailable";
  readonly id: string | undefined;
}

const UNAVAILABLE: Attempt = { state: "unavailable", id: undefined };

async function create(lock: string): Promise<Attempt> {
  try {
    await mkdir(lock, 0o700);
    return { state: "created", id: await identify(lock) };
  } catch (error) {
    return getErrorCode(error) === "EEXIST" ? { state: "exists", id: await identify(lock) } : UNAVAILABLE;
  }
}

/** Another process may have taken over the lock in the meantime. */
async function release(lock: string, acquired: string): Promise<void> {
  if ((await identify(lock)) === acquired) await rmdir(lock).catch(() => undefined);
}

/** Returns `fallback` if the file system does not respond. @throws AuthError if the signal is aborted */
const limit = <T>(lock: string, limits: FileLimits, operation: () => Promise<T>, fallback: T): Promise<T> =>
  runFileOperation(lock, "locked", limits, operation).catch((error: unknown) => {
    if (limits.signal?.aborted) throw error;
    return fallback;
  });

const identify = (lock: string): Promise<string | undefined> =>
  lstat(lock, { bigint: true }).then(
    ({ ino, birthtimeNs }) => `${ino}:${birthtimeNs}`,
    () => undefined,
  );
