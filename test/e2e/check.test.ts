import assert from "node:assert/strict";
import { test } from "node:test";

import { readSummary } from "../support/check-summary.ts";
import { scm, SECRET, tokenRequests } from "../support/client-stage.ts";
import { runAction, type ActionRun } from "../support/runner.ts";
import type { ScmServer } from "../support/scm-server.ts";

/** Runs the step with `check: true`. The stand-in for the runner looks for secret and token in all that it writes. */
const check = (server: ScmServer, inputs: Readonly<Record<string, string>> = {}): Promise<ActionRun> =>
  runAction({
    inputs: {
      "client-id": server.clientId,
      "client-secret": server.clientSecret,
      "token-url": server.tokenUrl,
      "ca-cert": server.ca,
      check: "true",
      ...inputs,
    },
    canaries: () => [inputs["client-secret"] ?? server.clientSecret, ...server.issued],
  });

test("a check that goes well is green, writes the summary and hands out nothing", async (t) => {
  const { server } = await scm(t);
  const run = await check(server);
  assert.equal(run.exitCode, 0, run.log);
  const { heading, rows } = readSummary(run.summary);
  assert.equal(heading, "scm-auth check: the sign-in works");
  assert.match(rows.get("Versions")?.found ?? "", /runner Linux/);
  assert.deepEqual([run.outputs, run.state, run.env, run.path, run.annotations], [{}, {}, {}, [], []]);
  assert.match(run.log, /Check: the sign-in works\./);
  assert.equal(tokenRequests(server), 1);
  const [token = ""] = server.issued;
  assert.ok(run.masks.includes(token), "the token is masked, though it is not handed out");
});

test("a check that fails is red with the usual annotation, and the summary tells the step", async (t) => {
  const { server } = await scm(t);
  const run = await check(server, { "client-secret": SECRET });
  assert.equal(run.exitCode, 1);
  assert.equal(readSummary(run.summary).heading, "scm-auth check: failed at token");
  assert.deepEqual([run.outputs, run.state, run.env], [{}, {}, {}]);
  assert.equal(run.annotations.length, 1);
  assert.match(run.annotations[0]?.message ?? "", /invalid_client.*\nHint: The client id or the secret is wrong/);
});
