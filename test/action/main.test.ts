import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { VERSION } from "../../shared/version.ts";
import { runAction, type ActionOptions } from "../support/run-action.ts";
import { startScmServer, type ScmServerOptions } from "../support/scm-server.ts";

const entry = fileURLToPath(new URL("../../action/main.ts", import.meta.url));

/** Starts a server and returns it with a function that runs the main step from the sources. */
async function start(t: TestContext, options?: ScmServerOptions) {
  const server = await startScmServer(options);
  t.after(server.close);
  const { clientId, clientSecret, tokenUrl, ca } = server;
  const inputs = { "client-id": clientId, "client-secret": clientSecret, "token-url": tokenUrl, "ca-cert": ca };
  const run = (more: Readonly<Record<string, string>> = {}, env?: ActionOptions["env"]) =>
    runAction({ entry, inputs: { ...inputs, ...more }, ...(env && { env }) });
  return { server, run };
}

test("a sign-in writes the masks first; logs the version, the assumptions, and a summary; and sets the outputs", async (t) => {
  const { server, run } = await start(t);
  const { exitCode, stdout, log, outputs } = await run();
  assert.equal(exitCode, 0, log);
  const lines = stdout.split(/\r?\n/);
  const version = lines.indexOf(`scm-auth ${VERSION}`);
  assert.ok(version > 0);
  for (const line of lines.slice(0, version)) assert.match(line, /^::add-mask::/);
  assert.match(log, /Using tenant 1234567890 from the client ID/);
  assert.match(log, /Signed in to tenant 1234567890 with a new token, valid for 1\d min .*\(signature verified\)\.$/);
  assert.deepEqual([outputs["access-token"], outputs["tsg-id"], outputs["auth-file"]], [server.issued[0], "1234567890", ""]); // prettier-ignore
});

test("fails before any request if inputs are invalid or outputs cannot be written", async (t) => {
  const { server, run } = await start(t);
  const invalid = await run({ timeout: "0", verify: "maybe" });
  assert.equal(invalid.exitCode, 1);
  assert.deepEqual(
    invalid.annotations.map(({ message }) => message.split("\n")[0]),
    ["verify must be true or false.", "timeout must be an integer between 1 and 3600."],
  );
  const unwritable = await run({}, { GITHUB_OUTPUT: "" });
  assert.equal(unwritable.exitCode, 1);
  assert.match(unwritable.annotations[0]?.message ?? "", /^File error: outputs cannot be written/);
  assert.equal(server.requests.length, 0);
});

test("a step that receives a sealed token from another step makes no token request", async (t) => {
  const { server, run } = await start(t);
  const { outputs } = await run({ seal: "true" });
  const second = await run({ "sealed-token": outputs["sealed-token"] ?? "" });
  assert.equal(second.exitCode, 0, second.log);
  assert.equal(second.token, server.issued[0]);
  assert.match(second.log, /with the sealed token, valid/);
  assert.equal(server.countTokenRequests(), 1);
});

test("a check writes the summary and sets no outputs", async (t) => {
  const { run } = await start(t);
  const { exitCode, summary, outputs, log } = await run({ check: "true" });
  assert.equal(exitCode, 0, log);
  assert.match(summary, /^## scm-auth check: success\n/);
  assert.deepEqual(outputs, {});
});

test("the step fails with one error after the timeout if the server does not respond", async (t) => {
  const { server, run } = await start(t);
  server.delayTokenResponses(3000);
  const { exitCode, annotations, outputs } = await run({ timeout: "1", "max-retries": "0" });
  assert.equal(exitCode, 1);
  assert.equal(annotations.length, 1);
  assert.match(annotations[0]?.message ?? "", /^Network error: token request: .* did not respond/);
  assert.deepEqual(outputs, {});
});

test("the step fails soon after the timeout even if the file system does not respond", async (t) => {
  const { run } = await start(t);
  const hang = `import fs from "node:fs/promises"; import { syncBuiltinESMExports } from "node:module";
    fs.readdir = () => new Promise(() => setInterval(() => undefined, 1000)); syncBuiltinESMExports();`;
  const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(hang)}` };
  const { exitCode, annotations, outputs } = await run({ "auth-file": ".scm/auth.json", timeout: "1" }, env);
  assert.match(annotations.at(-1)?.message ?? "", /^Network error: the step did not finish within /);
  assert.deepEqual([exitCode, outputs], [1, {}]);
});
