import assert from "node:assert/strict";
import { chmod, chown, link, mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { readOwnFile } from "../../../shared/handoff/own-file.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import { folderFor } from "../../support/bundled.ts";
import { run } from "../../support/searched-process.ts";

const isWindows = process.platform === "win32";
const isRoot = process.getuid?.() === 0;

test("an own file is read with its mode", { skip: isWindows && "no modes" }, async (t) => {
  const path = join(await folderFor(t, tmpdir()), "file");
  await writeFile(path, "text");
  await chmod(path, 0o640);
  const found = await readOwnFile(path);
  assert.deepEqual([found?.text, found?.mode, found?.size], ["text", 0o640, 4]);
});

test("a file that is not there is undefined", async (t) => {
  assert.equal(await readOwnFile(join(await folderFor(t, tmpdir()), "file")), undefined);
});

/** What may lie at a path, how it gets there, and what is said of it. */
const things: readonly (readonly [
  what: string,
  lay: (path: string) => Promise<unknown>,
  said: RegExp,
  code: string,
  skip?: string | false,
])[] = [
  ["a folder", (path) => mkdir(path), /is a folder/, "auth_file_path"],
  [
    "a symbolic link",
    (path) => writeFile(`${path}.real`, "").then(() => symlink(`${path}.real`, path)),
    /can't be read: it is a symbolic link/,
    "auth_file_unsafe",
  ],
  ["a symbolic link to nowhere", (path) => symlink("/nowhere", path), /symbolic link/, "auth_file_unsafe"],
  [
    "a file with a second name",
    (path) => writeFile(`${path}.real`, "").then(() => link(`${path}.real`, path)),
    /has a second name/,
    "auth_file_unsafe",
  ],
  [
    "a named pipe",
    (path) => run("mkfifo", [path]),
    /is no regular file/,
    "auth_file_unsafe",
    isWindows && "no named pipes",
  ],
  ["a file of 64 KiB and a byte", (path) => writeFile(path, "x".repeat(65_537)), /is longer/, "auth_file_foreign"],
  [
    "a file of another user",
    (path) => writeFile(path, "").then(() => chown(path, 65_534, 65_534)),
    /belongs to another user \(uid 65534\)/,
    "auth_file_unsafe",
    !isRoot && "only root can give files away",
  ],
];
for (const [what, lay, said, code, skip = false] of things) {
  test(`${what} is refused, with the path and what to do`, { skip, timeout: 5000 }, async (t) => {
    const path = join(await folderFor(t, tmpdir()), "file");
    await lay(path);
    await assert.rejects(readOwnFile(path), (error) => {
      assert.ok(AuthError.isAuthError(error), String(error));
      assert.deepEqual([error.kind, error.code], ["config", code]);
      assert.match(error.message, said);
      assert.ok(error.message.includes(path));
      return true;
    });
  });
}

test("a file of 64 KiB is read whole", async (t) => {
  const path = join(await folderFor(t, tmpdir()), "file");
  await writeFile(path, "x".repeat(65_536));
  assert.equal((await readOwnFile(path))?.text.length, 65_536);
});

test("a file that is replaced all the time is read whole or as replaced, never as a link", async (t) => {
  const folder = await folderFor(t, tmpdir());
  const path = join(folder, "file");
  await writeFile(path, "0".repeat(5000));
  const state = { isOver: false };
  const replacing = (async () => {
    for (let n = 1; !state.isOver; n++) {
      await writeFile(join(folder, "next"), String(n % 10).repeat(5000));
      await rename(join(folder, "next"), path);
    }
  })();
  try {
    for (let look = 0; look < 500; look++) assert.match((await readOwnFile(path))?.text ?? "", /^(\d)\1{4999}$/);
  } finally {
    state.isOver = true;
    await replacing;
  }
});

test("what a path holds does not reach the log as it is", async () => {
  await assert.rejects(
    readOwnFile("/\n::error::x/\u001b[2J/file\0"),
    (error) => AuthError.isAuthError(error) && !/[\n\u001b\0]|::/.test(error.message),
  );
});
