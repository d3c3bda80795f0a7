import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import { sleep, type Clock } from "../../../shared/clock.ts";
import { withFileLock, type LockOptions } from "../../../shared/handoff/file-lock.ts";
import { folderFor } from "../../support/bundled.ts";
import { makeFastClock } from "../../support/fast-clock.ts";

const never = new AbortController().signal;
const HOUR = 3_600_000;

async function place(t: TestContext) {
  const folder = await folderFor(t, tmpdir());
  return { folder, path: join(folder, "file"), lock: join(folder, ".file.lock") };
}

const options = (clock: Clock, more: Partial<LockOptions> = {}): LockOptions => ({
  clock,
  random: Math.random,
  signal: never,
  ...more,
});
const notDone = { done: () => Promise.resolve(undefined) };

test("of many who come at once one works at a time, and each has its turn", async (t) => {
  const { folder, path } = await place(t);
  const clock = makeFastClock(10);
  let working = 0;
  let most = 0;
  const work = async (): Promise<number> => {
    most = Math.max(most, ++working);
    await sleep(clock, 100, never);
    return --working;
  };
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, () => withFileLock(path, options(clock), work, notDone)),
  );
  assert.deepEqual([outcomes.length, most], [20, 1]);
  assert.deepEqual(await readdir(folder), []);
});

test("who waits takes what the holder has made, without a turn of its own", async (t) => {
  const { path } = await place(t);
  const clock = makeFastClock(10);
  let made: string | undefined;
  let works = 0;
  const work = async (): Promise<string> => {
    if (made !== undefined) return made;
    works++;
    await sleep(clock, 2000, never);
    return (made = "made");
  };
  const done = () => Promise.resolve(made);
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, () => withFileLock(path, options(clock), work, { done })),
  );
  assert.deepEqual([works, new Set(outcomes)], [1, new Set(["made"])]);
});

/** Locks whose holder is dead, and what the file's time says: it is another's clock and proves nothing. */
const deadLocks: readonly (readonly [what: string, lay: (lock: string) => Promise<unknown>])[] = [
  ["left just now", (lock) => writeFile(lock, "")],
  ["of long ago", (lock) => writeFile(lock, "").then(() => utimes(lock, 1000, 1000))],
  ["of the future", (lock) => writeFile(lock, "").then(() => utimes(lock, 4e9, 4e9))],
  ["that is a link to nowhere", (lock) => symlink("/nowhere", lock)],
  ["that is a folder", (lock) => mkdir(lock)],
];
for (const [what, lay] of deadLocks) {
  for (const [whose, offset] of [
    ["right", 0],
    ["hours ahead", 5 * HOUR],
    ["hours behind", -5 * HOUR],
  ] as const) {
    test(`a lock ${what} is broken after 10 s by a waiter whose clock is ${whose}`, async (t) => {
      const { folder, path, lock } = await place(t);
      await lay(lock);
      const clock = makeFastClock(50, offset);
      const began = clock.monotonic();
      await withFileLock(path, options(clock), () => Promise.resolve(), notDone);
      const took = clock.monotonic() - began;
      assert.ok(took >= 10_000 && took < 60_000, `${took} ms`);
      assert.deepEqual(await readdir(folder), []);
    });
  }
}

test("a holder that gives signs of life is waited for, however long it works and whatever its clock shows", async (t) => {
  const { path, lock } = await place(t);
  const clock = makeFastClock(20, -9 * HOUR);
  const order: string[] = [];
  const holder = withFileLock(
    path,
    options(clock),
    async () => {
      await sleep(clock, 35_000, never);
      order.push("holder");
    },
    notDone,
  );
  while (!existsSync(lock)) await sleep(clock, 20, never);
  await withFileLock(
    path,
    options(makeFastClock(20)),
    () => {
      order.push("waiter");
      return Promise.resolve();
    },
    notDone,
  );
  await holder;
  assert.deepEqual(order, ["holder", "waiter"]);
});

test("many who wait for a dead holder all have their turn, and nothing is left", async (t) => {
  const { folder, path, lock } = await place(t);
  await writeFile(lock, "");
  const clock = makeFastClock(50);
  let made: string | undefined;
  let works = 0;
  const work = async (): Promise<string> => {
    if (made !== undefined) return made;
    works++;
    await sleep(clock, 500, never);
    return (made = "made");
  };
  const done = () => Promise.resolve(made);
  await Promise.all(Array.from({ length: 30 }, () => withFileLock(path, options(clock), work, { done })));
  assert.ok(works <= 2, `${works} worked`);
  assert.deepEqual(await readdir(folder), []);
});

test("after its deadline a waiter works without the lock, and leaves it to its holder", async (t) => {
  const { path, lock } = await place(t);
  const clock = makeFastClock(20);
  const end = new AbortController();
  const holder = withFileLock(path, options(clock), () => sleep(clock, HOUR, end.signal), notDone);
  while (!existsSync(lock)) await sleep(clock, 20, never);
  const began = clock.monotonic();
  await withFileLock(path, options(clock, { deadline: began + 3000 }), () => Promise.resolve(), notDone);
  const took = clock.monotonic() - began;
  assert.ok(took >= 3000 && took < 30_000, `${took} ms`);
  assert.ok(existsSync(lock));
  end.abort();
  await holder;
  assert.ok(!existsSync(lock));
});

test("where no lock can be made the work is done all the same", async (t) => {
  const { folder } = await place(t);
  const path = join(folder, "missing", "file");
  assert.equal(await withFileLock(path, options(makeFastClock(1)), () => Promise.resolve("done"), notDone), "done");
});

test("work that fails gives the lock back", async (t) => {
  const { folder, path } = await place(t);
  const work = () => Promise.reject(new Error("it failed"));
  await assert.rejects(withFileLock(path, options(makeFastClock(1)), work, notDone), /it failed/);
  assert.deepEqual(await readdir(folder), []);
});

test("who waits can leave", async (t) => {
  const { path, lock } = await place(t);
  await writeFile(lock, "");
  const leave = new AbortController();
  const clock = makeFastClock(1);
  const waiting = withFileLock(path, options(clock, { signal: leave.signal }), () => Promise.resolve(), notDone);
  leave.abort();
  await assert.rejects(waiting, { code: "aborted" });
  assert.ok(existsSync(lock));
});

test("a holder that lost its lock leaves the lock of who took it", async (t) => {
  const { folder, path, lock } = await place(t);
  const work = async (): Promise<void> => {
    await rename(lock, join(folder, "broken"));
    await writeFile(lock, "another's");
  };
  await withFileLock(path, options(makeFastClock(1)), work, notDone);
  assert.ok(existsSync(lock));
});
