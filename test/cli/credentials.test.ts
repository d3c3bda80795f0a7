import assert from "node:assert/strict";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { readCredentials } from "../../cli/credentials.ts";
import { Terminal } from "../../cli/terminal.ts";
import { getCacheDirectory, getCacheFileName } from "../../cli/token-cache.ts";
import { AuthRequest } from "../../shared/auth-request.ts";
import type { Environment } from "../../shared/environment.ts";
import { createTempDir } from "../support/temp-dir.ts";

const CLIENT_ID = "ci@1234567890.iam.panserviceaccount.com";
const SECRET = "8f0c1d7e-4b1a-4c39-9a53-0d3f6a1b2c3d";
const OTHER = "ffffffff-4b1a-4c39-9a53-0d3f6a1b2c3d";
const isWindows = process.platform === "win32";

/** Reads credentials and returns them with what was written to stderr. */
async function read(values: Readonly<Record<string, string>>, env: Environment) {
  const stderr = new PassThrough();
  const terminal = new Terminal(process.stdout, stderr as unknown as NodeJS.WriteStream);
  const request = await readCredentials(
    { values },
    { SCM_CLIENT_ID: CLIENT_ID, SCM_TSG_ID: "1234567890", ...env },
    terminal,
  );
  return { request, stderr: String(stderr.read() ?? "") };
}

test("options take precedence over the environment, and SCM_CLIENT_SECRET over SCM_CLIENT_SECRET_FILE", async (t) => {
  const file = join(await createTempDir(t), "secret");
  await writeFile(file, `\ufeff${SECRET}\r\n`, { mode: 0o600 });
  const values = {
    "client-id": "cd@1234567899.iam.panserviceaccount.com",
    "tsg-id": "1234567899",
    "client-secret-file": file,
  };
  const env = { SCM_CLIENT_SECRET: OTHER, SCM_TSG_ID: "1111111111", SCM_TOKEN_URL: "https://a.test/access_token" };
  const { request, stderr } = await read({ ...values, "token-url": "https://b.test/access_token" }, env);
  assert.deepEqual(
    [request.clientId, request.clientSecret, request.scope, request.tokenUrl.host, stderr],
    [values["client-id"], SECRET, "tsg_id:1234567899", "b.test", ""],
  );
  const fromFile = await read({}, { SCM_CLIENT_SECRET: " ", SCM_CLIENT_SECRET_FILE: file });
  const fromVariable = await read({}, { SCM_CLIENT_SECRET: OTHER, SCM_CLIENT_SECRET_FILE: file });
  assert.deepEqual([fromFile.request.clientSecret, fromVariable.request.clientSecret], [SECRET, OTHER]);
});

test("warns if other users can read or change the secret file", { skip: isWindows }, async (t) => {
  const file = join(await createTempDir(t), "secret");
  await writeFile(file, SECRET);
  for (const mode of [0o640, 0o604, 0o620, 0o602]) {
    await chmod(file, mode);
    const { request, stderr } = await read({ "client-secret-file": file }, {});
    assert.equal(stderr, `warning: Other users can read or change ${file}. Run: chmod 600 ${file}\n`);
    assert.equal(request.clientSecret, SECRET);
  }
});

test("rejects a secret file that is missing, empty, too large, or a directory, without showing its content", async (t) => {
  const dir = await createTempDir(t);
  await mkdir(join(dir, "directory"));
  await writeFile(join(dir, "empty"), "\n", { mode: 0o600 });
  await writeFile(join(dir, "large"), SECRET.repeat(2000), { mode: 0o600 });
  for (const [name, message] of [
    ["missing", /^the client secret cannot be read from \S+missing: ENOENT.$/],
    ["directory", /^the client secret cannot be read from \S+directory: EISDIR.$/],
    ["empty", /empty contains no client secret.$/],
    ["large", /^the client secret file is larger than 64 KiB.$/],
  ] as const)
    await assert.rejects(read({ "client-secret-file": join(dir, name) }, {}), { name: "CommandError", message });
  // The secret was passed instead of a path.
  await assert.rejects(read({ "client-secret-file": SECRET }, {}), {
    message: "the file for the client secret was not found.",
    hint: /rotate it/,
  });
});

test("names the option and the variable of everything that is missing", async () => {
  await assert.rejects(
    read({}, { SCM_CLIENT_ID: "" }),
    (error: Error & { readonly issues: readonly { readonly field: string }[] }) => {
      assert.deepEqual(
        error.issues.map(({ field }) => field),
        ["clientId (or SCM_CLIENT_ID)", "clientSecret (or SCM_CLIENT_SECRET)"],
      );
      return true;
    },
  );
});

test(
  "the cache is in the user's runtime directory, or else in the platform's cache directory",
  { skip: isWindows },
  () => {
    assert.equal(getCacheDirectory({ XDG_RUNTIME_DIR: "/run/user/1", HOME: "/home/a" }), "/run/user/1/scm-auth");
    const inHome = process.platform === "darwin" ? "/home/a/Library/Caches/scm-auth" : "/home/a/.cache/scm-auth";
    assert.equal(getCacheDirectory({ XDG_RUNTIME_DIR: "relative", HOME: "/home/a" }), inHome);
    assert.equal(getCacheDirectory({ HOME: "" }), undefined);
  },
);

test("the cache file is different for every account, secret, scope, and server, and its name shows none of them", () => {
  const base = { clientId: CLIENT_ID, clientSecret: SECRET };
  const names = [
    base,
    { ...base, clientId: `x${CLIENT_ID}` },
    { ...base, clientSecret: OTHER },
    { ...base, tsgId: "1111111111" },
    { ...base, tokenUrl: "https://auth.example.com/access_token" },
  ].map((input) => getCacheFileName(AuthRequest.parse(input)));
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^token-[0-9a-f]{16}\.json$/);
});
