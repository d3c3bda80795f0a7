import assert from "node:assert/strict";
import { chmod, chown, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { getFingerprint, ManagedAuthFile } from "../../../shared/auth-file/managed-file.ts";
import { serializeAuthFile, toTokenServerUrl, type AuthFileContent } from "../../../shared/auth-file/format.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { createTempDir } from "../../support/temp-dir.ts";

const CONTENT: AuthFileContent = {
  ...{ clientId: "ci", clientSecret: "s".repeat(43), scope: "tsg_id:1", authUrl: toTokenServerUrl(80) },
  ...{ jwt: "a.b.c", jwtExpiresAt: 0, jwtLifetime: 900_000 },
};
const TEXT = serializeAuthFile(CONTENT);
const asRoot = process.getuid?.() !== 0 && "needs root";

async function setUp(t: TestContext) {
  const directory = await createTempDir(t);
  const path = join(directory, "auth.json");
  const clock = createFakeClock();
  const file = new ManagedAuthFile(path, getFingerprint(CONTENT), clock);
  await file.create(CONTENT);
  assert.equal(await file.isGone(), false);
  return { directory, path, clock, file };
}

test("the fingerprint depends on the client ID, the scope, and the secret, and contains none of them", () => {
  const fingerprints = [
    CONTENT,
    { ...CONTENT, clientId: "x" },
    { ...CONTENT, scope: "x" },
    { ...CONTENT, clientSecret: "x" },
  ];
  assert.equal(new Set(fingerprints.map(getFingerprint)).size, 4);
  assert.match(getFingerprint(CONTENT), /^[0-9a-f]{64}$/);
});

test("is considered gone after it has been missing for one second", async (t) => {
  const { path, clock, file } = await setUp(t);
  await rm(path);
  await clock.advance(900);
  assert.equal(await file.isGone(), false);
  await writeFile(path, TEXT, { mode: 0o600 });
  assert.equal(await file.isGone(), false);
  await rm(path);
  await clock.advance(900);
  assert.equal(await file.isGone(), false);
  await clock.advance(100);
  assert.equal(await file.isGone(), true);
});

for (const [name, replace, duration] of [
  [
    "another step's file",
    (path: string) => writeFile(path, serializeAuthFile({ ...CONTENT, clientSecret: "x".repeat(43) }), { mode: 0o600 }),
    0,
  ],
  ["other text", (path: string) => writeFile(path, "notes"), 0],
  ["a directory", (path: string) => mkdir(path), 3_600_000],
  ["a symbolic link", (path: string) => symlink("target", path), 3_600_000],
] as const)
  test(`is considered gone ${duration / 1000} s after it was replaced by ${name}, which is left unchanged`, async (t) => {
    const { directory, path, clock, file } = await setUp(t);
    await rm(path);
    await replace(path);
    const before = await readdir(directory);
    await clock.advance(duration);
    assert.equal(await file.isGone(), true);
    await assert.rejects(file.update(TEXT), { kind: "file" });
    await file.remove();
    assert.deepEqual(await readdir(directory), before);
  });

test("is not considered gone after a new token was written to it", async (t) => {
  const { path, file } = await setUp(t);
  const text = serializeAuthFile({ ...CONTENT, jwt: "d.e.f" });
  await file.update(text);
  assert.equal(await file.isGone(), false);
  assert.equal(await readFile(path, "utf8"), text);
});

test(
  "is neither considered gone nor taken back from another user after its owner was changed, but is removed",
  { skip: asRoot },
  async (t) => {
    const { directory, path, clock, file } = await setUp(t);
    await chown(path, 12_345, 12_345);
    await clock.advance(10 * 3_600_000);
    assert.equal(await file.isGone(), false);
    await assert.rejects(file.update(TEXT), { message: /belongs to another user \(uid 12345\)/ });
    await file.remove();
    assert.deepEqual(await readdir(directory), []);
  },
);

test("is not recreated after it has been removed", async (t) => {
  const { directory, path, file } = await setUp(t);
  await rm(path);
  await assert.rejects(file.update(TEXT), { kind: "file", code: "auth_file_io_error" });
  assert.deepEqual(await readdir(directory), []);
});

test("does not overwrite a file that scm-auth did not write", async (t) => {
  const { path, file } = await setUp(t);
  await writeFile(path, "notes");
  await chmod(path, 0o600);
  await assert.rejects(file.create(CONTENT), { kind: "file", code: "auth_file_not_managed" });
  assert.equal(await readFile(path, "utf8"), "notes");
});

test("does not overwrite a file with a valid token for another identity", async (t) => {
  const { path, clock, file } = await setUp(t);
  const text = serializeAuthFile({ ...CONTENT, scope: "tsg_id:2", jwtExpiresAt: clock.now() + 1000 });
  await writeFile(path, text, { mode: 0o600 });
  await assert.rejects(file.create(CONTENT), { kind: "file", code: "auth_file_in_use" });
  assert.equal(await readFile(path, "utf8"), text);
  await clock.advance(1000);
  await file.create(CONTENT);
  assert.equal(await readFile(path, "utf8"), TEXT);
});
