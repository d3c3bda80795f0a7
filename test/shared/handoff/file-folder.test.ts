import assert from "node:assert/strict";
import { chmod, lchown, chown, mkdir, readFile, realpath, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { judgeFolder, judgeOwnership, type FolderVerdict } from "../../../shared/handoff/file-folder.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import { folderFor } from "../../support/bundled.ts";

const skip = process.platform === "win32" && "modes and owners mean nothing there";
const notRoot = process.getuid?.() !== 0 && "only root can give folders away";

const verdictOf = ({ refusal, warning }: FolderVerdict): string =>
  refusal ? "refused" : warning ? "warned of" : "fine";

/** Who we are, whose the folder is, its mode, whether the platform gave it. */
const folders: readonly (readonly [
  what: string,
  user: number | undefined,
  uid: number,
  mode: number,
  trusted: boolean,
  verdict: string,
])[] = [
  ["an own folder", 1000, 1000, 0o40700, false, "fine"],
  ["an own folder that all can read", 1000, 1000, 0o40755, false, "fine"],
  ["root's folder", 1000, 0, 0o40755, false, "fine"],
  ["root's folder that all can write, with the sticky bit", 1000, 0, 0o41777, false, "fine"],
  ["an own folder that all can write", 1000, 1000, 0o40777, false, "refused"],
  ["root's folder that all can write", 1000, 0, 0o40777, false, "refused"],
  ["an own folder that the group can write", 1000, 1000, 0o40775, false, "warned of"],
  ["a folder of another user", 1000, 1001, 0o40755, false, "refused"],
  ["a folder of another user with the sticky bit", 1000, 1001, 0o41777, false, "refused"],
  ["another user's folder, for root", 0, 1001, 0o40755, false, "warned of"],
  ["another user's folder that all can write, for root", 0, 1001, 0o40777, false, "refused"],
  ["another user's folder that the platform gave", 0, 1001, 0o40755, true, "fine"],
  ["a folder that the platform gave and all can write", 0, 1001, 0o40777, true, "refused"],
  ["any folder where there are no owners", undefined, 0, 0o40777, false, "fine"],
];
for (const [what, user, uid, mode, trusted, verdict] of folders) {
  test(`${what} is ${verdict}`, () => {
    assert.equal(verdictOf(judgeOwnership({ uid, mode }, user, trusted)), verdict);
  });
}

const refusalOf = async (path: string): Promise<AuthError> => {
  const outcome = await judgeFolder(path).then(String, (error: unknown) => error);
  assert.ok(AuthError.isAuthError(outcome), String(outcome));
  assert.equal(outcome.kind, "config");
  return outcome;
};

test("a missing folder is made for this user alone, and git passes it over", { skip }, async (t) => {
  const folder = join(await folderFor(t, tmpdir()), "a", "b");
  assert.deepEqual(await judgeFolder(join(folder, "file")), []);
  for (const made of [folder, join(folder, "..")]) assert.equal((await stat(made)).mode & 0o777, 0o700);
  assert.equal(await readFile(join(folder, ".gitignore"), "utf8"), "*\n");
});

test("twenty who make a missing folder at once all find it made", async (t) => {
  const folder = join(await folderFor(t, tmpdir()), "a", "b");
  await Promise.all(Array.from({ length: 20 }, () => judgeFolder(join(folder, "file"))));
  assert.equal(await readFile(join(folder, ".gitignore"), "utf8"), "*\n");
});

test("a folder that is there gets no .gitignore", async (t) => {
  const folder = await folderFor(t, tmpdir());
  await judgeFolder(join(folder, "file"));
  await assert.rejects(stat(join(folder, ".gitignore")));
});

test("a folder that every user can write is refused by name", { skip }, async (t) => {
  const folder = await folderFor(t, tmpdir());
  await chmod(folder, 0o777);
  const error = await refusalOf(join(folder, "file"));
  assert.equal(error.code, "auth_folder_unsafe");
  assert.ok(error.message.includes(folder));
});

test("a sticky folder serves, and one that its group can write does with a warning", { skip }, async (t) => {
  const folder = await folderFor(t, tmpdir());
  await chmod(folder, 0o1777);
  assert.deepEqual(await judgeFolder(join(folder, "file")), []);
  await chmod(folder, 0o770);
  const [warning = "", ...more] = await judgeFolder(join(folder, "file"));
  assert.match(warning, /its group/);
  assert.deepEqual(more, []);
});

test("a linked folder is judged by the folder it leads to", { skip }, async (t) => {
  const folder = await folderFor(t, tmpdir());
  await mkdir(join(folder, "real"));
  await symlink(join(folder, "real"), join(folder, "link"));
  assert.deepEqual(await judgeFolder(join(folder, "link", "file")), []);
  await chmod(join(folder, "real"), 0o777);
  assert.equal((await refusalOf(join(folder, "link", "file"))).code, "auth_folder_unsafe");
});

test("a link that another user can turn elsewhere is told of", { skip: skip || notRoot }, async (t) => {
  const folder = await folderFor(t, tmpdir());
  await mkdir(join(folder, "real"));
  await symlink(join(folder, "real"), join(folder, "link"));
  await lchown(join(folder, "link"), 65_534, 65_534);
  assert.match((await judgeFolder(join(folder, "link", "file")))[0] ?? "", /another user/);
});

test("another user's folder is told of to root, unless the platform gave it", { skip: skip || notRoot }, async (t) => {
  const folder = await realpath(await folderFor(t, tmpdir()));
  await chown(folder, 65_534, 65_534);
  assert.match((await judgeFolder(join(folder, "file")))[0] ?? "", /another user \(uid 65534\)/);
  assert.deepEqual(await judgeFolder(join(folder, "file"), { trusted: folder }), []);
});

test("a path through a file is refused", async (t) => {
  const folder = await folderFor(t, tmpdir());
  await writeFile(join(folder, "file"), "");
  for (const path of [join(folder, "file", "a"), join(folder, "file", "a", "b")])
    assert.equal((await refusalOf(path)).code, "auth_file_path");
});
