import { randomUUID } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { link, lstat, open, rename, rmdir, unlink, type FileHandle } from "node:fs/promises";
import { sleep, type Clock, type Milliseconds, type Random } from "../clock.ts";
import { abortedError, errorCode } from "../report/errors.ts";
import { besideFile, LOCK, temporaryName } from "./replace-file.ts";

/** What a lock needs of the world. */
export interface LockOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  /** When waiting is over and the work is done without the lock, on the monotonic clock. Default: never. */
  readonly deadline?: Milliseconds | undefined;
}

/** Who holds the lock gives a sign of life so often. */
const HEARTBEAT: Milliseconds = 2000;
/** A holder without a sign of life for so long, by the waiter's own clock, is dead. */
const STALE: Milliseconds = 10_000;
/** Waiters look again after a time between these. */
const SHORTEST_WAIT: Milliseconds = 40;
const LONGEST_WAIT: Milliseconds = 160;

/**
 * Does `work` while no other process does the same for the file `path`. The lock saves work and is no promise: where
 * none can be made (a read-only folder, a full disk), or the waiting takes too long, `work` is done without.
 *
 * @param work - looks first whether it is still to be done: the holder before may have done it
 * @param done - asked between looks at a lock that another holds: what it gives makes the work needless
 * @throws AuthError when aborted while it waits, and what `work` and `done` throw
 */
export async function withFileLock<T>(
  path: string,
  options: LockOptions,
  work: () => Promise<T>,
  { done }: { readonly done: () => Promise<T | undefined> },
): Promise<T> {
  const lock = besideFile(path, LOCK);
  const { clock, random, signal, deadline = Infinity } = options;
  const watch = new Watch(clock);
  for (;;) {
    const taken = await take(lock);
    if (taken === "impossible") return work();
    if (taken !== "held") return holding(taken, lock, path, clock, work);
    const made = await done();
    if (made !== undefined) return made;
    if (clock.monotonic() >= deadline) return work();
    const stale = watch.look(await identify(lock));
    if (stale !== undefined && !(await moveAway(lock, path, stale))) return work();
    // A broken lock is fought for at once, by all who waited for it.
    const wait = SHORTEST_WAIT + random() * (LONGEST_WAIT - SHORTEST_WAIT);
    await sleep(clock, Math.max(0, Math.min(wait, deadline - clock.monotonic())), signal);
    if (signal.aborted) throw abortedError();
  }
}

/** One lock file among all that ever stood under its name. Its time changes with each sign of life. */
interface Identity {
  readonly file: string;
  readonly beat: string;
}

const identityOf = ({ dev, ino, mtimeNs }: BigIntStats): Identity => ({ file: `${dev}:${ino}`, beat: String(mtimeNs) });

const identify = (file: string): Promise<Identity | undefined> =>
  lstat(file, { bigint: true }).then(identityOf, () => undefined);

/** Takes the lock; tells whether another holds it, or none can be made here. */
async function take(lock: string): Promise<FileHandle | "held" | "impossible"> {
  try {
    return await open(lock, "wx", 0o600);
  } catch (error) {
    return errorCode(error) === "EEXIST" ? "held" : "impossible";
  }
}

/** How long a lock stands without a sign of life. No wall clock is asked: it may be wrong, and the file's is another's. */
class Watch {
  readonly #clock: Clock;
  #seen: Identity | undefined;
  #since: Milliseconds = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The lock, if it is stale. */
  look(found: Identity | undefined): Identity | undefined {
    const isSame = found?.file === this.#seen?.file && found?.beat === this.#seen?.beat;
    if (!isSame) {
      this.#seen = found;
      this.#since = this.#clock.monotonic();
    }
    return this.#clock.monotonic() - this.#since >= STALE ? found : undefined;
  }
}

async function holding<T>(
  handle: FileHandle,
  lock: string,
  path: string,
  clock: Clock,
  work: () => Promise<T>,
): Promise<T> {
  let callOff = (): void => undefined;
  const beat = (): void => {
    const now = clock.wall() / 1000;
    handle.utimes(now, now).catch(() => undefined);
    callOff = clock.after(HEARTBEAT, beat);
  };
  try {
    // For the person who finds it.
    await handle.writeFile(`${process.pid} ${randomUUID()}\n`).catch(() => undefined);
    callOff = clock.after(HEARTBEAT, beat);
    return await work();
  } finally {
    callOff();
    const own = await handle.stat({ bigint: true }).then(identityOf, () => undefined);
    // Whatever its last sign of life was: one may still be under way.
    if (own !== undefined) await moveAway(lock, path, { file: own.file });
    await handle.close().catch(() => undefined);
  }
}

/**
 * Removes exactly the lock `wanted`. One that a third process has taken in between is put back: under a name of its own
 * it can be looked at without haste.
 *
 * @returns whether the way is free, or somebody else's
 */
async function moveAway(
  lock: string,
  path: string,
  wanted: Pick<Identity, "file"> & Partial<Identity>,
): Promise<boolean> {
  const now = await identify(lock);
  if (now?.file !== wanted.file || (wanted.beat ?? now.beat) !== now.beat) return true;
  const aside = temporaryName(path);
  try {
    await rename(lock, aside);
  } catch (error) {
    return errorCode(error) === "ENOENT";
  }
  const moved = await identify(aside);
  if (moved?.file !== wanted.file) await link(aside, lock).catch(() => undefined);
  await unlink(aside).catch(() => rmdir(aside).catch(() => undefined));
  return true;
}
