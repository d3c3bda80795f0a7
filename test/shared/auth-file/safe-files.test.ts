import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  getIcaclsPath,
  getLockPath,
  getSiblingPath,
  readPrivateFile,
  removeManagedFile,
  removeTempFiles,
  retryWhileBusy,
  runFileOperation,
  writeFileAtomic,
} from "../../../shared/auth-file/safe-files.ts";
import { createTempDir } from "../../support/temp-dir.ts";

const notOnWindows = process.platform === "win32" && "needs POSIX permissions";
const asRoot = process.getuid?.() !== 0 && "needs root";
const TEMP_NAME = "0123456789ab.tmp";
const always = () => Promise.resolve(true);

test("reads a file and its mode", { skip: notOnWindows }, async (t) => {
  const path = join(await createTempDir(t), "a.json");
  await writeFile(path, "x".repeat(65_536), { mode: 0o640 });
  const file = await readPrivateFile(path);
  assert.deepEqual([file?.text.length, file?.mode], [65_536, 0o640]);
});

test("returns undefined for a missing file", async (t) => {
  assert.equal(await readPrivateFile(join(await createTempDir(t), "a.json")), undefined);
});

interface UnusableCase {
  readonly name: string;
  readonly code: string;
  readonly create: (path: string) => Promise<unknown>;
  readonly skip?: string | false;
}

const UNUSABLE: readonly UnusableCase[] = [
  { name: "a directory", code: "auth_file_invalid_path", create: (path) => mkdir(path) },
  {
    name: "a symbolic link",
    code: "auth_file_insecure",
    create: async (path) => {
      await writeFile(`${path}.target`, "");
      await symlink(`${path}.target`, path);
    },
  },
  { name: "a dangling symbolic link", code: "auth_file_insecure", create: (path) => symlink(`${path}.target`, path) },
  { name: "a FIFO", code: "auth_file_insecure", create: (path) => Promise.resolve(execFileSync("mkfifo", [path])) },
  {
    name: "a file with a second hard link",
    code: "auth_file_insecure",
    create: async (path) => {
      await writeFile(path, "");
      await link(path, `${path}.link`);
    },
  },
  {
    name: "a file owned by another user",
    code: "auth_file_insecure",
    skip: asRoot,
    create: async (path) => {
      await writeFile(path, "");
      await chown(path, 12_345, 12_345);
    },
  },
  {
    name: "a file larger than 64 KiB",
    code: "auth_file_not_managed",
    create: (path) => writeFile(path, "x".repeat(65_537)),
  },
];

for (const { name, code, create, skip = false } of UNUSABLE)
  test(`does not read ${name}`, { skip: notOnWindows || skip, timeout: 5000 }, async (t) => {
    const path = join(await createTempDir(t), "a.json");
    await create(path);
    await assert.rejects(readPrivateFile(path), (error: Error & { code: string; kind: string }) => {
      assert.deepEqual([error.code, error.kind], [code, "file"]);
      return error.message.includes(path);
    });
  });

test("removes control characters from a path in an error message", async () => {
  await assert.rejects(readPrivateFile("/proc/self/stat/\u001b[31m\n::error::x"), ({ message }: Error) => {
    assert.doesNotMatch(message, /[\u001b\n]|::error/);
    return true;
  });
});

test("reads complete contents while the file is repeatedly replaced", async (t) => {
  const path = join(await createTempDir(t), "a.json");
  const state = { done: false };
  await writeFile(path, "0");
  const writer = (async () => {
    for (let n = 0; !state.done; n++) {
      await writeFile(`${path}.new`, String(n));
      await rename(`${path}.new`, path);
    }
  })();
  for (let n = 0; n < 200; n++) assert.match((await readPrivateFile(path))?.text ?? "", /^\d+$/);
  state.done = true;
  await writer;
});

test("writes a file with mode 0600 regardless of the umask, and leaves no other files", async (t) => {
  const directory = await createTempDir(t);
  const path = join(directory, "a.json");
  const umask = process.umask(0o777);
  t.after(() => process.umask(umask));
  assert.equal(await writeFileAtomic(path, "one", always), true);
  assert.equal(await writeFileAtomic(path, "two", always), true);
  process.umask(umask);
  assert.equal(await readFile(path, "utf8"), "two");
  if (process.platform !== "win32") assert.equal((await lstat(path)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(directory), ["a.json"]);
});

test("replaces a symbolic link without following it", { skip: notOnWindows }, async (t) => {
  const directory = await createTempDir(t);
  const path = join(directory, "a.json");
  await writeFile(join(directory, "target"), "kept");
  await symlink("target", path);
  await writeFileAtomic(path, "new", always);
  assert.equal(await readFile(join(directory, "target"), "utf8"), "kept");
  assert.equal((await lstat(path)).isFile(), true);
});

test("changes nothing when the file must not be replaced", async (t) => {
  const directory = await createTempDir(t);
  const path = join(directory, "a.json");
  await writeFile(path, "old");
  assert.equal(await writeFileAtomic(path, "new", () => Promise.resolve(false)), false);
  assert.equal(await readFile(path, "utf8"), "old");
  assert.deepEqual(await readdir(directory), ["a.json"]);
});

test("decides again whether to replace the file if its temporary file was removed", async (t) => {
  const directory = await createTempDir(t);
  const path = join(directory, "a.json");
  let calls = 0;
  const shouldReplace = async (): Promise<boolean> => {
    calls++;
    if (calls === 1) await removeTempFiles(path);
    return calls < 2;
  };
  assert.equal(await writeFileAtomic(path, "new", shouldReplace), false);
  assert.equal(calls, 2);
  assert.deepEqual(await readdir(directory), []);
});

test(
  "reports in the error code why a file cannot be written, and leaves no files behind",
  { skip: notOnWindows },
  async (t) => {
    const directory = await createTempDir(t);
    await writeFile(join(directory, "file"), "");
    await mkdir(join(directory, "directory"));
    const cases: readonly (readonly [string, string])[] = [
      ["missing/a.json", "auth_file_invalid_path"],
      ["file/a.json", "auth_file_invalid_path"],
      ["directory", "auth_file_invalid_path"],
      ["a".repeat(300), "auth_file_invalid_path"],
      ["/proc/nope/a.json", "auth_file_invalid_path"],
    ];
    for (const [name, code] of cases) {
      const path = name.startsWith("/") ? name : join(directory, name);
      await assert.rejects(writeFileAtomic(path, "x", always), { kind: "file", code }, name);
    }
    assert.deepEqual(await readdir(directory), ["directory", "file"]);
  },
);

test("reports a directory that the current user may not write to", { skip: notOnWindows || asRoot }, async (t) => {
  const directory = await createTempDir(t);
  await chmod(directory, 0o555);
  process.seteuid?.(12_345);
  try {
    const error = { kind: "file", code: "auth_file_permission_denied" };
    await assert.rejects(writeFileAtomic(join(directory, "a.json"), "x", always), error);
  } finally {
    process.seteuid?.(0);
  }
});

test(
  "keeps the old file if the disk is full, and reports the full disk",
  { skip: notOnWindows || asRoot },
  async (t) => {
    const directory = await createTempDir(t);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=16k", "tmpfs", directory], { stdio: "ignore" });
    } catch {
      t.skip("cannot mount a file system here");
      return;
    }
    try {
      const path = join(directory, "a.json");
      await writeFileAtomic(path, "old", always);
      await writeFile(join(directory, "fill"), "x".repeat(8192));
      await assert.rejects(writeFileAtomic(path, "x".repeat(30_000), always), {
        kind: "file",
        code: "auth_file_disk_full",
      });
      assert.equal(await readFile(path, "utf8"), "old");
      assert.deepEqual(await readdir(directory), ["a.json", "fill"]);
    } finally {
      execFileSync("umount", [directory]);
    }
  },
);

test("removes only a file, its temporary files, and its lock", async (t) => {
  const directory = await createTempDir(t);
  const path = join(directory, "a.json");
  await writeFile(path, "own");
  await writeFile(getSiblingPath(path, TEMP_NAME), "");
  await mkdir(getLockPath(path));
  await writeFile(join(directory, `.b.json.${TEMP_NAME}`), "");
  assert.equal(await removeManagedFile(path, (text) => text === "own"), true);
  assert.deepEqual(await readdir(directory), [`.b.json.${TEMP_NAME}`]);
  assert.equal(await removeManagedFile(path, () => true), false);
});

test("reads and removes a file of another user only on request", { skip: notOnWindows || asRoot }, async (t) => {
  const path = join(await createTempDir(t), "a.json");
  await writeFile(path, "own", { mode: 0o600 });
  await chown(path, 12_345, 12_345);
  const isOwn = (text: string): boolean => text === "own";
  assert.equal(await removeManagedFile(path, isOwn), false);
  assert.equal((await readPrivateFile(path, { anyOwner: true }))?.text, "own");
  assert.equal(await removeManagedFile(path, isOwn, { anyOwner: true }), true);
});

test("reports a file that a sticky directory protects", { skip: notOnWindows || asRoot }, async (t) => {
  const directory = await createTempDir(t);
  const path = join(directory, "a.json");
  await writeFile(path, "own");
  await chmod(directory, 0o1777);
  process.seteuid?.(12_345);
  try {
    const error = { code: "auth_file_permission_denied" };
    await assert.rejects(
      removeManagedFile(path, () => true, { anyOwner: true }),
      error,
    );
  } finally {
    process.seteuid?.(0);
  }
});

test("removes a file with another hard link only on request, and keeps the other link", async (t) => {
  const directory = await createTempDir(t);
  const path = join(directory, "a.json");
  await writeFile(path, "own");
  await link(path, join(directory, "backup"));
  const isOwn = (text: string): boolean => text === "own";
  assert.equal(await removeManagedFile(path, isOwn), false);
  assert.equal(await removeManagedFile(path, isOwn, { anyOwner: true }), true);
  assert.deepEqual(await readdir(directory), ["backup"]);
});

test("does not remove a file or a directory with entries at the path of the lock", async (t) => {
  const directory = await createTempDir(t);
  for (const name of ["a", "b"]) await writeFile(join(directory, name), "own");
  await writeFile(join(directory, ".a.lock"), "");
  await mkdir(join(directory, ".b.lock", "entry"), { recursive: true });
  for (const name of ["a", "b"]) assert.equal(await removeManagedFile(join(directory, name), () => true), true);
  assert.deepEqual(await readdir(directory), [".a.lock", ".b.lock"]);
});

test("does not report an error in a program as an error of the file system", async (t) => {
  const path = join(await createTempDir(t), "a.json");
  const error = new TypeError("a bug");
  await assert.rejects(
    runFileOperation(path, "read", {}, () => Promise.reject(error)),
    error,
  );
});

test("removes neither an unmanaged file nor a symbolic link", { skip: notOnWindows }, async (t) => {
  const directory = await createTempDir(t);
  await writeFile(join(directory, "other"), "other");
  await symlink("other", join(directory, "link"));
  for (const name of ["other", "link"])
    assert.equal(await removeManagedFile(join(directory, name), (text) => text === "own"), false);
  assert.deepEqual(await readdir(directory), ["link", "other"]);
});

test("keeps temporary files whose writers may still be running", async (t) => {
  const directory = await createTempDir(t);
  const path = join(directory, "a.json");
  await writeFile(getSiblingPath(path, TEMP_NAME), "");
  await writeFile(getSiblingPath(path, "ffffffffffff.tmp"), "");
  const old = new Date(Date.now() - 120_000);
  await utimes(getSiblingPath(path, "ffffffffffff.tmp"), old, old);
  await removeTempFiles(path, 60_000);
  assert.deepEqual(await readdir(directory), [`.a.json.${TEMP_NAME}`]);
});

test("does not recreate a removed file when a pending write renames its temporary file", async (t) => {
  const directory = await createTempDir(t);
  const path = join(directory, "a.json");
  await writeFile(path, "own");
  const exists = async (): Promise<boolean> => (await readPrivateFile(path)) !== undefined;
  let calls = 0;
  const shouldReplace = async (): Promise<boolean> => {
    const isThere = await exists();
    // The write is suspended here while the file is removed.
    if (calls++ === 0) await removeManagedFile(path, () => true);
    return isThere;
  };
  assert.equal(await writeFileAtomic(path, "new", shouldReplace), false);
  assert.deepEqual(await readdir(directory), []);
});

test("runs icacls from an absolute path even if SystemRoot is not set or is relative", () => {
  assert.equal(getIcaclsPath("D:\\WINNT"), "D:\\WINNT\\System32\\icacls.exe");
  for (const systemRoot of [undefined, "", ".", "Windows", "\\Windows", "D:", "D:Windows", "\\\\host\\share"])
    assert.equal(getIcaclsPath(systemRoot), "C:\\Windows\\System32\\icacls.exe", systemRoot);
});

test("retries a busy file on Windows only", async (t) => {
  const { platform } = process;
  const setPlatform = (value: string) => Object.defineProperty(process, "platform", { value });
  t.after(() => setPlatform(platform));
  const busy = Object.assign(new Error("busy"), { code: "EBUSY" });
  let calls = 0;
  const operation = (): Promise<void> => (++calls < 3 ? Promise.reject(busy) : Promise.resolve());
  setPlatform("win32");
  await retryWhileBusy(operation);
  assert.equal(calls, 3);
  calls = 0;
  setPlatform("linux");
  await assert.rejects(retryWhileBusy(operation), busy);
  assert.equal(calls, 1);
});

test("reports an unresponsive file system, and respects the deadline and the signal", async (t) => {
  const path = join(await createTempDir(t), "a.json");
  const hang = () => new Promise<boolean>(() => undefined);
  const { systemClock: clock } = await import("../../../shared/clock.ts");
  const limits = { deadline: clock.monotonic() + 50 };
  await assert.rejects(writeFileAtomic(path, "x", hang, limits), {
    code: "auth_file_io_error",
    message: /does not respond/,
  });
  const signal = AbortSignal.timeout(50);
  await assert.rejects(writeFileAtomic(path, "x", hang, { signal }), { kind: "aborted" });
  await rm(path, { force: true });
});
