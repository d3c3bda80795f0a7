import assert from "node:assert/strict";
import { chmod, cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { parse } from "yaml";
import {
  createProviderMirror,
  ensureRsync,
  findPackage,
  getClientVersion,
  getSkipReason,
  OPENTOFU,
  reportRun,
} from "../support/clients.ts";
import { createProgramDirectory } from "../support/command-line.ts";
import { runProcess, type ProcessResult } from "../support/processes.ts";
import { runAction } from "../support/run-action.ts";
import { createJob, inRepository } from "../support/runner-job.ts";
import { TOKEN_PATH } from "../support/scm-auth-server.ts";
import { startScmNetwork, type ScmNetwork } from "../support/scm-network.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { createTempDir } from "../support/temp-dir.ts";

/** Runs the published recipes for the command line with real clients, against a local server. */

const read = (path: string): Promise<string> => readFile(inRepository(path), "utf8");

type Environment = Readonly<Record<string, string>>;

interface Setup {
  readonly directory: string;
  readonly network: ScmNetwork;
  /** Runs a shell script with the credentials of the account, or with other variables instead of them. */
  readonly run: (script: string, env?: Environment, input?: string) => Promise<ProcessResult>;
}

/** Prepares a directory, a network with SCM's host names, and a shell with the command on PATH. */
async function prepare(t: TestContext): Promise<Setup> {
  const root = await createTempDir(t);
  const directory = join(root, "work");
  await mkdir(directory);
  const network = await startScmNetwork();
  const mirror = await createProviderMirror();
  t.after(async () => {
    await network.close();
    await mirror.remove();
  });
  const bin = await createProgramDirectory(root);
  const env = {
    ...{ ...network.env, ...mirror.env, HOME: root, PATH: `${bin}:${process.env["PATH"] ?? ""}` },
    // The API host of the SDK for Prisma AIRS.
    PANW_MGMT_ENDPOINT: "https://api.strata.paloaltonetworks.com/aisec",
    NO_PROXY: "127.0.0.1",
    ANSIBLE_COLLECTIONS_PATH: process.env["ANSIBLE_COLLECTIONS_PATH"] ?? join(homedir(), ".ansible/collections"),
  };
  const { clientId, clientSecret, tsgId } = network.server;
  const account: Environment = { SCM_CLIENT_ID: clientId, SCM_CLIENT_SECRET: clientSecret, SCM_TSG_ID: tsgId };
  const run: Setup["run"] = (script, more = account, input = "") =>
    runProcess("sh", ["-c", script], { cwd: directory, env: { ...env, ...more }, input, timeoutMs: 120_000 });
  return { directory, network, run };
}

/** Checks that one token was requested, that the API was called with it, and that no log contains a secret. */
function assertOneToken({ server }: ScmNetwork, path: RegExp, log: string): void {
  assert.equal(server.requests.filter((request) => request.path === TOKEN_PATH).length, 1, log);
  const calls = server.requests.filter((request) => path.test(request.path));
  assert.ok(calls.length > 0, log);
  for (const { headers } of calls) assert.equal(headers.authorization, `Bearer ${server.issued[0] ?? ""}`);
  assertNoSecret({ log }, [server.clientSecret, ...server.issued]);
}

interface Recipe {
  readonly name: string;
  readonly script: string;
  /** The variables of a workflow step; undefined for a script that uses the command. */
  readonly stepEnv?: Environment | undefined;
  readonly clients: readonly string[];
  /** The path of the API requests. */
  readonly path: RegExp;
  /** Whether the local server has what the tool asks for. */
  readonly succeeds: boolean;
}

const TAGS = /^\/config\/objects\/v1\/tags\b/;
/** The clients of each section that has scripts. */
const CLIENTS: Readonly<Record<string, Pick<Recipe, "clients" | "path" | "succeeds">>> = {
  "Terraform and OpenTofu: scm": { clients: OPENTOFU, path: TAGS, succeeds: true },
  "Terraform and OpenTofu: prismasdwan": {
    clients: ["terraform-provider-prismasdwan", "tofu"],
    path: /^\/sdwan\//,
    succeeds: false,
  },
  "Terraform and OpenTofu: venafi": {
    clients: ["terraform-provider-venafi", "tofu"],
    path: /^\/ngts\/v1\//,
    succeeds: false,
  },
  vcert: { clients: ["vcert"], path: /^\/ngts\/v1\//, succeeds: false },
  "Prisma AIRS SDK": { clients: ["prisma-airs-sdk"], path: /^\/aisec\/v1\/mgmt\/profiles\b/, succeeds: false },
  "pan-scm-cli": { clients: ["pan-scm-cli"], path: TAGS, succeeds: true },
  "pan-scm-sdk": { clients: ["pan-scm-sdk"], path: TAGS, succeeds: true },
  Ansible: { clients: ["cdot65.scm"], path: TAGS, succeeds: true },
  curl: { clients: ["curl"], path: TAGS, succeeds: true },
};

const page = await read("docs/tools.md");
const sections = page.split(/^## /m).map((text) => ({ name: text.split("\n")[0] ?? "", text }));
const recipes = sections.flatMap(({ name, text }): readonly Recipe[] => {
  const scripts = [...text.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, script = ""]) => ({ script }));
  const steps = [...text.matchAll(/^```yaml\n(- run:[^]*?)^```$/gm)].flatMap(([, block = ""]) =>
    (parse(block) as readonly { readonly run: string; readonly env?: Environment }[]).map(({ run, env = {} }) => ({
      script: run,
      stepEnv: env,
    })),
  );
  return [...steps, ...scripts].map((recipe) => {
    const client = CLIENTS[name];
    assert.ok(client, `the clients of ${name}`);
    return { name, ...recipe, ...client };
  });
});

/** Writes the blocks of a section that are files. Their first line is a comment with the name. */
async function writeFiles(section: string, directory: string): Promise<void> {
  const { text = "" } = sections.find(({ name }) => name === section) ?? {};
  for (const [, file = "", content = ""] of text.matchAll(/^```\w+\n(?:#|\/\/) ([\w.]+)\n([^]*?)^```$/gm))
    await writeFile(join(directory, file), content);
}

/** Signs in with the built action, and returns the environment of a later step. The job ends after the test. */
async function runScmAuthStep(t: TestContext, { server, env }: ScmNetwork, stepEnv: Environment): Promise<Environment> {
  const job = await createJob();
  const { clientId, clientSecret, tsgId } = server;
  const inputs = { "client-id": clientId, "client-secret": clientSecret, "tsg-id": tsgId, "auth-file": "true" };
  const main = await runAction({ inputs, env, job });
  assert.equal(main.exitCode, 0, main.log);
  t.after(async () => {
    await runAction({ inputs, env, job, post: { state: main.state } });
    await job.remove();
  });
  const values: Readonly<Record<string, string>> = {
    ...{ "vars.SCM_CLIENT_ID": clientId, "vars.SCM_TSG_ID": tsgId },
    ...Object.fromEntries(Object.entries(main.outputs).map(([name, value]) => [`steps.scm.outputs.${name}`, value])),
  };
  const evaluate = (text: string): string =>
    text.replace(/\$\{\{ ([\w.-]+) \}\}/g, (_, name: string) => values[name] ?? assert.fail(`unknown: ${name}`));
  const evaluated = Object.entries(stepEnv).map(([name, value]) => [name, evaluate(value)]);
  return { ...main.env, ...(Object.fromEntries(evaluated) as Environment) };
}

describe("docs/tools.md", { skip: process.platform === "win32" }, () => {
  for (const { name, script, stepEnv, clients, path, succeeds } of recipes)
    test(`${name} signs in once ${stepEnv ? "on GitHub" : "elsewhere"}: ${script.split("\n")[0] ?? ""}`, async (t) => {
      const reason = await getSkipReason(clients);
      if (reason !== false) {
        t.skip(reason);
        return;
      }
      const { directory, network, run } = await prepare(t);
      await cp(inRepository("examples/opentofu/main.tf"), join(directory, "main.tf"));
      await writeFiles(name, directory);
      const sdk = await findPackage("prisma-airs-sdk");
      if (sdk !== undefined) await symlink(dirname(dirname(sdk)), join(directory, "node_modules"));
      // The SDK for Prisma AIRS uses a proxy only with this variable, with which Node 22 prints a warning.
      const proxy = name === "Prisma AIRS SDK" ? "export NODE_USE_ENV_PROXY=1\n" : "";
      const { exitCode, log } = await run(proxy + script, stepEnv && (await runScmAuthStep(t, network, stepEnv)));
      assert.equal(exitCode === 0, succeeds, log);
      assertOneToken(network, path, log);
      const count = network.server.requests.length;
      const place = stepEnv ? "after a step with the action" : "with the command";
      await reportRun(t, clients[0] ?? "", `${name} ${place} (${count} requests, 1 for a token)`);
    });

  test("An MCP server that the published configuration starts answers a tool call", async (t) => {
    const reason = await getSkipReason(["mcp", "pan-scm-sdk"]);
    if (reason !== false) {
      t.skip(reason);
      return;
    }
    const { directory, network, run } = await prepare(t);
    await writeFiles("An MCP server", directory);
    const [, json = ""] = /^```json\n([^]*?)^```$/m.exec(page) ?? [];
    await writeFile(join(directory, "mcp.json"), json.replaceAll("/home/me", directory));
    await mkdir(join(directory, ".config/scm"), { recursive: true });
    await writeFile(join(directory, ".config/scm/secret"), network.server.clientSecret, { mode: 0o600 });
    const client = `import asyncio, json, os
from mcp import Client, StdioServerParameters
async def main():
    [server] = json.load(open("mcp.json"))["mcpServers"].values()
    server["env"] = {**os.environ, **server["env"]}
    async with Client(StdioServerParameters(**server)) as client:
        print((await client.call_tool("list_tags", {"folder": "All"})).structured_content)
asyncio.run(main())`;
    await writeFile(join(directory, "client.py"), client);
    const { exitCode, log } = await run("python client.py", {});
    assert.deepEqual([exitCode, /\{'result': .*\}/.exec(log)?.[0]], [0, "{'result': ['production', 'staging']}"], log);
    assertOneToken(network, TAGS, log);
    const count = network.server.requests.length;
    await reportRun(t, "mcp", `a tool call through scm-auth run (${count} requests, 1 for a token)`);
  });

  test("docs/command-line.md creates a file for the secret that only its owner can read", async (t) => {
    const { network, run } = await prepare(t);
    const [, block = "", variables = ""] =
      /^```sh\n([^]*?)^```$[^]*?^```sh\n([^]*?)\n\n/m.exec(await read("docs/command-line.md")) ?? [];
    assert.match(block, /umask/);
    // The test has its own identity.
    const secretFile = /^export SCM_CLIENT_SECRET_FILE=.*/m.exec(variables)?.[0] ?? "";
    const { clientId, clientSecret, tsgId } = network.server;
    const env = { SCM_CLIENT_ID: clientId, SCM_TSG_ID: tsgId };
    const { stdout, stderr } = await run(`${block}\n${secretFile}\nscm-auth token`, env, `${clientSecret}\n`);
    // The command would warn about a file that others can read.
    assert.deepEqual([stdout, stderr], [`${network.server.issued[0] ?? ""}\n`, ""]);
  });

  test("the commands in the README work as published", async (t) => {
    const { directory, network, run } = await prepare(t);
    const [, block = ""] = /^```sh\n([^]*?)^```$/m.exec(await read("README.md")) ?? [];
    const [install = "", ...commands] = block.trim().split("\n");
    assert.match(install, /^npm install/);
    // This program takes the place of OpenTofu, which is not available everywhere.
    const tofu = '#!/bin/sh\ntest "$1" = apply && test -s "$TF_VAR_scm_auth_file" && echo applied\n';
    await writeFile(join(directory, "tofu"), tofu, { mode: 0o755 });
    const { stdout, log } = await run(`set -e; PATH=.:$PATH\n${commands.join("\n")}`);
    assert.equal(stdout, `applied\n${network.server.issued.at(-1) ?? ""}\n`, log);
  });

  test("names the versions that are tried", async () => {
    for (const client of ["vcert", "prisma-airs-sdk", "pan-scm-cli", "pan-scm-sdk", "cdot65.scm", "mcp"]) {
      const version = await getClientVersion(client);
      // `go install` cannot set the version of vcert.
      if (version !== undefined && client !== "vcert") assert.ok(page.includes(` ${version} `), `${client} ${version}`);
    }
  });
});

describe("examples for other CI systems", { skip: process.platform === "win32" }, () => {
  test("examples/gitlab/.gitlab-ci.yml signs in once for all jobs, with gitlab-ci-local", async (t) => {
    const reason = await getSkipReason(["gitlab-ci-local", "git", "curl"]);
    if (reason !== false) {
      t.skip(reason);
      return;
    }
    const { directory, network, run } = await prepare(t);
    await cp(inRepository("examples/gitlab/.gitlab-ci.yml"), join(directory, ".gitlab-ci.yml"));
    await ensureRsync(join(directory, "../bin"));
    const variables = ["SCM_CLIENT_ID", "SCM_CLIENT_SECRET", "SCM_TSG_ID"].map(
      (name) => `--variable ${name}="$${name}"`,
    );
    const { exitCode, log } = await run(`git init -q && git config user.email a@example.com && git config user.name a &&
      git remote add origin https://gitlab.com/a/b.git && git add -A && git commit -qm x &&
      gitlab-ci-local --force-shell-executor ${variables.join(" ")}`);
    assert.equal(exitCode, 0, log);
    assert.match(log, /PASS .*tags: \[All\][^]*PASS .*tags: \[Shared\]/);
    assertOneToken(network, TAGS, log);
    await reportRun(t, "gitlab-ci-local", `.gitlab-ci.yml (${network.server.requests.length} requests, 1 for a token)`);
  });

  const azure = async (): Promise<readonly string[]> => {
    const { steps } = parse(await read("examples/azure/azure-pipelines.yml")) as {
      readonly steps: readonly { readonly script?: string; readonly task?: string; readonly env?: object }[];
    };
    for (const step of steps) assert.ok((step.script === undefined) !== (step.task === undefined));
    return steps.flatMap(({ script }) => script ?? []);
  };
  const jenkins = async (): Promise<readonly string[]> => {
    const text = await read("examples/jenkins/Jenkinsfile");
    return [...text.matchAll(/sh '''\n([^]*?)'''/g)].map(([, script = ""]) => script);
  };
  for (const [name, getScripts] of Object.entries({ "azure-pipelines.yml": azure, Jenkinsfile: jenkins }))
    test(`the scripts in ${name} apply a configuration`, async (t) => {
      const scripts = await getScripts();
      assert.ok(scripts.length > 0);
      const reason = await getSkipReason(OPENTOFU);
      if (reason !== false) {
        t.skip(reason);
        return;
      }
      const { directory, network, run } = await prepare(t);
      await cp(inRepository("examples/opentofu/main.tf"), join(directory, "main.tf"));
      const { exitCode, log } = await run(scripts.join("\n"));
      assert.equal(exitCode, 0, log);
      assertOneToken(network, TAGS, log);
    });

  test("the Jenkinsfile is valid Groovy", async (t) => {
    const reason = await getSkipReason(["tree-sitter-groovy"]);
    if (reason !== false) {
      t.skip(reason);
      return;
    }
    const program = `import sys, tree_sitter as ts, tree_sitter_groovy as groovy
parser = ts.Parser(ts.Language(groovy.language()))
print(parser.parse(sys.stdin.buffer.read()).root_node.has_error)`;
    const parsed = async (text: string): Promise<string> =>
      (await runProcess("python", ["-c", program], { input: text })).log;
    const text = await read("examples/jenkins/Jenkinsfile");
    assert.deepEqual([await parsed(text), await parsed(text.replace("agent any", "agent {"))], ["False\n", "True\n"]);
    await reportRun(t, "tree-sitter-groovy", "Jenkinsfile");
  });

  test("the command line in scm-auth.service writes the auth file", async (t) => {
    const { directory, network, run } = await prepare(t);
    const unit = await read("examples/systemd/scm-auth.service");
    const [, command = ""] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
    await mkdir(join(directory, ".config/scm"), { recursive: true });
    const secret = join(directory, ".config/scm/secret");
    await writeFile(secret, network.server.clientSecret);
    await chmod(secret, 0o600);
    const script = command.replaceAll("%t", join(directory, "runtime")).replaceAll("%h", directory);
    const { exitCode, stdout, stderr } = await run(`unset SCM_CLIENT_SECRET; timeout 5 ${script}`);
    // `timeout` ends the command with SIGTERM, and exits with 124.
    assert.deepEqual([exitCode, stdout, stderr], [124, `${directory}/runtime/scm/auth.json\n`, ""]);
    assert.equal(network.server.issued.length, 1);
  });
});
