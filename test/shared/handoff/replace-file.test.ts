import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import { patiently, removeFile, replaceFile, sweepTemporaries } from "../../../shared/handoff/replace-file.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import { bundle, folderFor } from "../../support/bundled.ts";
import { makeFakeClock } from "../../support/fake-clock.ts";
import { run } from "../../support/searched-process.ts";
import { startWriter } from "./writers.ts";

const isWindows = process.platform === "win32";

async function place(t: TestContext) {
  const folder = await folderFor(t, tmpdir());
  return { folder, path: join(folder, "file.json") };
}

test("a file is replaced whole, for this user alone whatever the umask, and nothing lies beside it", async (t) => {
  const { folder, path } = await place(t);
  const umask = process.umask(0);
  t.after(() => process.umask(umask));
  await writeFile(path, "old", { mode: 0o666 });
  assert.ok(await replaceFile(path, "new"));
  assert.equal(await readFile(path, "utf8"), "new");
  if (!isWindows) assert.equal((await stat(path)).mode & 0o777, 0o600);
  process.umask(0o777);
  assert.ok(await replaceFile(path, "newer"));
  process.umask(umask);
  if (!isWindows) assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(folder), ["file.json"]);
});

test("no byte of the text is in a file that others can read", { skip: isWindows && "no modes" }, async (t) => {
  const { folder, path } = await place(t);
  const umask = process.umask(0);
  t.after(() => process.umask(umask));
  const seen: number[] = [];
  await replaceFile(path, "text", {
    stillWanted: async () => {
      for (const name of await readdir(folder)) seen.push((await stat(join(folder, name))).mode & 0o777);
      return true;
    },
  });
  assert.deepEqual(seen, [0o600]);
});

test("a symbolic link is replaced and not followed", async (t) => {
  const { folder, path } = await place(t);
  await writeFile(join(folder, "other"), "other");
  await symlink(join(folder, "other"), path);
  await replaceFile(path, "new");
  assert.deepEqual([await readFile(join(folder, "other"), "utf8"), await readFile(path, "utf8")], ["other", "new"]);
});

test("a file that is not wanted any more is left as it is", async (t) => {
  const { folder, path } = await place(t);
  assert.equal(await replaceFile(path, "new", { stillWanted: () => Promise.resolve(false) }), false);
  assert.deepEqual(await readdir(folder), []);
});

test("a temporary that was swept is written anew, when the file is still wanted", async (t) => {
  const { folder, path } = await place(t);
  let asked = 0;
  const sweepOnce = async (): Promise<boolean> => {
    if (asked++ === 0) await sweepTemporaries(path);
    return true;
  };
  assert.ok(await replaceFile(path, "new", { stillWanted: sweepOnce }));
  assert.deepEqual(await readdir(folder), ["file.json"]);
  const sweepAlways = async (): Promise<boolean> => {
    await sweepTemporaries(path);
    return true;
  };
  await assert.rejects(replaceFile(path, "newer", { stillWanted: sweepAlways }), { code: "auth_file_path" });
});

/** What may be at the place of the file, and what is said of it. */
const obstacles: readonly (readonly [
  what: string,
  lay: (path: string, folder: string) => Promise<unknown>,
  code: string,
])[] = [
  ["a folder in its place", (path) => mkdir(path), "auth_file_path"],
  ["no folder to lie in", (_path, folder) => rm(folder, { recursive: true }), "auth_file_path"],
];
for (const [what, lay, code] of obstacles) {
  test(`with ${what} the file can't be written, and nothing is left behind`, async (t) => {
    const { folder, path } = await place(t);
    await lay(path, folder);
    await assert.rejects(
      replaceFile(path, "new"),
      (error) => AuthError.isAuthError(error) && error.kind === "config" && error.code === code,
    );
    assert.deepEqual(
      (await readdir(folder).catch(() => [])).filter((name) => name !== "file.json"),
      [],
    );
  });
}

test("a name that is too long is refused in words", async (t) => {
  const { folder } = await place(t);
  await assert.rejects(replaceFile(join(folder, "x".repeat(300)), "new"), /too long/);
});

/** Puts a disk of 64 KiB at a folder; false where this user may not. */
const mountSmallDisk = (folder: string): Promise<boolean> =>
  run("mount", ["-t", "tmpfs", "-o", "size=64k", "none", folder]).then(
    () => true,
    () => false,
  );

test("on a full disk the file before stays, the error says so, and nothing is left behind", async (t) => {
  const { folder, path } = await place(t);
  if (!(await mountSmallDisk(folder))) {
    t.skip("this user may not mount a small disk");
    return;
  }
  try {
    await replaceFile(path, "old");
    await writeFile(join(folder, "filler"), "x".repeat(56 * 1024));
    await assert.rejects(
      replaceFile(path, "x".repeat(16 * 1024)),
      (error) =>
        AuthError.isAuthError(error) && error.code === "auth_file_no_space" && error.message.includes("disk is full"),
    );
    assert.deepEqual((await readdir(folder)).sort(), ["file.json", "filler"]);
    assert.equal(await readFile(path, "utf8"), "old");
  } finally {
    await run("umount", [folder]);
  }
});

test("removing takes the file, its temporaries and its lock, and nothing else", async (t) => {
  const { folder, path } = await place(t);
  const gone = ["file.json", ".file.json.0123456789ab.tmp", ".file.json.lock"];
  const stays = [".file.json.0123456789AB.tmp", ".file.json.tmp", ".other.json.0123456789ab.tmp", "x.file.json"];
  for (const name of [...gone, ...stays]) await writeFile(join(folder, name), "");
  assert.equal(await removeFile(path), true);
  assert.deepEqual((await readdir(folder)).sort(), [...stays].sort());
  assert.equal(await removeFile(path), false);
});

test("a file that is not ours stays", async (t) => {
  const { path } = await place(t);
  await writeFile(path, "theirs");
  assert.equal(await removeFile(path, { isOurs: (text) => text === "ours" }), false);
  assert.equal(await readFile(path, "utf8"), "theirs");
  assert.equal(await removeFile(path, { isOurs: (text) => text === "theirs" }), true);
});

test("a link in the file's place stays when only ours may go", async (t) => {
  const { folder, path } = await place(t);
  await writeFile(join(folder, "other"), "ours");
  await symlink(join(folder, "other"), path);
  assert.equal(await removeFile(path, { isOurs: () => true }), false);
  assert.equal(await readFile(path, "utf8"), "ours");
});

test("young temporaries stay while their writer may live", async (t) => {
  const { folder, path } = await place(t);
  const [young, old] = [".file.json.0123456789ab.tmp", ".file.json.ba9876543210.tmp"];
  for (const name of [young, old]) await writeFile(join(folder, name), "");
  await utimes(join(folder, old), 1000, 1000);
  await sweepTemporaries(path, 60_000);
  assert.deepEqual(await readdir(folder), [young]);
});

for (const [when, sweepsBefore] of [
  ["looked for the file before it went", false],
  ["was stopped for the whole time of the removal", true],
] as const) {
  test(`a removed file does not come back by a renewal that ${when}`, async (t) => {
    const { folder, path } = await place(t);
    const program = await bundle("test/shared/handoff/writer.ts", folder);
    await writeFile(path, "old");
    const writer = startWriter(program, { path, request: {}, renewal: "new" });
    t.after(() => writer.child.kill("SIGKILL"));
    await writer.says(1);
    if (sweepsBefore) {
      writer.child.kill("SIGSTOP");
      writer.go();
      await removeFile(path);
      writer.child.kill("SIGCONT");
    } else {
      await removeFile(path);
      writer.go();
    }
    // Its temporary was swept: it asks whether the file is still wanted, and it is not.
    await writer.says(2);
    writer.go();
    await writer.ended;
    assert.equal(writer.said.at(-1), false);
    assert.deepEqual(await readdir(folder), ["program.mjs"]);
  });
}

test("on Windows a busy file is waited for, two seconds at most; elsewhere an error is meant as it is said", async () => {
  const busy = Object.assign(new Error("busy"), { code: "EBUSY" });
  const failing = (times: number) => {
    let tries = 0;
    return () => (tries++ < times ? Promise.reject(busy) : Promise.resolve(tries));
  };
  const clock = makeFakeClock();
  assert.equal(await clock.runUntil(patiently(failing(10), clock, "win32")), 11);
  const began = clock.now();
  await assert.rejects(clock.runUntil(patiently(failing(Infinity), clock, "win32")), busy);
  assert.ok(Math.abs(clock.now() - began - 2000) < 100);
  await assert.rejects(patiently(failing(1), clock, "linux"), busy);
});
