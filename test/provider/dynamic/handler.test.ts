import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";

import { UNKNOWN_VALUE } from "../../../provider/custom-resources/custom-resource.ts";
import { PROVIDER_VERSION, SERIALIZED_PROVIDER } from "../../../provider/dynamic/serialized.ts";
import { ProviderProcess } from "../../support/engine/provider-process.ts";
import { createProject } from "../../support/engine/project.ts";
import type { Properties } from "../../support/engine/values.ts";
import { assertNoSecret } from "../../support/secrets.ts";
import { createEnv, NO_CREDENTIALS, readJwt, root, startServer, WRONG_SECRET } from "../fixtures.ts";

const server = await startServer({ tsgIds: Array.from({ length: 10 }, (_, i) => String(i)), clientId: "me" });
const directory = await createProject(join(root, "process"), {});
const responses: string[] = [];
const dynamic = await ProviderProcess.startDynamic({
  directory,
  env: { ...createEnv(server), ...NO_CREDENTIALS, SCM_TOKEN_URL: server.tokenUrl },
  onMessage: (name, message) => {
    if (name.startsWith("from")) responses.push(message);
  },
});
after(async () => {
  const output = await dynamic.stop();
  assertNoSecret({ output, responses: responses.join("\n") }, [server.clientSecret, WRONG_SECRET]);
});

const createInputs = (kind: string, name: string, args: Properties): Properties => ({
  ...{ __provider: SERIALIZED_PROVIDER, kind, name, clientId: "me", clientSecret: server.clientSecret },
  ...args,
});
const authFile = (name: string, args: Properties): Properties => createInputs("auth-file", name, args);
const accessToken = (name: string, args: Properties): Properties => createInputs("access-token", name, args);

/** Calls `check`, asserts that it succeeds, and returns the checked inputs. */
async function check(news: Properties, olds: Properties = {}): Promise<Properties> {
  const { inputs, failures } = await dynamic.check(olds, news);
  assert.deepEqual(failures, []);
  assert.ok(!("clientSecret" in inputs));
  return inputs;
}

test("create uses the secret of its own resource even if many resources are created at once", async () => {
  const checked: Properties[] = [];
  for (let i = 0; i < 8; i++) checked.push(await check(accessToken(`token${i}`, { tsgId: String(i) })));
  // Only the secret differs from that of token7.
  const wrong = await check(accessToken("wrong", { tsgId: "7", clientSecret: WRONG_SECRET }));
  const [rejected, ...created] = await Promise.allSettled([wrong, ...checked].map((inputs) => dynamic.create(inputs)));
  assert.ok(rejected?.status === "rejected");
  assert.match(String(rejected.reason), /invalid_client.*\nThe client ID or/);
  for (const [i, result] of created.entries())
    assert.equal(result.status === "fulfilled" && result.value.outputs["tsgId"], String(i));
});

test("check accepts arguments whose values are unknown in a preview, and leaves the path unknown", async () => {
  const before = server.countTokenRequests();
  for (const args of [{ clientSecret: UNKNOWN_VALUE }, { tsgId: UNKNOWN_VALUE }, { path: UNKNOWN_VALUE }])
    assert.equal((await check(authFile("unknown", { path: "unknown.json", ...args })))["path"], UNKNOWN_VALUE);
  await check(accessToken("unknown", { clientSecret: UNKNOWN_VALUE, tsgId: "not digits" }));
  assert.equal(server.countTokenRequests(), before);
  assert.ok(!existsSync(join(directory, "unknown.json")));
});

test("check does not return an unsupported argument, even if the value of another argument is not known yet", async () => {
  const unknown = { client_secret: WRONG_SECRET, tags: { owner: WRONG_SECRET } };
  const inputs = await check(authFile("extra", { path: "extra.json", tsgId: UNKNOWN_VALUE, ...unknown }));
  assert.deepEqual(Object.keys(inputs).sort(), ["__provider", "clientId", "kind", "name", "path", "tsgId"]);
});

test("check reports invalid arguments without a property name, because the engine would print that property's value", async () => {
  const args = { path: "invalid.json", tsgId: "x y", timeout: 0, clientSecret: `${WRONG_SECRET}\nsecond line` };
  const { inputs, failures } = await dynamic.check({}, authFile("invalid", args));
  assert.deepEqual(Object.keys(inputs), ["__provider"]);
  assert.equal(failures.length, 1);
  assert.match(failures[0] ?? "", /^Configuration error: timeout .*; clientSecret .*; tsgId .*\n.+\nSee .+$/);
});

test("diff of an AuthFile reports changes only to its identity and path", async () => {
  const { clientSecret, ...olds } = authFile("same", { path: "same.json", tsgId: "9", __provider: "an older one" });
  const changes = [
    [{ timeout: 40, maxRetries: 1, clientSecret: WRONG_SECRET }, false, false],
    [{ tsgId: "1" }, true, false],
    [{ tsgId: UNKNOWN_VALUE }, true, false],
    [{ tokenUrl: server.tokenUrl }, true, false],
    [{ path: "other.json" }, true, true],
  ] as const;
  for (const [change, hasChanges, replaces] of changes) {
    const { clientSecret: _, ...news } = authFile("same", { path: "same.json", tsgId: "9", ...change });
    const diff = await dynamic.diff("same.json", olds, news);
    assert.deepEqual(diff, { changes: hasChanges, replaces }, JSON.stringify(change));
  }
});

test("read without a secret changes nothing and requests no token", async () => {
  const { id, outputs } = await dynamic.create(await check(authFile("read", { path: "read.json", tsgId: "2" })));
  const before = server.countTokenRequests();
  assert.deepEqual(await dynamic.read(id, outputs), outputs);
  assert.equal(server.countTokenRequests(), before);
});

test("delete removes a file only if it has the resource's identity and is not in use in this operation", async () => {
  const remove = (path: string, clientId: string): Promise<void> =>
    dynamic.delete(path, {
      ...{ __provider: SERIALIZED_PROVIDER, kind: "auth-file", name: "deleted", path },
      identity: { clientId, scope: "tsg_id:4" },
    });
  await dynamic.create(await check(authFile("used", { path: "used.json", tsgId: "4" })));
  await remove("used.json", "me");
  const [used, copy, unmanaged] = ["used.json", "copy.json", "unmanaged.json"].map((name) => join(directory, name));
  assert.ok(used && copy && unmanaged && existsSync(used));
  await writeFile(copy, await readFile(used, "utf8"), { mode: 0o600 });
  await writeFile(unmanaged, '{"jwt":"of another tool"}');
  await remove("copy.json", "another client");
  assert.equal(await readJwt(copy), await readJwt(used));
  await remove("copy.json", "me");
  assert.ok(!existsSync(copy));
  await remove("unmanaged.json", "me");
  assert.ok(existsSync(unmanaged));
  await remove("missing.json", "me");
});

test("delete succeeds if the path is not valid on this system", async () => {
  const identity = { clientId: "me", scope: "tsg_id:4" };
  for (const path of ["a\nb.json", ""])
    await dynamic.delete("id", { __provider: SERIALIZED_PROVIDER, kind: "auth-file", name: "other", path, identity });
});

test("the serialized provider in the state never changes within a major version", () => {
  const expected =
    'module.paths.push(...require.main.paths);this.handler=p=>{try{return require("scm-auth/pulumi/handler")(1)}' +
    'catch(e){e.stack=e.message="Missing: npm i scm-auth";return{check:p=_=>{throw e},read:p}}}';
  assert.equal(SERIALIZED_PROVIDER, expected);
  assert.equal(PROVIDER_VERSION, 1);
  assert.ok(Buffer.byteLength(SERIALIZED_PROVIDER) <= 200);
});

const allKinds = ["auth-file", "access-token"].map((kind) => createInputs(kind, "a", { path: "a.json" }));

test("delete succeeds if the package is not installed, and other methods report how to install it", async () => {
  const project = await createProject(join(root, "uninstalled"), {});
  await rm(join(project, "node_modules/scm-auth"), { recursive: true });
  const uninstalled = await ProviderProcess.startDynamic({ directory: project, env: { PATH: process.env["PATH"] } });
  for (const properties of allKinds) {
    await uninstalled.delete("id", properties);
    await assert.rejects(uninstalled.check({}, properties), /^Error: Missing: npm i scm-auth$/);
    await assert.rejects(uninstalled.read("id", properties), /^Error: Missing: npm i scm-auth$/);
  }
  assert.doesNotMatch(await uninstalled.stop(), /\bat |Require stack/);
});

test("delete succeeds for a resource created by an incompatible version, and other methods report the incompatibility", async () => {
  const __provider = SERIALIZED_PROVIDER.replace("(1)", "(7)");
  const incompatible = [
    ...allKinds.map((properties) => ({ ...properties, __provider })),
    { ...allKinds[0], kind: "new" },
  ];
  for (const properties of incompatible) {
    await dynamic.delete("id", properties);
    const { failures } = await dynamic.check({}, properties);
    assert.match(failures.join(), /created by an incompatible version of scm-auth\.\nInstall the version/);
    await assert.rejects(dynamic.read("id", properties), /incompatible version/);
  }
});
