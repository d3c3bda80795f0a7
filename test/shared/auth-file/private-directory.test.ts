import assert from "node:assert/strict";
import { chmod, chown, lchown, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  checkDirectory,
  checkPrivateDirectory,
  ensurePrivateDirectory,
} from "../../../shared/auth-file/private-directory.ts";
import { createTempDir } from "../../support/temp-dir.ts";
import { setVariables } from "../../support/variables.ts";

const USER = 1000;
const OTHER = 1001;
const skip = process.platform === "win32" && "needs POSIX permissions";
const asRoot = skip || (process.getuid?.() !== 0 && "needs root");

for (const [name, [uid, gid, mode], user, expected] of [
  ["owned by the current user", [USER, USER, 0o755], USER, "accepts"],
  ["owned by root", [0, 0, 0o755], USER, "accepts"],
  ["owned by root with the sticky bit", [0, 0, 0o1777], USER, "accepts"],
  ["owned by the current user that is group-writable", [USER, USER, 0o775], USER, "warns about"],
  ["owned by root that is writable by the root group", [0, 0, 0o775], USER, "warns about"],
  ["owned by root that is writable by another group", [0, 50, 0o775], USER, "rejects"],
  ["owned by the current user that is world-writable", [USER, USER, 0o777], USER, "rejects"],
  ["owned by root that is world-writable", [0, 0, 0o777], 0, "rejects"],
  ["owned by another user", [OTHER, OTHER, 0o755], USER, "rejects"],
  ["owned by another user with the sticky bit", [OTHER, OTHER, 0o1777], USER, "rejects"],
  ["owned by another user when running as root", [OTHER, OTHER, 0o755], 0, "warns about"],
  ["owned by another user that is world-writable when running as root", [OTHER, OTHER, 0o777], 0, "rejects"],
  ["owned by any user on Windows", [0, 0, 0o777], undefined, "accepts"],
] as const)
  test(`${expected} a directory ${name}`, () => {
    const { error, warning } = checkDirectory({ uid, gid, mode }, user);
    const actual = error !== undefined ? "rejects" : warning !== undefined ? "warns about" : "accepts";
    assert.equal(actual, expected);
  });

test("trusts the owner of the root directory, whose ID is not 0 in a user namespace", () => {
  assert.deepEqual(checkDirectory({ uid: 65_534, gid: 65_534, mode: 0o755 }, USER, 65_534), {});
});

test("creates missing directories with mode 0700, and makes Git ignore the last one", async (t) => {
  const root = await createTempDir(t);
  const path = join(root, "a", "b", "auth.json");
  assert.deepEqual(await ensurePrivateDirectory(path), []);
  assert.equal(await readFile(join(root, "a", "b", ".gitignore"), "utf8"), "*\n");
  assert.deepEqual(await readdir(join(root, "a")), ["b"]);
  if (!skip) for (const name of ["a", "a/b"]) assert.equal((await stat(join(root, name))).mode & 0o777, 0o700);
});

test("creates accessible directories even if the umask clears all permission bits", { skip }, async (t) => {
  const root = await createTempDir(t);
  const umask = process.umask(0o777);
  try {
    await ensurePrivateDirectory(join(root, "a", "b", "auth.json"));
  } finally {
    process.umask(umask);
  }
  for (const name of ["a", "a/b"]) assert.equal((await stat(join(root, name))).mode & 0o777, 0o700);
});

test("creates nothing in an existing directory", async (t) => {
  const root = await createTempDir(t);
  await ensurePrivateDirectory(join(root, "auth.json"));
  assert.deepEqual(await readdir(root), []);
});

test("creates a directory only once for twenty concurrent callers", async (t) => {
  const path = join(await createTempDir(t), "a", "b", "auth.json");
  await Promise.all(Array.from({ length: 20 }, () => ensurePrivateDirectory(path)));
});

test(
  "rejects a directory in /proc without hanging",
  { skip: process.platform !== "linux", timeout: 5000 },
  async () => {
    await assert.rejects(ensurePrivateDirectory("/proc/nope/auth.json"), {
      kind: "file",
      code: "auth_file_invalid_path",
    });
  },
);

test("rejects a path in which a parent is a file", async (t) => {
  const root = await createTempDir(t);
  await writeFile(join(root, "file"), "");
  await assert.rejects(ensurePrivateDirectory(join(root, "file", "auth.json")), { code: "auth_file_invalid_path" });
});

test("rejects a world-writable directory at any level, and creates nothing in it", { skip }, async (t) => {
  const root = await createTempDir(t);
  await mkdir(join(root, "open"));
  await chmod(join(root, "open"), 0o777);
  const error = { code: "auth_file_dir_insecure", message: /open can be written to by every user/ };
  for (const path of ["open/auth.json", "open/a/b/auth.json"]) {
    await assert.rejects(ensurePrivateDirectory(join(root, path)), error);
    assert.deepEqual(await readdir(join(root, "open")), []);
  }
  await mkdir(join(root, "open", "private"), 0o700);
  await assert.rejects(checkPrivateDirectory(join(root, "open", "private", "auth.json")), error);
});

test("warns once about group-writable directories", { skip }, async (t) => {
  const root = await createTempDir(t);
  await mkdir(join(root, "a", "b"), { recursive: true });
  for (const name of ["a", "a/b"]) await chmod(join(root, name), 0o775);
  const warnings = await ensurePrivateDirectory(join(root, "a", "b", "auth.json"));
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /a\/b can be written to by its group/);
});

test("checks the target of a symbolic link and the directory of every link in a chain", { skip }, async (t) => {
  const root = await createTempDir(t);
  for (const name of ["private", "open", "open/inner"]) await mkdir(join(root, name), 0o700);
  await symlink(join(root, "open", "inner"), join(root, "private", "link"));
  await symlink(join(root, "private"), join(root, "open", "link"));
  await symlink("../open/link", join(root, "private", "chain"));
  await symlink("chain/../private", join(root, "private", "self"));
  assert.deepEqual(await checkPrivateDirectory(join(root, "private", "self", "auth.json")), []);
  await chmod(join(root, "open"), 0o777);
  for (const path of ["private/link/auth.json", "open/link/auth.json", "private/chain/auth.json"])
    await assert.rejects(ensurePrivateDirectory(join(root, path)), { code: "auth_file_dir_insecure" }, path);
});

test("warns root about a symbolic link owned by another user", { skip: asRoot }, async (t) => {
  const root = await createTempDir(t);
  await mkdir(join(root, "a"));
  await symlink(join(root, "a"), join(root, "link"));
  await lchown(join(root, "link"), OTHER, OTHER);
  const warnings = await ensurePrivateDirectory(join(root, "link", "auth.json"));
  assert.match(warnings.join(), /link belongs to another user/);
});

test("accepts the trusted directory and its parents with any owner and mode", { skip: asRoot }, async (t) => {
  const root = await createTempDir(t);
  const temp = join(root, "_work", "_temp");
  await mkdir(temp, { recursive: true });
  for (const name of [join(root, "_work"), temp]) {
    await chmod(name, 0o777);
    await chown(name, OTHER, OTHER);
  }
  await symlink(temp, join(root, "link"));
  await lchown(join(root, "link"), OTHER, OTHER);
  for (const trusted of [temp, join(root, "link")])
    assert.deepEqual(await ensurePrivateDirectory(join(trusted, "auth.json"), {}, trusted), []);
  setVariables(t, { RUNNER_TEMP: temp });
  await ensurePrivateDirectory(join(root, "_work", "repository", "auth.json"));
  assert.deepEqual(await checkPrivateDirectory(join(root, "_work", "repository", "auth.json")), []);
  setVariables(t, { RUNNER_TEMP: undefined });
  for (const missing of ["", join(root, "missing")])
    assert.deepEqual(await ensurePrivateDirectory(join(root, "auth.json"), {}, missing), []);
  await assert.rejects(ensurePrivateDirectory(join(temp, "auth.json")), { code: "auth_file_dir_insecure" });
});
