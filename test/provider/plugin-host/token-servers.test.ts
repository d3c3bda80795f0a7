import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { parseAuthFile, PLACEHOLDER_SECRET, type AuthFileContent } from "../../../shared/auth-file/format.ts";
import { requestServedToken } from "../../../shared/auth-file/token-server-client.ts";
import { waitUntil } from "../../support/poll.ts";
import { NO_CREDENTIALS, startServer } from "../fixtures.ts";
import { startPlugin, type TestPlugin } from "./fixtures.ts";

const URN = "urn:pulumi:dev::project::scm-auth:index:AuthFile::auth";
/** The token lifetime in seconds. A token is refreshed in the middle third of its lifetime. */
const TTL = 6;

const server = await startServer({ ttl: TTL });
const account = { clientId: server.clientId, clientSecret: server.clientSecret, tsgId: server.tsgId };
const env = { ...NO_CREDENTIALS, SCM_TOKEN_URL: server.tokenUrl };

/** Checks an AuthFile and returns its file, as an `scm` provider that the engine configures next reads it. */
async function ensure({ process, directory }: TestPlugin, args: object = account): Promise<AuthFileContent> {
  assert.deepEqual((await process.check({}, { path: "auth.json", ...args }, URN)).failures, []);
  return read(directory);
}

async function read(directory: string): Promise<AuthFileContent> {
  const content = parseAuthFile(await readFile(join(directory, "auth.json"), "utf8"));
  return content ?? assert.fail("no auth file");
}

const isPlain = ({ authUrl, clientSecret }: AuthFileContent): boolean =>
  authUrl === server.tokenUrl && clientSecret === PLACEHOLDER_SECRET;

test("serves valid tokens for a file whose credentials are arguments, and leaves a plain file at the end", async () => {
  const plugin = await startPlugin("arguments", server, env);
  const content = await ensure(plugin);
  assert.equal((await ensure(plugin)).authUrl, content.authUrl, "the file has one server");
  const first = await requestServedToken(content);
  assert.deepEqual([first?.token, first?.jobId], [content.jwt, "pulumi"]);
  await waitUntil(
    "a new token is served",
    async () => (await requestServedToken(content))?.token !== content.jwt,
    30_000,
  );
  const renewed = await read(plugin.directory);
  assert.deepEqual([renewed.authUrl, renewed.clientSecret], [content.authUrl, content.clientSecret]);
  await plugin.process.cancel();
  assert.ok(isPlain(await read(plugin.directory)));
  // After an interruption, resource operations in progress continue.
  assert.ok(await requestServedToken(content));
  assert.ok(isPlain(await ensure(plugin)));
});

test("a plugin whose scm provider has the credentials starts no server, but refreshes the file when that of another plugin ends", async () => {
  const variables = { SCM_CLIENT_ID: account.clientId, SCM_CLIENT_SECRET: account.clientSecret };
  const other = await startPlugin("environment", server, env);
  const served = await ensure(other);
  const plugin = await startPlugin("environment", server, { ...env, ...variables, SCM_AUTH_FILE: "auth.json" });
  assert.equal((await ensure(plugin, { tsgId: server.tsgId })).authUrl, served.authUrl);
  await other.process.stop("SIGKILL");
  await waitUntil("the file is refreshed", async () => isPlain(await read(plugin.directory)), 30_000);
  assert.ok(isPlain(await ensure(plugin)));
});

test("each plugin with the same file serves its own engine, and a killed plugin costs no token request", async () => {
  const [first, second] = await Promise.all(["shared", "shared"].map((name) => startPlugin(name, server, env)));
  assert.ok(first && second);
  const ofFirst = await ensure(first);
  const ofSecond = await ensure(second);
  assert.notEqual(ofSecond.authUrl, ofFirst.authUrl);
  assert.ok((await requestServedToken(ofFirst)) && (await requestServedToken(ofSecond)));
  await second.process.stop("SIGKILL");
  const requests = server.countTokenRequests();
  assert.equal((await ensure(first)).authUrl, ofFirst.authUrl);
  assert.equal(server.countTokenRequests(), requests);
  await first.process.cancel();
  assert.ok(isPlain(await read(first.directory)));
});
