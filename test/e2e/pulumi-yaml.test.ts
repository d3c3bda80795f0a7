import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, test, type TestContext } from "node:test";
import { getSkipReason, reportRun } from "../support/clients.ts";
import { NetworkJobs } from "../support/network-jobs.ts";
import { PULUMI_YAML, PulumiStack } from "../support/pulumi-cli.ts";
import { inRepository } from "../support/runner-job.ts";
import { ADDRESSES_PATH, TAGS_PATH } from "../support/scm-api.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { createOperations, DESTROY, NO_CHANGES, readTable, REFRESH, UP } from "./pulumi-operations.ts";

/** Tests the plugin in YAML programs with the real engine and the real scm plugin. */

const HEADER = "name: project\nruntime: yaml\n";
const PROGRAM = `${HEADER}resources:
  scm-auth:
    type: scm-auth:AuthFile
    properties: { path: .scm/auth.json }
  scm:
    type: pulumi:providers:scm
    properties: { authFile: "\${scm-auth.path}" }
  web:
    type: scm:Tag
    properties: { folder: All, name: web, color: Red }
    options: { provider: "\${scm}" }
`;
const AUTH_FILE = "scm-auth:index:AuthFile";

describe("Pulumi YAML", { skip: await getSkipReason(PULUMI_YAML), concurrency: 2 }, () => {
  const networks: NetworkJobs[] = [];
  after(async () => {
    for (const jobs of networks) await jobs.close();
  });

  async function createStack(t: TestContext, program: string | URL) {
    const jobs = await NetworkJobs.start();
    networks.push(jobs);
    const files = typeof program === "string" ? { "Pulumi.yaml": program } : program;
    return PulumiStack.createWithPlugin(join(await createTempDir(t), "project"), jobs, files);
  }
  const getFile = ({ directory }: PulumiStack): string => join(directory, ".scm/auth.json");
  const countProvider = ({ jobs }: PulumiStack): number => jobs.network.server.countTokenRequests(/^Go-http-client/);
  const report = (t: TestContext, what: string): Promise<void> => reportRun(t, "pulumi", what);

  test("each operation works without a file before it, with as many token requests as documented", async (t) => {
    const stack = await createStack(t, PROGRAM);
    const table = await readTable();
    const operations = createOperations(AUTH_FILE);
    const count = (method: string): number => stack.jobs.countApiRequests(method, TAGS_PATH);
    for (const { row, args, isWithoutAuthFile, keepsFile } of operations) {
      // Unlike in TypeScript, an operation that removes the tag succeeds.
      if (count("DELETE") > 0 && count("DELETE") === count("POST")) {
        await stack.setProgram(PROGRAM);
        await stack.succeed(UP);
      }
      await stack.setProgram(isWithoutAuthFile ? `${HEADER}resources: {}\n` : PROGRAM);
      if (!keepsFile) await rm(getFile(stack), { force: true });
      const { exitCode, log, tokenRequests } = await stack.run(args);
      assert.equal(exitCode === 0 ? `works, ${tokenRequests}` : log, table.get(row)?.[2], row);
    }
    assert.equal(table.size, operations.length);
    assert.equal(countProvider(stack), 0);
    assert.ok(!existsSync(getFile(stack)));
    assert.deepEqual([count("POST"), count("DELETE")], [3, 3]);
    await stack.assertNoSecrets(AUTH_FILE);
    await report(t, `YAML: ${operations.length} operations, 0 token requests by the scm plugin`);
  });

  test("examples/pulumi-yaml works with the action's auth file and makes no token requests", async (t) => {
    const stack = await createStack(t, new URL("../../examples/pulumi-yaml/", import.meta.url));
    const job = await stack.jobs.begin({ "auth-file": getFile(stack) });
    const results = [];
    for (const args of [UP, NO_CHANGES, REFRESH, DESTROY]) results.push(await stack.succeed(args, {}));
    assert.match(results[0]?.log ?? "", /scm:index:Address web-server created/);
    for (const path of [TAGS_PATH, ADDRESSES_PATH])
      for (const method of ["POST", "DELETE"]) assert.equal(stack.jobs.countApiRequests(method, path), 1);
    assert.ok(results.every(({ tokenRequests }) => tokenRequests === 0));
    await stack.assertNoSecrets(AUTH_FILE);
    assert.equal((await job.end()).exitCode, 0);
    await report(t, `examples/pulumi-yaml, ${results.length} operations with the file of the action, 0 token requests`);
  });

  test("the YAML program in docs/pulumi.md works with the plugin's directory as in docs/local-server.md", async (t) => {
    const [program = "", packages = ""] = await Promise.all(
      ["pulumi.md", "local-server.md"].map(async (page) => {
        const text = await readFile(inRepository(`docs/${page}`), "utf8");
        return /```yaml\n(packages:\n[^]*?)```/.exec(text)?.[1];
      }),
    );
    const stack = await createStack(t, HEADER);
    const local = packages.replace("/path/to/clone/provider/plugin", join(stack.directory, "../plugin"));
    const text = HEADER + program.replace(/^packages:\n( .*\n)+/m, local);
    await writeFile(join(stack.directory, "Pulumi.yaml"), text);
    assert.match((await stack.succeed(UP)).log, /scm:index:Tag web created/);
    await stack.succeed(DESTROY);
    await report(t, "YAML: the program in docs/pulumi.md, with the plugin's directory under packages");
  });

  test("a secret argument and tokens are not readable in the data that Pulumi stores, and changes show no other diff", async (t) => {
    const stack = await createStack(t, withArguments());
    const { clientId, clientSecret } = stack.jobs.network.server;
    await stack.succeed(["config", "set", "accountId", clientId]);
    await stack.succeed(["config", "set", "--secret", "accountSecret", clientSecret]);
    const run = (args: readonly string[]) => stack.succeed(args, {});
    await run(["preview", "--save-plan=plan.json"]);
    assert.match((await run([...UP, "--plan=plan.json"])).log, /again *: \[secret\]\n +token *: \[secret\]/);
    assert.equal((await run(NO_CHANGES)).tokenRequests, 0);
    await run(REFRESH);
    const { stdout } = await run(["stack", "export"]);
    const { deployment } = JSON.parse(stdout) as {
      deployment: { resources: { type: string; inputs?: object; outputs?: object }[] };
    };
    const [entry] = deployment.resources.filter(({ type }) => type === AUTH_FILE);
    assert.deepEqual(entry?.inputs, { clientId, path: ".scm/auth.json" });
    const change = async (program: string): Promise<string> => {
      await stack.setProgram(program);
      return (await run(UP)).log;
    };
    assert.match(await change(withArguments({ one: "uno", options: "aliases: [{ name: one }]" })), /4 unchanged/);
    const ignored = { one: "uno", options: "ignoreChanges: [scope]", args: "scope: email" };
    assert.match(await change(withArguments(ignored)), /4 unchanged/);
    assert.match(await change(withArguments({ one: "uno", two: "" })), /1 deleted/);
    assert.ok(existsSync(getFile(stack)), "the other AuthFile uses the file");
    assert.match(await change(withArguments({ one: "uno", two: "", path: "moved.json" })), /1 replaced/);
    assert.deepEqual([getFile(stack), join(stack.directory, "moved.json")].map(existsSync), [false, true]);
    await run(DESTROY);
    assert.ok(!existsSync(join(stack.directory, "moved.json")));
    await stack.assertNoSecrets(AUTH_FILE);
    const bytes = JSON.stringify([entry.inputs, entry.outputs]).length;
    await report(
      t,
      `YAML: plan, rename, ignoreChanges, replace, shared path; ${bytes} bytes of inputs and outputs for an AuthFile`,
    );
  });

  test("a wrong secret or a missing client ID is reported once, with a cause and a hint, in operations with and without the program", async (t) => {
    const stack = await createStack(t, PROGRAM);
    await stack.succeed(UP);
    const secret = "b0b9a7de-0000-4444-8888-wrong-secret";
    for (const args of [["preview"], REFRESH]) {
      await rm(getFile(stack), { force: true });
      const { exitCode, log } = await stack.run(args, { ...stack.credentials, SCM_CLIENT_SECRET: secret });
      assert.notEqual(exitCode, 0);
      const diagnostics = log.slice(log.indexOf("Diagnostics:"));
      assert.equal(diagnostics.match(/: invalid_client/g)?.length, 1, log);
      assert.match(diagnostics, /invalid_client.*\n.*The client ID or the secret is wrong/);
      assertNoSecret({ log }, [secret]);
    }
    const { SCM_CLIENT_ID: _, ...incomplete } = stack.credentials;
    await rm(getFile(stack), { force: true });
    for (const args of [REFRESH, DESTROY]) {
      const { exitCode, log } = await stack.run(args, incomplete);
      assert.notEqual(exitCode, 0);
      const diagnostics = log.slice(log.indexOf("Diagnostics:"));
      assert.equal(diagnostics.match(/set SCM_CLIENT_ID, or create the file first/g)?.length, 1, log);
    }
    await stack.succeed(DESTROY);
    await report(t, "YAML: a wrong secret in preview and refresh, no client ID in refresh and destroy, reported once");
  });

  test("Pulumi can generate an SDK from the schema, and an AuthFile cannot be imported", async (t) => {
    const stack = await createStack(t, PROGRAM);
    await stack.succeed(["package", "gen-sdk", "../plugin/schema.json", "--language", "nodejs", "--out", "sdk"]);
    assert.match(await readFile(join(stack.directory, "sdk/nodejs/authFile.ts"), "utf8"), /class AuthFile extends/);
    const imported = await stack.run(["import", AUTH_FILE, "scm-auth", ".scm/auth.json", "--yes"]);
    assert.match(imported.log, /Cannot read properties of undefined/, "the SDK of Pulumi does not support it");
    await report(t, "gen-sdk --language nodejs");
  });
});

/** A program whose credentials are arguments. */
function withArguments({ one = "one", two = "two", path = ".scm/auth.json", options = "", args = "" } = {}): string {
  const account = 'clientId: "${accountId}", clientSecret: "${accountSecret}"';
  const second = `  ${two}:\n    type: scm-auth:AuthFile\n    properties: { path: .scm/auth.json, ${account} }\n`;
  return `${HEADER}config:
  accountId: { type: string }
  accountSecret: { type: string, secret: true }
variables:
  again:
    fn::invoke:
      function: scm-auth:getAccessToken
      arguments: { authFile: "\${${one}.path}", ${account} }
      return: accessToken
resources:
  ${one}:
    type: scm-auth:AuthFile
    properties: { path: ${path}, ${account}, ${args} }
    options: { ${options} }
${two && second}  token:
    type: scm-auth:AccessToken
    properties: { ${account} }
outputs:
  token: \${token.accessToken}
  again: \${again}
`;
}
