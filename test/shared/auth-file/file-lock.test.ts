import assert from "node:assert/strict";
import fs, { mkdir, readdir, rmdir, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { sleep, systemClock } from "../../../shared/clock.ts";
import { withFileLock } from "../../../shared/auth-file/file-lock.ts";
import { getLockPath } from "../../../shared/auth-file/safe-files.ts";
import { createFastClock } from "../../support/fast-clock.ts";
import { createTempDir } from "../../support/temp-dir.ts";

const getOptions = (clock = systemClock) => ({ clock, random: Math.random, deadline: Infinity });

test("runs the work of concurrent callers one at a time", async (t) => {
  const path = join(await createTempDir(t), "a.json");
  let running = 0;
  const work = async (): Promise<number> => {
    assert.equal(++running, 1);
    await sleep(systemClock, 5);
    return --running;
  };
  await Promise.all(Array.from({ length: 10 }, () => withFileLock(path, getOptions(), work)));
});

test("releases the lock when the work fails", async (t) => {
  const directory = await createTempDir(t);
  const fail = () => Promise.reject(new Error("failed"));
  await assert.rejects(withFileLock(join(directory, "a.json"), getOptions(), fail), { message: "failed" });
  assert.deepEqual(await readdir(directory), []);
});

test("removes a lock that has not changed for 10 s according to the clock of the waiting process", async (t) => {
  const directory = await createTempDir(t);
  const path = join(directory, "a.json");
  await mkdir(getLockPath(path));
  const clock = createFastClock(50);
  const start = clock.monotonic();
  const waited = await withFileLock(path, getOptions(clock), () => Promise.resolve(clock.monotonic() - start));
  assert.ok(waited >= 10_000, `${waited} ms`);
  assert.deepEqual(await readdir(directory), []);
});

test("does not release a lock that another process has taken over", async (t) => {
  const directory = await createTempDir(t);
  const path = join(directory, "a.json");
  await withFileLock(path, getOptions(), async () => {
    await rmdir(getLockPath(path));
    // A directory that is created after the old one was removed could get the same inode.
    await mkdir(join(directory, "other"));
    await mkdir(getLockPath(path));
  });
  assert.deepEqual(await readdir(directory), [".a.json.lock", "other"]);
});

test("runs the work without the lock after the deadline, and does not remove the owner's lock", async (t) => {
  const directory = await createTempDir(t);
  const path = join(directory, "a.json");
  await mkdir(getLockPath(path));
  const deadline = systemClock.monotonic() + 200;
  assert.equal(await withFileLock(path, { ...getOptions(), deadline }, () => Promise.resolve("done")), "done");
  assert.deepEqual(await readdir(directory), [".a.json.lock"]);
});

test("runs the work without a lock if no lock can be created", async (t) => {
  const directory = await createTempDir(t);
  await writeFile(join(directory, "file"), "");
  for (const path of [join(directory, "missing", "a.json"), join(directory, "file", "a.json")])
    assert.equal(await withFileLock(path, getOptions(), () => Promise.resolve("done")), "done");
});

test("runs the work without the lock if the file system does not respond", async (t) => {
  const path = join(await createTempDir(t), "a.json");
  const { mock } = t.mock.method(fs, "mkdir", () => new Promise(() => undefined));
  syncBuiltinESMExports();
  t.after(() => {
    mock.restore();
    syncBuiltinESMExports();
  });
  const options = { ...getOptions(), deadline: systemClock.monotonic() + 200 };
  assert.equal(await withFileLock(path, options, () => Promise.resolve("done")), "done");
});

test("stops waiting when the signal is aborted", async (t) => {
  const path = join(await createTempDir(t), "a.json");
  await mkdir(getLockPath(path));
  const signal = AbortSignal.timeout(50);
  const work = () => Promise.reject(new Error("must not run"));
  await assert.rejects(withFileLock(path, { ...getOptions(), signal }, work), { kind: "aborted" });
});
