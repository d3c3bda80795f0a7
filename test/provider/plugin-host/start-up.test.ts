import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { getErrorPage } from "../../../shared/version.ts";
import { NO_CREDENTIALS, readJwt, startServer, WRONG_SECRET } from "../fixtures.ts";
import { startPlugin } from "./fixtures.ts";

/** The plugin waits 30 s for this server, while the other tests run. */
const silentServer = await startServer();
silentServer.delayTokenResponses(300_000);
const startedAt = performance.now();
const slowStart = startPlugin("silent", silentServer);

const URN = "urn:pulumi:dev::project::scm-auth:index:AuthFile::auth";

test("the file exists before the plugin prints its port, and costs no token request if its token is valid", async () => {
  const server = await startServer();
  for (let i = 0; i < 2; i++) {
    const { directory } = await startPlugin("start", server);
    assert.equal(await readJwt(join(directory, ".scm/auth.json")), server.issued[0]);
  }
  assert.equal(server.countTokenRequests(), 1);
});

test("SCM_AUTH_FILE determines the path", async () => {
  const server = await startServer();
  const { directory } = await startPlugin("variable", server, { SCM_AUTH_FILE: "infra/auth.json" });
  assert.ok(existsSync(join(directory, "infra/auth.json")));
  assert.ok(!existsSync(join(directory, ".scm")));
});

test("without credentials, nothing is requested, written, or reported", async () => {
  const server = await startServer();
  const { directory, log } = await startPlugin("no-credentials", server, NO_CREDENTIALS);
  const { directory: partly } = await startPlugin("no-client-id", server, { SCM_CLIENT_ID: undefined });
  assert.deepEqual(
    [directory, partly].map((path) => existsSync(join(path, ".scm"))),
    [false, false],
  );
  assert.deepEqual([log.messages, server.requests.length], [[], 0]);
});

test("the plugin starts even if the sign-in fails, reports it once at the end, and sends a wrong secret only once", async () => {
  const server = await startServer();
  const { process, log } = await startPlugin("wrong", server, { SCM_CLIENT_SECRET: WRONG_SECRET });
  assert.deepEqual(log.messages, []);
  for (let i = 0; i < 2; i++) await process.cancel();
  const [cause = "", hint = "", link, ...others] = log.messages.join("\n").split("\n");
  assert.match(
    cause,
    /^scm-auth: the auth file \.scm\/auth\.json is not available\. Authentication error: .*invalid_client/,
  );
  assert.match(hint, /^The client ID or the secret is wrong\./);
  assert.deepEqual([link, others], [`See ${getErrorPage("invalid_client")}`, []]);
  assert.equal(server.countTokenRequests(), 1);
});

test("the plugin starts after 30 s even if the auth server does not respond, and says so after 5 s and at the end", async () => {
  const { process, log } = await slowStart;
  assert.ok(performance.now() - startedAt >= 29_000);
  assert.deepEqual(log.messages, ["scm-auth: waiting for the auth server, to create the auth file .scm/auth.json"]);
  await process.cancel();
  assert.match(log.messages[1] ?? "", /auth\.json is not available\. .*the sign-in did not complete within 30 s\.\n./);
});

test("a failure that a resource has reported is not reported again, nor by a process that serves the schema", async () => {
  const server = await startServer();
  const env = { SCM_CLIENT_SECRET: WRONG_SECRET };
  const loader = await startPlugin("loader", server, env);
  // The last to start, because the pause after its rejected request lasts only one second.
  const resource = await startPlugin("reported", server, env);
  const { failures } = await resource.process.check({}, { path: ".scm/auth.json" }, URN);
  assert.match(failures.join(), /invalid_client/);
  await loader.process.getSchema();
  for (const { process } of [resource, loader]) await process.cancel();
  assert.deepEqual([...resource.log.messages, ...loader.log.messages], []);
  assert.equal(server.countTokenRequests(), 2, "one for each process");
});
