import assert from "node:assert/strict";
import { after, test } from "node:test";
import { runAction, type ActionRun } from "../support/run-action.ts";
import { startScmServer } from "../support/scm-server.ts";

/** Tests `check: true`. The content of the summary is tested in test/action/. */

const server = await startScmServer();
after(server.close);

const check = (inputs: Readonly<Record<string, string>> = {}): Promise<ActionRun> =>
  runAction({
    inputs: {
      "client-id": server.clientId,
      "client-secret": server.clientSecret,
      "token-url": server.tokenUrl,
      "ca-cert": server.ca,
      check: "true",
      ...inputs,
    },
    secrets: () => server.issued,
  });

test("writes a summary and sets no outputs when the sign-in succeeds", async () => {
  const run = await check();
  assert.equal(run.exitCode, 0, run.log);
  assert.match(run.summary, /^## /);
  assert.match(run.summary, /\|.*(DNS|TLS)/);
  assert.deepEqual([run.outputs, run.state, run.env, run.annotations], [{}, {}, {}, []]);
  assert.equal(server.countTokenRequests(), 1);
  assert.ok(run.masks.includes(server.issued[0] ?? ""), "the token is masked although it is not an output");
});

test("fails with the action's usual annotation and a summary that reports the failure", async () => {
  const run = await check({ "client-secret": "0c8f6e2a-5f0e-4b61-8f3a-2f9d1e7b6a54" });
  assert.equal(run.exitCode, 1);
  assert.match(run.summary, /^## .*failed/i);
  assert.deepEqual([run.outputs, run.state, run.env], [{}, {}, {}]);
  assert.deepEqual(
    run.annotations.map(({ message }) => /invalid_client.*\nHint: .*the secret is wrong/.test(message)),
    [true],
  );
});
