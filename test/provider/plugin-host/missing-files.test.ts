import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { MissingFiles } from "../../../provider/plugin-host/missing-files.ts";
import { createTempDir } from "../../support/temp-dir.ts";
import { NO_CREDENTIALS, startServer } from "../fixtures.ts";
import { startPlugin } from "./fixtures.ts";

const ID = { SCM_CLIENT_ID: "me" };
const SECRET = { SCM_CLIENT_SECRET: "a secret" };

test("names the variables that an AuthFile with a missing file needs", async (t) => {
  const path = join(await createTempDir(t), "auth.json");
  const getHints = async (env: Readonly<Record<string, string>>): Promise<readonly string[]> => {
    const files = new MissingFiles(env);
    for (let i = 0; i < 2; i++) await files.onRead(path);
    return (await files.getWarnings()).map(
      (text) => /did not exist.*\n.*, set (.*), or create/.exec(text)?.[1] ?? text,
    );
  };
  const setting = `SCM_AUTH_FILE=${path}`;
  assert.deepEqual(await getHints({}), [`SCM_CLIENT_ID, SCM_CLIENT_SECRET, and ${setting}`]);
  assert.deepEqual(await getHints({ ...SECRET, SCM_AUTH_FILE: path }), ["SCM_CLIENT_ID"]);
  assert.deepEqual(await getHints({ ...ID, ...SECRET }), [setting]);
  assert.deepEqual(await getHints({ ...ID, ...SECRET, SCM_AUTH_FILE: path }), []);
  await writeFile(path, "");
  assert.deepEqual(await getHints({}), []);
});

test("explains nothing if the program runs, or if the path is a secret", async () => {
  const files = new MissingFiles({});
  await files.onRead({ value: "missing.json" });
  assert.deepEqual(await files.getWarnings(), []);
  await files.onRead("missing.json");
  files.dismiss();
  assert.deepEqual(await files.getWarnings(), []);
});

test("an operation that ends before it has read a resource shows a warning only if one of the variables is missing", async (t) => {
  const SCM_AUTH_FILE = join(await createTempDir(t), "auth.json");
  const count = async (env: object): Promise<number> =>
    (await new MissingFiles({ SCM_AUTH_FILE, ...env }).getWarnings()).length;
  assert.deepEqual([await count({}), await count(ID), await count({ ...ID, ...SECRET })], [0, 1, 0]);
  await writeFile(SCM_AUTH_FILE, "");
  assert.equal(await count(ID), 0);
});

test("the plugin shows the warning once, at the end of an operation, and not if the program runs", async () => {
  const urn = "urn:pulumi:dev::project::scm-auth:index:AuthFile::auth";
  const server = await startServer();
  const { process, log } = await startPlugin("missing", server, NO_CREDENTIALS);
  await process.read("auth.json", { path: "auth.json" }, urn);
  assert.deepEqual(log.messages, []);
  for (let i = 0; i < 2; i++) await process.cancel();
  assert.match(log.messages.join("\n\n"), /^scm-auth: the auth file auth\.json did not exist [^\n]*\n[^\n]+\nSee \S+$/);

  const program = await startPlugin("missing-program", server, { ...NO_CREDENTIALS, ...ID });
  await program.process.check({}, { path: "auth.json" }, urn);
  await program.process.cancel();
  assert.deepEqual(program.log.messages, []);
});
