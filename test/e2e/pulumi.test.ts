import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { after, describe, test, type TestContext } from "node:test";
import { getClientVersion, getSkipReason, reportRun } from "../support/clients.ts";
import { NetworkJobs } from "../support/network-jobs.ts";
import { findProgram, runProcess } from "../support/processes.ts";
import { PULUMI, PulumiStack } from "../support/pulumi-cli.ts";
import { ADDRESSES_PATH, TAGS_PATH } from "../support/scm-api.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { createOperations, DESTROY, NO_CHANGES, readTable, REFRESH, UP, type Operation } from "./pulumi-operations.ts";
import { createState } from "./pulumi-state.ts";

/** Tests `scm-auth/pulumi` and the action's auth file with the real engine and the real scm plugin. */

/** The User-Agent in the plugin's token requests. */
const PLUGIN = /^Go-http-client/;
const LONG = process.env["SCM_AUTH_LONG_TESTS"] === undefined && "takes minutes: set SCM_AUTH_LONG_TESTS";

const PROGRAM = `
const pulumi = require("@pulumi/pulumi");
const scm = require("@pulumi/scm");
const scmAuth = require("scm-auth/pulumi");
const auth = new scmAuth.AuthFile("scm-auth", { path: ".scm/auth.json" });
const provider = new scm.Provider("scm", { authFile: auth.path });
const web = new scm.Tag("web", { folder: "All", name: "web", color: "Red" }, { provider });
`;
/** A program that uses the auth file without this package. */
const PLAIN_PROGRAM = `
const scm = require("@pulumi/scm");
const provider = new scm.Provider("scm", { authFile: process.env.SCM_AUTH_FILE });
module.exports = { id: new scm.Tag("edge", { folder: "Shared", name: "edge", color: "Red" }, { provider }).id };
`;

describe("Pulumi", { skip: await getSkipReason(PULUMI), concurrency: 2 }, () => {
  const networks: NetworkJobs[] = [];
  after(async () => {
    for (const jobs of networks) await jobs.close();
  });

  async function createStack(t: TestContext, program: string | URL | Record<string, string>, ttl?: number) {
    const jobs = await NetworkJobs.start(ttl);
    networks.push(jobs);
    return PulumiStack.create(join(await createTempDir(t), "project"), jobs, program);
  }
  const getFile = ({ directory }: PulumiStack): string => join(directory, ".scm/auth.json");
  const countPlugin = ({ jobs }: PulumiStack): number => jobs.network.server.countTokenRequests(PLUGIN);
  const report = (t: TestContext, what: string): Promise<void> => reportRun(t, "pulumi", what);

  test("each operation makes as many token requests as documented in docs/pulumi.md", async (t) => {
    const stack = await createStack(t, PROGRAM);
    const table = await readTable();
    const operations = createOperations("pulumi-nodejs:dynamic/scm-auth:AuthFile");
    const perform = async ({ args, isWithoutAuthFile, keepsFile }: Operation, env = {}): Promise<string> => {
      await writeFile(join(stack.directory, "index.js"), isWithoutAuthFile ? "" : PROGRAM);
      if (!keepsFile) await rm(getFile(stack), { force: true });
      const { exitCode, log, tokenRequests } = await stack.run(args, { ...stack.credentials, ...env });
      if (exitCode === 0) return `works, ${tokenRequests}`;
      assert.match(log, /open \.scm\/auth\.json: no such file or directory/);
      return "**fails**";
    };
    for (const operation of operations) {
      const [plain, runProgram = ""] = table.get(operation.row) ?? [];
      assert.equal(await perform(operation), plain, operation.row);
      if (runProgram !== "the same")
        assert.equal(await perform(operation, { PULUMI_RUN_PROGRAM: "true" }), runProgram, operation.row);
    }
    assert.equal(table.size, operations.length);
    assert.equal(countPlugin(stack), 0);
    assert.ok(!existsSync(getFile(stack)));
    for (const method of ["POST", "DELETE"]) assert.equal(stack.jobs.countApiRequests(method, TAGS_PATH), 1);
    await stack.assertNoSecrets();
    await report(t, `${operations.length} operations, 0 token requests by the plugin`);
  });

  test("examples/pulumi works with the action's auth file and makes no token requests", async (t) => {
    const stack = await createStack(t, new URL("../../examples/pulumi/", import.meta.url));
    const job = await stack.jobs.begin({ "auth-file": getFile(stack) });
    const results = [];
    for (const args of [UP, NO_CHANGES, REFRESH, [...UP, "--refresh"], [...DESTROY, "--refresh"]])
      results.push(await stack.succeed(args, {}));
    assert.match(results[0]?.log ?? "", /scm:index:Address web-server created/);
    for (const path of [TAGS_PATH, ADDRESSES_PATH])
      for (const method of ["POST", "DELETE"]) assert.equal(stack.jobs.countApiRequests(method, path), 1);
    assert.ok(results.every(({ tokenRequests }) => tokenRequests === 0));
    assert.equal(stack.jobs.network.server.issued.length, 1);
    await stack.assertNoSecrets();
    assert.equal((await job.end()).exitCode, 0);
    await report(t, `examples/pulumi, ${results.length} operations with the file of the action, 0 token requests`);
  });

  test("a program without this package uses the action's auth file in one job and the next", async (t) => {
    const stack = await createStack(t, PLAIN_PROGRAM);
    const first = await stack.jobs.begin();
    const withFile = (path: string) => ({ SCM_AUTH_FILE: path });
    await stack.succeed(["preview"], withFile(first.path));
    assert.match((await stack.succeed(UP, withFile(first.path))).log, /3 created/);
    await first.end();
    const second = await stack.jobs.begin();
    const plain = await stack.run(DESTROY, withFile(second.path));
    assert.notEqual(plain.exitCode, 0);
    assert.ok(plain.log.includes(`open ${first.path}: no such file or directory`), plain.log);
    await stack.succeed([...DESTROY, "--run-program"], withFile(second.path));
    assert.deepEqual(
      stack.jobs.apiRequests.filter(({ method }) => method !== "GET").map(({ method, headers }) => [method, headers.authorization]),
      [["POST", `Bearer ${first.token}`], ["DELETE", `Bearer ${second.token}`]],
    ); // prettier-ignore
    assert.equal(countPlugin(stack), 0);
    await second.end();
    await report(t, "up in one job, destroy in another, 0 token requests by the plugin");
  });

  test("twenty AuthFiles with the same path make one token request and can be destroyed without the package", async (t) => {
    const loop = 'for (let i = 0; i < 20; i++) new scmAuth.AuthFile("auth" + i, { path: ".scm/auth.json" });';
    const stack = await createStack(t, `const scmAuth = require("scm-auth/pulumi");\n${loop}`);
    const up = await stack.succeed(["up", "--yes"]);
    assert.match(up.log, /21 created/);
    assert.equal(up.tokenRequests, 1);
    assert.equal((await stack.succeed(NO_CHANGES)).tokenRequests, 0);
    await rm(join(stack.directory, "node_modules/scm-auth"), { recursive: true });
    const refresh = await stack.run(REFRESH);
    assert.notEqual(refresh.exitCode, 0);
    assert.match(refresh.log, /AuthFile \(auth0\):\n +error: Missing: npm i scm-auth\n/);
    assert.match((await stack.succeed(DESTROY)).log, /21 deleted/);
    await stack.assertNoSecrets();
    await report(t, "20 AuthFiles with one path, 1 token request; destroyed without the package");
  });

  test("a state created by release 1.0 shows no changes", async (t) => {
    const stack = await createStack(t, PROGRAM);
    const state = createState("project", stack.jobs.network.server);
    await writeFile(join(stack.directory, "old.json"), JSON.stringify(state));
    await stack.succeed(["stack", "import", "--file", "old.json"]);
    assert.match((await stack.succeed(["preview"])).log, /\+ 2 to create\n +2 unchanged/);
    assert.match((await stack.succeed(UP)).log, /2 created\n +2 unchanged/);
    assert.match((await stack.succeed(REFRESH)).log, /4 unchanged/);
    // The engine's debug log contains the messages between its processes.
    await stack.succeed(["preview", "--logtostderr", "-v=9"]);
    await stack.succeed(DESTROY);
    assert.ok(!existsSync(getFile(stack)));
    await stack.assertNoSecrets();
    await report(t, "a state of 1.0: preview, up, refresh, destroy; -v=9 shows no secret");
  });

  test("neither a secret argument nor an AccessToken's token is readable in the data that Pulumi stores", async (t) => {
    const stack = await createStack(
      t,
      `const pulumi = require("@pulumi/pulumi");
       const scmAuth = require("scm-auth/pulumi");
       const { ID: clientId, SECRET: clientSecret } = process.env;
       const auth = new scmAuth.AuthFile("auth", { path: ".scm/auth.json", clientId, clientSecret });
       const token = new scmAuth.AccessToken("token", { clientId, clientSecret: pulumi.secret(clientSecret) });
       exports.token = token.accessToken;
       exports.again = scmAuth.getAccessTokenOutput({ authFile: auth.path, clientId, clientSecret });`,
    );
    const { clientId, clientSecret } = stack.jobs.network.server;
    const env = { ID: clientId, SECRET: clientSecret };
    await stack.succeed(["preview", "--save-plan=plan.json"], env);
    assert.match((await stack.succeed([...UP, "--plan=plan.json"], env)).log, / token: \[secret\]/);
    assert.equal((await stack.succeed(NO_CHANGES, env)).tokenRequests, 0);
    await stack.succeed(REFRESH, env);
    await stack.succeed(["stack", "export"], env);
    await stack.succeed(DESTROY, env);
    await stack.assertNoSecrets();
    await report(t, "state, backups, history, plan and logs contain neither secret nor token");
  });

  test("an alias renames an AuthFile, ignoreChanges does not apply to the program, and import is not supported", async (t) => {
    const create = (options: string): string =>
      `new (require("scm-auth/pulumi").AuthFile)(${options.replace("{", '{ path: ".scm/auth.json", ')});`;
    const stack = await createStack(t, create('"one", {}'));
    await stack.succeed(UP);
    const change = async (options: string) => {
      await writeFile(join(stack.directory, "index.js"), create(options));
      return stack.run(UP);
    };
    assert.match((await change('"uno", {}, { aliases: [{ name: "one" }] }')).log, /2 unchanged/);
    const ignored = await change('"uno", { scope: "email" }, { ignoreChanges: ["scope"] }');
    assert.match(ignored.log, /contains a valid token for another identity/);
    const type = "pulumi-nodejs:dynamic/scm-auth:AuthFile";
    const { log } = await stack.run(["import", type, "imported", ".scm/auth.json", "--yes"]);
    assert.match(log, /code must be a string/, "the error comes from Pulumi");
    await report(t, "rename, ignoreChanges, import");
  });

  test("a wrong secret is sent only once, and the error has a cause and a hint", async (t) => {
    const stack = await createStack(t, PROGRAM);
    const secret = "b0b9a7de-0000-4444-8888-wrong-secret";
    const env = { ...stack.credentials, SCM_CLIENT_SECRET: secret };
    const { exitCode, log, tokenRequests } = await stack.run(["up", "--yes"], env);
    assert.notEqual(exitCode, 0);
    assert.equal(tokenRequests, 1, log);
    const [, diagnostics = ""] = /Diagnostics:\n([^]*?)\n\nResources:/.exec(log) ?? [];
    assert.match(diagnostics, /error: Authentication error: .*invalid_client/);
    assert.match(diagnostics, /the secret is wrong/);
    assert.doesNotMatch(diagnostics, /^\s+at /m);
    assertNoSecret({ log }, [secret]);
    await report(t, "a wrong secret, 1 token request");
  });

  test("an inline program works with the Automation API", async (t) => {
    const stack = await createStack(t, {
      "run.cjs": `
        const { LocalWorkspace } = require("@pulumi/pulumi/automation");
        const program = async () => { ${PROGRAM} return { path: auth.path }; };
        (async () => {
          const stack = await LocalWorkspace.createOrSelectStack({ stackName: "auto", projectName: "automation", program });
          const up = await stack.up();
          const preview = await stack.preview();
          await stack.destroy();
          console.log(JSON.stringify([up.outputs.path.value, up.summary.resourceChanges, preview.changeSummary]));
        })().catch((error) => { console.error(error); process.exit(1); });`,
    });
    const PATH = [await createVersionedCli(stack.directory), process.env["PATH"]].join(delimiter);
    const env = { ...stack.env, ...stack.credentials, PATH };
    const options = { cwd: stack.directory, env, timeoutMs: 180_000 };
    const { exitCode, stdout, log } = await runProcess(process.execPath, ["run.cjs"], options);
    assert.equal(exitCode, 0, log);
    assert.deepEqual(JSON.parse(stdout), [".scm/auth.json", { create: 4 }, { same: 4 }]);
    assert.equal(stack.jobs.network.server.issued.length, 1);
    assertNoSecret({ log }, [stack.jobs.network.server.clientSecret, ...stack.jobs.network.server.issued]);
    await report(t, "an inline program of the Automation API: up, preview, destroy, 1 token request");
  });

  const TTL_SECONDS = 20;
  const withPause = (seconds: number): string => `${PROGRAM}
const wait = (value) => new Promise((resolve) => setTimeout(() => resolve(value), ${seconds * 1000}));
new scm.Tag("after", { folder: "All", name: web.id.apply(() => wait("after")), color: "Blue" }, { provider });`;

  test("an update continues after a pause that is longer than the token lifetime", { skip: LONG }, async (t) => {
    const stack = await createStack(t, withPause(TTL_SECONDS + 1), TTL_SECONDS);
    const job = await stack.jobs.begin({ "auth-file": getFile(stack) });
    await stack.succeed(UP, {});
    assert.equal(stack.jobs.countApiRequests("POST", TAGS_PATH), 2);
    assert.equal(stack.jobs.network.server.countTokenRequests(/^Go-http-client|pulumi/), 0);
    assert.notEqual((JSON.parse(await readFile(job.path, "utf8")) as { jwt: string }).jwt, job.token);
    await job.end();
    await report(t, `a pause of ${TTL_SECONDS + 1} s with the file of the action, 0 token requests by Pulumi`);
  });

  test("an update with credentials continues after the same pause", { skip: LONG }, async (t) => {
    const stack = await createStack(t, withPause(TTL_SECONDS + 1), TTL_SECONDS);
    await stack.succeed(UP);
    assert.equal(stack.jobs.countApiRequests("POST", TAGS_PATH), 2);
    // If the credentials are in its environment, an idle plugin may sign in on its own.
    assert.ok(countPlugin(stack) <= 1);
    await report(
      t,
      `a pause of ${TTL_SECONDS + 1} s with credentials, ${countPlugin(stack)} token requests by the plugin`,
    );
  });

  test("an update fails after the pause if the file is not refreshed", { skip: LONG }, async (t) => {
    // Pulumi may take many seconds to start, and a token that expires too soon is not used.
    const stack = await createStack(t, withPause(61), 60);
    await stack.jobs.begin({ "auth-file": getFile(stack), "keep-fresh": "false" });
    const { exitCode, log } = await stack.run(UP, {});
    assert.notEqual(exitCode, 0);
    assert.match(log, /auth error: invalid_client/);
    assert.equal(stack.jobs.countApiRequests("POST", TAGS_PATH), 1);
  });
});

/**
 * Creates a directory with a `pulumi` that reports a version. The Automation API rejects a source build without one.
 */
async function createVersionedCli(directory: string): Promise<string> {
  const bin = join(directory, "bin");
  const path = (await findProgram("pulumi")) ?? "pulumi";
  const isVersioned = /^\d/.test((await getClientVersion("pulumi")) ?? "");
  const version = isVersioned ? "" : 'if [ "$1" = version ]; then echo v3.260.0; exit; fi\n';
  await mkdir(bin);
  await writeFile(join(bin, "pulumi"), `#!/bin/sh\n${version}exec ${path} "$@"\n`, { mode: 0o755 });
  return bin;
}
