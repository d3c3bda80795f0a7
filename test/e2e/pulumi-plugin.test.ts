import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, test, type TestContext } from "node:test";
import { parseTokenServerPort, PLACEHOLDER_SECRET } from "../../shared/auth-file/format.ts";
import { getSkipReason, reportRun } from "../support/clients.ts";
import { NetworkJobs } from "../support/network-jobs.ts";
import { PULUMI, PulumiStack } from "../support/pulumi-cli.ts";
import { TAGS_PATH } from "../support/scm-api.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { DESTROY, NO_CHANGES, REFRESH, UP } from "./pulumi-operations.ts";

/** Tests the plugin in TypeScript programs with the real engine, the generated SDK, and the real scm plugin. */

const LONG = process.env["SCM_AUTH_LONG_TESTS"] === undefined && "takes minutes: set SCM_AUTH_LONG_TESTS";
const TTL_SECONDS = 20;

/** @param args - the arguments of the AuthFile */
const createProgram = (args: string): string => `
import * as scm from "@pulumi/scm";
import * as scmAuth from "@pulumi/scm-auth";
const { ID: clientId, SECRET: clientSecret, TSG: tsgId } = process.env;
const auth = new scmAuth.AuthFile("scm-auth", { ${args} });
const provider = new scm.Provider("scm", { authFile: auth.path });
const web = new scm.Tag("web", { folder: "All", name: "web", color: "Red" }, { provider });
`;
const WITH_PAUSE = `${createProgram('path: ".scm/auth.json", clientId, clientSecret, tsgId')}
const wait = (value: string) => new Promise<string>((resolve) => setTimeout(() => resolve(value), ${TTL_SECONDS + 1}_000));
new scm.Tag("after", { folder: "All", name: web.id.apply(() => wait("after")), color: "Blue" }, { provider });
`;

describe("Pulumi plugin", { skip: await getSkipReason(PULUMI) }, () => {
  const networks: NetworkJobs[] = [];
  after(async () => {
    for (const jobs of networks) await jobs.close();
  });

  async function createStack(t: TestContext, program: string, ttl?: number): Promise<PulumiStack> {
    const jobs = await NetworkJobs.start(ttl);
    networks.push(jobs);
    return PulumiStack.createWithSdk(join(await createTempDir(t), "project"), jobs, program);
  }
  const getFile = ({ directory }: PulumiStack): string => join(directory, ".scm/auth.json");
  const report = (t: TestContext, what: string): Promise<void> => reportRun(t, "pulumi", what);

  test("a TypeScript program with the generated SDK works on a new machine in each operation", async (t) => {
    const stack = await createStack(t, createProgram('path: ".scm/auth.json"'));
    for (const args of [["preview"], UP, NO_CHANGES, REFRESH, [...UP, "--refresh"], DESTROY]) {
      await rm(getFile(stack), { force: true });
      assert.equal((await stack.succeed(args)).tokenRequests, 1, args.join(" "));
    }
    assert.equal(stack.jobs.network.server.countTokenRequests(/^Go-http-client/), 0);
    for (const method of ["POST", "DELETE"]) assert.equal(stack.jobs.countApiRequests(method, TAGS_PATH), 1);
    assert.ok(!existsSync(getFile(stack)));
    await stack.assertNoSecrets("scm-auth:index:AuthFile");
    await report(t, "TypeScript with the plugin: 6 operations, 1 token request each, 0 by the scm plugin");
  });

  test(
    "an update with credentials as arguments continues after a pause that is longer than the token lifetime",
    { skip: LONG },
    async (t) => {
      const stack = await createStack(t, WITH_PAUSE, TTL_SECONDS);
      const { clientId, clientSecret, tsgId } = stack.jobs.network.server;
      await stack.succeed(UP, { ID: clientId, SECRET: clientSecret, TSG: tsgId });
      assert.equal(stack.jobs.countApiRequests("POST", TAGS_PATH), 2);
      assert.equal(stack.jobs.network.server.countTokenRequests(/^Go-http-client/), 0);
      const file = JSON.parse(await readFile(getFile(stack), "utf8")) as Record<string, string>;
      assert.equal(file["client_secret"], PLACEHOLDER_SECRET);
      assert.equal(parseTokenServerPort(file["auth_url"] ?? ""), undefined);
      await stack.assertNoSecrets("scm-auth:index:AuthFile");
      await report(
        t,
        `TypeScript with the plugin: a pause of ${TTL_SECONDS + 1} s with credentials as arguments, 0 token requests by the scm plugin`,
      );
    },
  );
});
