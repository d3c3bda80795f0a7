import assert from "node:assert/strict";
import { mkdtemp, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";

import { OwnedFile } from "../../../action/keeper/owned-file.ts";
import { systemClock } from "../../../shared/clock.ts";
import { entryOf, formatAuthFile, parseAuthFile } from "../../../shared/handoff/auth-file-format.ts";
import { readOwnFile } from "../../../shared/handoff/own-file.ts";
import { replaceFile } from "../../../shared/handoff/replace-file.ts";
import { AccessToken } from "../../../shared/token/access-token.ts";
import { AuthRequest } from "../../../shared/token/auth-request.ts";

const request = AuthRequest.parse({
  clientId: "ci@1.iam.panserviceaccount.com",
  clientSecret: "s3cret-value",
  tsgId: "1",
});
const endpoint = { authUrl: "http://127.0.0.1:4711/am/oauth2/access_token", clientSecret: "s".repeat(43) };
const another = { ...endpoint, clientSecret: "o".repeat(43) };
const tokenNamed = (value: string): AccessToken =>
  new AccessToken(value, {
    expiresAt: new Date(Date.now() + 900_000),
    lifetime: 900_000,
    life: 900_000,
    scope: ["tsg_id:1"],
    tenants: ["1"],
  });
const textOf = (value: string, by = endpoint): string =>
  formatAuthFile(entryOf(request, tokenNamed(value), Date.now(), by));

let folder = "";
let path = "";
let file = new OwnedFile("", request, "", systemClock);
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "scm-auth-owned-"));
  path = join(folder, "auth.json");
  await replaceFile(path, textOf("first"));
  file = new OwnedFile(path, request, endpoint.clientSecret, systemClock);
});
afterEach(() => rm(folder, { recursive: true }));

const jwtAt = async (): Promise<string | undefined> => parseAuthFile((await readOwnFile(path))?.text ?? "")?.jwt;

test("the file is ours while it holds our job's secret, however often it is replaced", async () => {
  assert.equal(await file.look(), "ours");
  await file.replace(tokenNamed("second"), endpoint);
  assert.equal(await file.look(), "ours");
  assert.equal(await jwtAt(), "second");
});

test("a file that is gone is gone at the second look", async () => {
  await unlink(path);
  assert.equal(await file.look(), "unknown");
  assert.equal(await file.look(), "gone");
});

test("a file that comes back between two looks was never gone", async () => {
  await rename(path, `${path}.away`);
  assert.equal(await file.look(), "unknown");
  await rename(`${path}.away`, path);
  assert.equal(await file.look(), "ours");
  await unlink(path);
  assert.equal(await file.look(), "unknown");
});

const foreign: Readonly<Record<string, () => Promise<unknown>>> = {
  "the file of another job": () => replaceFile(path, textOf("x", another)),
  "a text that is no auth file": () => replaceFile(path, "{}"),
  "a symbolic link to a file of ours": async () => {
    await rename(path, join(folder, "real.json"));
    await symlink(join(folder, "real.json"), path);
  },
};
for (const [what, put] of Object.entries(foreign)) {
  test(`${what} is foreign, is not replaced and is not removed`, async () => {
    await put();
    assert.equal(await file.look(), "foreign");
    await assert.rejects(file.replace(tokenNamed("second"), endpoint));
    await file.remove();
    assert.equal(await file.look(), "foreign");
  });
}

test("a removed file does not come back with a renewal", async () => {
  await unlink(path);
  await assert.rejects(file.replace(tokenNamed("second"), endpoint));
  assert.equal(await jwtAt(), undefined);
});

test("removing takes the file, and a second time harms nothing", async () => {
  await file.remove();
  await file.remove();
  assert.equal(await file.look(), "unknown");
  assert.equal(await file.look(), "gone");
});

test(
  "a look at what can't be read tells nothing",
  { skip: process.getuid?.() === 0 ? "root reads all" : false },
  async () => {
    await writeFile(path, "x", { mode: 0o000 });
    assert.equal(await file.look(), "unknown");
  },
);
