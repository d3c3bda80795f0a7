import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { createPluginSchema } from "../../../scripts/build/plugin-schema.ts";
import { isSecret, unwrap, type Properties } from "../../support/engine/values.ts";
import { waitUntil } from "../../support/poll.ts";
import { assertNoSecret } from "../../support/secrets.ts";
import { NO_CREDENTIALS, readJwt, startServer, WRONG_SECRET } from "../fixtures.ts";
import { startPlugin } from "./fixtures.ts";

/** Only the wiring of the plugin is tested here. The tests of the dynamic provider show the behavior of the resources. */

const server = await startServer({ clientId: "me", tsgIds: ["1"] });
const { directory, process, log, responses } = await startPlugin("plugin-provider", server, {
  ...NO_CREDENTIALS,
  SCM_TOKEN_URL: server.tokenUrl,
});

const toSecret = (value: string): Properties => ({
  ...{ "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", value },
});
const toUrn = (type: string, name: string): string => `urn:pulumi:dev::project::scm-auth:index:${type}::${name}`;
const account = { clientId: "me", clientSecret: toSecret(server.clientSecret), tsgId: "1" };

/** Calls `check`, asserts that it succeeds, and returns the checked inputs. */
async function check(urn: string, news: Properties, olds: Properties = {}): Promise<Properties> {
  const { inputs, failures } = await process.check(olds, news, urn);
  assert.deepEqual(failures, []);
  assert.ok(!("clientSecret" in inputs));
  return inputs;
}

test("serves the schema, which has the properties and descriptions of the TypeScript API", async () => {
  const schema = createPluginSchema();
  assert.deepEqual(await process.getSchema(), schema);
  const { resources } = schema as { resources: Readonly<Record<string, { inputProperties: Properties }>> };
  const inputs = resources["scm-auth:index:AuthFile"]?.inputProperties ?? {};
  const { path, clientSecret, timeout } = inputs as Readonly<Record<string, Properties | undefined>>;
  assert.match(String(path?.["description"]), /^Path of the auth file, relative to the program's directory/);
  assert.deepEqual([clientSecret?.["secret"], timeout?.["type"]], [true, "number"]);
});

test("an AuthFile has its file after check, no diff later, and no secret in its inputs and outputs", async () => {
  const urn = toUrn("AuthFile", "auth");
  const file = join(directory, "auth/auth.json");
  const inputs = await check(urn, { path: "auth/auth.json", ...account });
  assert.deepEqual(inputs, { path: "auth/auth.json", clientId: "me", tsgId: "1" });
  assert.equal(await readJwt(file), server.issued[0]);
  const { id, outputs } = await process.create(inputs, urn);
  assert.deepEqual(outputs, { ...inputs, identity: { clientId: "me", scope: "tsg_id:1" } });
  const again = await check(urn, { path: "auth/auth.json", ...account }, inputs);
  assert.deepEqual(await process.diff(id, outputs, again, urn), { changes: false, replaces: false });
  const moved = { ...again, path: "moved.json" };
  assert.deepEqual(await process.diff(id, outputs, moved, urn), { changes: true, replaces: true });
  assert.deepEqual(await process.update(id, outputs, again, urn), outputs);
  assert.deepEqual(await process.read(id, outputs, urn), outputs);
  assert.equal(server.issued.length, 1);
  assertNoSecret({ responses: responses.join("\n") }, [server.clientSecret, ...server.issued]);
});

test("removing one of two AuthFiles with the same path keeps the file", async () => {
  const [one, two] = ["one", "two"].map((name) => toUrn("AuthFile", name));
  const outputs = { path: "shared.json", identity: { clientId: "me", scope: "tsg_id:1" } };
  await check(one ?? "", { path: "shared.json", ...account });
  await process.delete("shared.json", outputs, two);
  assert.ok(existsSync(join(directory, "shared.json")));
});

test("secrets stay secrets, at any depth, and unknown values stay unknown", async () => {
  const inputs = await check(toUrn("AuthFile", "secret-path"), { ...account, path: toSecret("secret.json") });
  assert.ok(isSecret(inputs["path"]));
  const { outputs } = await process.create(inputs, toUrn("AuthFile", "secret-path"));
  assert.deepEqual([isSecret(outputs["path"]), unwrap(outputs["path"])], [true, "secret.json"]);
  const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
  const unknown = await check(toUrn("AuthFile", "unknown"), { ...account, path: "unknown.json", tsgId: UNKNOWN });
  assert.equal(unknown["path"], UNKNOWN);
});

test("an AccessToken is a secret, and resources with the same name and different parents use their own secrets", async () => {
  const urn = toUrn("AccessToken", "token");
  const [right, wrong] = ["a", "b"].map((type) => urn.replace("::scm-auth", `::my:index:${type}$scm-auth`));
  const inputs = await check(right ?? "", account);
  await check(wrong ?? "", { ...account, clientSecret: WRONG_SECRET });
  const { id, outputs } = await process.create(inputs, right);
  assert.equal(id, "token tsg_id:1");
  assert.ok(isSecret(outputs["accessToken"]));
  assert.ok(server.issued.includes(String(unwrap(outputs["accessToken"]))));
  await assert.rejects(process.create(inputs, wrong), /invalid_client.*\nThe client ID or/);
  // This is the state after a change of the program.
  const next = await check(right ?? "", { ...account, minTtl: 86400 }, inputs);
  assert.equal((await process.diff(id, outputs, next, right)).changes, true);
  assert.ok(isSecret((await process.update(id, outputs, next, right))["accessToken"]));
});

test("getAccessToken returns a secret token and rejects unknown arguments without their values", async () => {
  const invoke = (args: Properties) => process.invoke("scm-auth:index:getAccessToken", { ...account, ...args });
  const result = await invoke({});
  assert.ok(isSecret(result["accessToken"]));
  assert.deepEqual(Object.keys(result).sort(), ["accessToken", "expiresAt", "scope", "tsgId"]);
  await assert.rejects(invoke({ client_secret: WRONG_SECRET }), (error: Error) => {
    assertNoSecret({ message: error.message }, [WRONG_SECRET]);
    return error.message.includes("client_secret is not a valid argument; did you mean clientSecret?");
  });
  await assert.rejects(process.invoke("scm-auth:index:getToken", {}), /unexpected error/);
});

test("check ignores unknown arguments, and the engine shows a warning once", async () => {
  const news = { path: "extra.json", ...account, tags: { owner: WRONG_SECRET } };
  for (let i = 0; i < 2; i++)
    assert.deepEqual(Object.keys(await check(toUrn("AuthFile", "extra"), news)).sort(), ["clientId", "path", "tsgId"]);
  await waitUntil("there is a warning", () => log.messages.length > 0);
  assert.deepEqual(log.messages, ["scm-auth resource 'extra': tags is not a valid argument; it is ignored."]);
});

test("a resource that this version does not know can only be deleted", async () => {
  const urn = toUrn("NewResource", "new");
  await process.delete("id", {}, urn);
  const { failures } = await process.check({}, {}, urn);
  assert.match(failures.join(), /incompatible version of scm-auth/);
});

test("delete removes the file of an AuthFile", async () => {
  const urn = toUrn("AuthFile", "deleted");
  const other = await startPlugin("deleting", server, { SCM_TSG_ID: "1", SCM_AUTH_FILE: "deleted.json" });
  assert.ok(existsSync(join(other.directory, "deleted.json")));
  await other.process.delete("deleted.json", { path: "deleted.json" }, urn);
  assert.ok(!existsSync(join(other.directory, "deleted.json")));
});
