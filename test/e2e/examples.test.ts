import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { examples, settingsFor } from "../support/examples.ts";
import { startScmNetwork, type ScmNetwork } from "../support/scm-network.ts";
import { missingTool, sdkVersion } from "../support/tools.ts";
import { runSteps, stepsOf } from "../support/workflow.ts";

describe("What users copy works as it is published", () => {
  let network: ScmNetwork;
  before(async () => {
    network = await startScmNetwork();
  });
  after(() => network.close());

  for (const { name, workflow, needs } of examples) {
    test(name, async (context) => {
      const absent = await missingTool(needs);
      if (absent !== undefined) {
        context.skip(`NOT RUN ${absent}: not on PATH`);
        return;
      }
      const { server, env } = network;
      const seenBefore = server.requests.length;
      const steps = stepsOf(workflow);
      const job = await runSteps(steps, { ...settingsFor(server), env });
      assert.equal(job.exitCode, 0, job.log);
      const requests = server.requests.slice(seenBefore);
      assert.deepEqual(
        requests.filter(({ method }) => method === "POST").map(({ path, status }) => [path, status]),
        [["/am/oauth2/access_token", 200]],
      );
      const calls = requests.filter(({ path }) => path.startsWith("/config/"));
      const [signIn] = job.signIns;
      // A block that only signs in makes no call; every other makes one at least, with the token.
      assert.equal(calls.length > 0, steps.length > 1);
      if (needs.includes("pan-scm-sdk")) context.diagnostic(`RAN pan-scm-sdk ${await sdkVersion()}: ${name}`);
      for (const { status, headers } of calls) {
        assert.equal(status, 200);
        assert.equal(headers.authorization, `Bearer ${signIn?.token ?? "none"}`);
      }
    });
  }
});
