import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { AuthFileJobs, tokenRequestsOf, type AuthFileJob } from "../support/auth-file-job.ts";
import { openPulumiPrograms, pulumi, PULUMI_TOOLS, type PulumiPrograms } from "../support/pulumi.ts";
import { startScmNetwork, type ScmNetwork } from "../support/scm-network.ts";
import { missingTool, versionOf } from "../support/tools.ts";

/** The auth file under the real Pulumi and the real scm plugin, by a program that knows nothing of scm-auth. */
const absent = await missingTool(PULUMI_TOOLS);
const here = { skip: absent === undefined ? false : `NOT RUN pulumi: no ${absent} on PATH` };

const PROGRAM = `
const scm = require("@pulumi/scm");
const provider = new scm.Provider("scm", { authFile: process.env.SCM_AUTH_FILE });
const edge = new scm.Tag("edge", { folder: "Shared", name: "edge", color: "Red" }, { provider });
module.exports = { edgeId: edge.id };
`;

describe("Pulumi with the auth file", here, () => {
  let network: ScmNetwork;
  let jobs: AuthFileJobs;
  let programs: PulumiPrograms;
  let folder: string;
  before(async () => {
    programs = await openPulumiPrograms();
    folder = await programs.make("by-variable", { "index.js": PROGRAM });
  });
  after(() => programs.remove());
  beforeEach(async () => {
    network = await startScmNetwork();
    jobs = new AuthFileJobs(network);
  });
  afterEach(async () => {
    await jobs.remove();
    await network.close();
  });

  const step = (job: AuthFileJob, ...args: readonly string[]) =>
    pulumi(args, { folder, env: { ...job.env, SCM_AUTH_FILE: job.path } });
  const succeed = async (job: AuthFileJob, ...args: readonly string[]): Promise<string> => {
    const { exitCode, log } = await step(job, ...args);
    assert.equal(exitCode, 0, log);
    return log;
  };
  const apiCalls = () => network.server.requests.filter(({ path }) => path.startsWith("/config/"));

  test("previews, makes and destroys with the action's token, and asks for none", async (context) => {
    const job = await jobs.begin();
    await succeed(job, "stack", "init", "one");
    assert.match(await succeed(job, "preview"), /3 to create/);
    assert.match(await succeed(job, "up", "--yes", "--skip-preview"), /3 created/);
    assert.match(await succeed(job, "preview", "--expect-no-changes"), /3 unchanged/);
    assert.match(await succeed(job, "destroy", "--yes", "--skip-preview"), /3 deleted/);
    assert.deepEqual(
      apiCalls().map(({ method, status, headers }) => [method, status, headers.authorization]),
      [
        ["POST", 201, `Bearer ${job.token}`],
        ["DELETE", 200, `Bearer ${job.token}`],
      ],
    );
    assert.equal(tokenRequestsOf(network, /^Go-http-client/), 0);
    assert.equal(network.server.issued.length, 1);
    assert.match((await job.end()).log, /The auth file is removed/);
    const requests = `${apiCalls().length} requests to the API, 0 for a token`;
    context.diagnostic(`RAN pulumi ${await versionOf("pulumi")}: preview, up and destroy, ${requests}`);
  });

  test("goes on in another job, whose path is another, when the program tells it: the state has the old one", async (context) => {
    const first = await jobs.begin();
    await succeed(first, "stack", "init", "two");
    await succeed(first, "up", "--yes", "--skip-preview");
    await first.end();
    const second = await jobs.begin();
    assert.notEqual(second.path, first.path);
    assert.match(await succeed(second, "preview", "--diff"), /~ 1 to update\s+2 unchanged/);
    const plain = await step(second, "destroy", "--yes", "--skip-preview");
    assert.notEqual(plain.exitCode, 0);
    assert.ok(plain.log.includes(`open ${first.path}: no such file or directory`), plain.log);
    assert.match(await succeed(second, "destroy", "--yes", "--skip-preview", "--run-program"), /3 deleted/);
    assert.equal(tokenRequestsOf(network, /^Go-http-client/), 0);
    await second.end();
    context.diagnostic(`RAN pulumi ${await versionOf("pulumi")}: up in one job, destroy in another`);
  });
});
