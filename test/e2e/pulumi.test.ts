import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { assertNoCanary } from "../support/canaries.ts";
import { AuthFileJobs, tokenRequestsOf } from "../support/auth-file-job.ts";
import { runCommand } from "../support/command.ts";
import { pulumi, pulumiSurroundings, PULUMI_TOOLS } from "../support/pulumi.ts";
import {
  formatted,
  OPERATIONS,
  tableOf,
  tableOfPage,
  writeTable,
  type Operation,
  type Row,
} from "../support/pulumi-operations.ts";
import { onlyIfLong } from "../support/long-tests.ts";
import { ADDRESSES_PATH, TAGS_PATH } from "../support/scm-api.ts";
import { findProgram, missingTool, versionOf } from "../support/tools.ts";
import { credentialsOf, PulumiStage, type PulumiRun, type RealStack } from "./pulumi-stage.ts";
import { stateOf } from "./pulumi-state.ts";

/**
 * `scm-auth/pulumi` on the real engine with the real scm plugin, installed as npm packs it. Every log is searched for
 * secrets, and so is all that Pulumi keeps.
 */
const absent = await missingTool(PULUMI_TOOLS);
const here = { skip: absent === undefined ? false : `NOT RUN pulumi: no ${absent} on PATH` };
/** Writes the table of docs/pulumi.md anew, in place of comparing it. */
const isWriting = process.env["SCM_AUTH_WRITE_TABLES"] !== undefined;

/** The plugin, as it calls itself when it signs in. */
const PLUGIN = /^Go-http-client/;
const RUN_PROGRAM = { PULUMI_RUN_PROGRAM: "true" };
const UP = ["up", "--yes", "--skip-preview"] as const;
const DESTROY = ["destroy", "--yes", "--skip-preview"] as const;
const NO_CHANGES = ["preview", "--expect-no-changes"] as const;

const PROGRAM = `
const pulumi = require("@pulumi/pulumi");
const scm = require("@pulumi/scm");
const scmAuth = require("scm-auth/pulumi");
const auth = new scmAuth.AuthFile("scm-auth", { path: ".scm/auth.json" });
const provider = new scm.Provider("scm", { authFile: auth.path });
const web = new scm.Tag("web", { folder: "All", name: "web", color: "Red" }, { provider });
`;

/** URNs in the stack that runs PROGRAM. */
const urnOf = (project: string, type: string, name: string): string => `urn:pulumi:dev::${project}::${type}::${name}`;
const AUTH_FILE = "pulumi-nodejs:dynamic/scm-auth:AuthFile";
const TAG = "scm:index/tag:Tag";

describe("scm-auth/pulumi on the real engine", { ...here, concurrency: 2 }, () => {
  const stage = new PulumiStage();
  before(() => stage.open());
  after(() => stage.close());

  const ran = async (context: TestContext, what: string): Promise<void> => {
    context.diagnostic(`RAN pulumi ${await versionOf("pulumi")}: ${what}`);
  };
  const fileOf = ({ folder }: RealStack): string => join(folder, ".scm/auth.json");

  test("each operation asks for as many tokens as the docs say, though no file is there before it", async (context) => {
    const stack = await stage.stack("operations", PROGRAM);
    const credentials = credentialsOf(stack.network);
    const perform = async ({ args, findsFile }: Operation, env: Readonly<Record<string, string>> = {}) => {
      if (!findsFile) await rm(fileOf(stack), { force: true });
      const urns = args.map((arg) =>
        arg
          .replace("<AuthFile>", urnOf("operations", AUTH_FILE, "scm-auth"))
          .replace("<Tag>", urnOf("operations", TAG, "web")),
      );
      return stack.run(urns, { ...credentials, ...env });
    };
    const rows: Row[] = [];
    for (const operation of OPERATIONS) {
      const { name, runsProgram, works } = operation;
      const plain = await perform(operation);
      assert.equal(plain.ok, works[0], `${name}\n${plain.log}`);
      if (!plain.ok) assert.match(plain.log, /open \.scm\/auth\.json: no such file or directory/, name);
      const runProgram = runsProgram ? undefined : await perform(operation, RUN_PROGRAM);
      if (runProgram) assert.equal(runProgram.ok, works[1], `${name}\n${runProgram.log}`);
      rows.push({ name, plain, runProgram });
    }
    assert.equal(tokenRequestsOf(stack.network, PLUGIN), 0, "the plugin itself never signs in");
    assert.ok(!existsSync(fileOf(stack)), "nor does a file stay");
    assert.equal(stack.calls("POST", TAGS_PATH), 1);
    assert.equal(stack.calls("DELETE", TAGS_PATH), 1);
    await stack.assertKeepsSecrets();
    if (isWriting) await writeTable(tableOf(rows));
    else assert.equal(await tableOfPage(), await formatted(tableOf(rows)));
    const seen = rows.flatMap(({ plain, runProgram }) => [plain, ...(runProgram ? [runProgram] : [])]);
    const requests = seen.reduce((sum, one) => sum + one.requests, 0);
    await ran(context, `${seen.length} operations, ${requests} token requests, 0 of them by the plugin`);
  });

  test("the example goes its way with the file of the action, and asks for no token", async (context) => {
    const stack = await stage.stack("example", new URL("../../examples/pulumi/", import.meta.url));
    const jobs = new AuthFileJobs(stack.network);
    const job = await jobs.begin({ "auth-file": fileOf(stack) });
    const operations = [UP, NO_CHANGES, ["refresh", "--yes", "--skip-preview"], [...UP, "--refresh"]] as const;
    const runs: PulumiRun[] = [];
    for (const args of operations) runs.push(await stack.succeed(args, {}));
    assert.match(runs[0]?.log ?? "", /scm:index:Address web-server created/);
    runs.push(await stack.succeed([...DESTROY, "--refresh"], {}));
    assert.deepEqual([stack.calls("POST", TAGS_PATH), stack.calls("POST", ADDRESSES_PATH)], [1, 1]);
    assert.deepEqual([stack.calls("DELETE", TAGS_PATH), stack.calls("DELETE", ADDRESSES_PATH)], [1, 1]);
    assert.ok(runs.every(({ requests }) => requests === 0));
    assert.equal(stack.network.server.issued.length, 1);
    await stack.assertKeepsSecrets();
    assert.match((await job.end()).log, /^The auth file is removed/);
    await jobs.remove();
    await ran(context, `examples/pulumi, ${runs.length} operations with the action's file, no token request`);
  });

  test("twenty on one path ask for one token, and are destroyed when the package is gone", async (context) => {
    const program = 'for (let i = 0; i < 20; i++) new scmAuth.AuthFile("auth" + i, { path: ".scm/auth.json" });';
    const stack = await stage.stack("twenty", `const scmAuth = require("scm-auth/pulumi");\n${program}`);
    const up = await stack.succeed(["up", "--yes"]);
    assert.match(up.log, /21 created/);
    assert.equal(up.requests, 1);
    assert.equal((await stack.succeed(NO_CHANGES)).requests, 0);
    await rm(join(stack.folder, "node_modules/scm-auth"), { recursive: true });
    const refresh = await stack.run(["refresh", "--yes", "--skip-preview"]);
    assert.equal(refresh.ok, false);
    assert.match(refresh.log, /AuthFile \(auth0\):\n +error: Missing: npm i scm-auth\n/);
    const gone = await stack.succeed(DESTROY);
    assert.match(gone.log, /21 deleted/);
    await stack.assertKeepsSecrets();
    await ran(context, "20 AuthFiles on one path, 1 token request; destroyed after the package was removed");
  });

  test("a state that 1.0 wrote works on, and shows no change", async (context) => {
    const stack = await stage.stack("old", PROGRAM);
    // Nothing in it comes from the sources of today.
    await writeFile(join(stack.folder, "old.json"), JSON.stringify(stateOf("old", stack.network.server)));
    await stack.succeed(["stack", "import", "--file", "old.json"]);
    const preview = await stack.succeed(["preview"]);
    assert.match(preview.log, /\+ 2 to create\n +2 unchanged/, "what is new is the scm provider and its tag");
    assert.match((await stack.succeed(UP)).log, /2 created\n +2 unchanged/);
    assert.match((await stack.succeed(["refresh", "--yes", "--skip-preview"])).log, /4 unchanged/);
    // The engine's own log, which shows what goes between its processes: with the credentials in the environment and no
    // token in an output there is nothing to show.
    await stack.succeed(["preview", "--logtostderr", "-v=9"]);
    await stack.succeed(DESTROY);
    assert.ok(!existsSync(fileOf(stack)));
    await stack.assertKeepsSecrets();
    await ran(context, "a state with the text of 1.0: preview, up, refresh, destroy; -v=9 shows no secret");
  });

  test("a secret given as an argument is in nothing that Pulumi keeps, and a token of AccessToken not in clear", async (context) => {
    const stack = await stage.stack(
      "given",
      `const pulumi = require("@pulumi/pulumi");
       const scmAuth = require("scm-auth/pulumi");
       const { ID: clientId, SECRET: clientSecret } = process.env;
       const auth = new scmAuth.AuthFile("auth", { path: ".scm/auth.json", clientId, clientSecret });
       const token = new scmAuth.AccessToken("token", { clientId, clientSecret: pulumi.secret(clientSecret) });
       exports.token = token.accessToken;
       exports.again = scmAuth.getAccessTokenOutput({ authFile: auth.path, clientId, clientSecret });`,
    );
    const { server } = stack.network;
    const env = { ID: server.clientId, SECRET: server.clientSecret };
    await stack.succeed(["preview", "--save-plan=plan.json"], env);
    assert.match((await stack.succeed([...UP, "--plan=plan.json"], env)).log, / token: \[secret\]/);
    assert.equal((await stack.succeed(NO_CHANGES, env)).requests, 0);
    assert.match((await stack.succeed(["refresh", "--yes", "--skip-preview"], env)).log, /3 unchanged/);
    assert.equal((await stack.succeed(["stack", "export"], env)).log.includes("clientSecret"), false);
    await stack.succeed(DESTROY, env);
    await stack.assertKeepsSecrets();
    await ran(context, "state, backups, history, plan and logs hold neither secret nor token");
  });

  test("a wrong secret is sent once, and what is shown are a cause and what to do", async (context) => {
    const stack = await stage.stack("wrong", PROGRAM);
    const wrong = "b0b9a7de-0000-4444-8888-wrong-secret";
    const env = { ...credentialsOf(stack.network), SCM_CLIENT_SECRET: wrong };
    const { ok, log, requests } = await stack.run(["up", "--yes"], env);
    assert.deepEqual([ok, requests], [false, 1], log);
    const [, shown = ""] = /Diagnostics:\n([^]*?)\n\nResources:/.exec(log) ?? [];
    const [, cause = "", advice = "", ...more] = shown.split("\n").filter((line) => !line.includes("from $PATH"));
    assert.match(cause, /^ +error: Authentication error: the server refused to sign in \(status 401\): invalid_client/);
    assert.match(advice, /^ +The client id or the secret is wrong\./);
    assert.deepEqual(more, []);
    assertNoCanary([wrong], { log });
    await ran(context, "a wrong secret: 1 token request");
  });

  test("an inline program of the Automation API works", async (context) => {
    const stack = await stage.stack("automation", {
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
    const { exitCode, stdout, log } = await runCommand(process.execPath, ["run.cjs"], {
      folder: stack.folder,
      env: {
        ...pulumiSurroundings(stack.folder),
        ...stack.network.env,
        ...credentialsOf(stack.network),
        PATH: [await withVersion(stack.folder), process.env["PATH"]].join(delimiter),
      },
      timeoutMs: 120_000,
    });
    assert.equal(exitCode, 0, log);
    assert.deepEqual(JSON.parse(stdout), [".scm/auth.json", { create: 4 }, { same: 4 }]);
    assert.equal(stack.network.server.issued.length, 1);
    assertNoCanary(stack.secrets, { log });
    await ran(context, "an inline program of the Automation API: up, preview, destroy, 1 token request");
  });

  /** Seconds. So short that a pause can be longer. */
  const LIFE = 20;
  const PAUSE = LIFE + 1;
  const paused = (seconds: number): string => `${PROGRAM}
const wait = (value) => new Promise((resolve) => setTimeout(() => resolve(value), ${seconds * 1000}));
new scm.Tag("after", { folder: "All", name: web.id.apply(() => wait("after")), color: "Blue" }, { provider });`;

  test(`an update goes on after ${PAUSE} s without a call, with tokens of ${LIFE} s`, onlyIfLong, async (context) => {
    const stack = await stage.stack("pause", paused(PAUSE), LIFE);
    await stack.succeed(UP);
    assert.equal(stack.calls("POST", TAGS_PATH), 2);
    const plugin = tokenRequestsOf(stack.network, PLUGIN);
    assert.ok(plugin <= 1, "with the credentials in its environment an idle plugin may sign in by itself");
    await ran(context, `a pause of ${PAUSE} s, tokens of ${LIFE} s: ${plugin} token request(s) by the plugin`);
  });

  test("and with the file of the action, without any secret in Pulumi's environment", onlyIfLong, async (context) => {
    const stack = await stage.stack("kept", paused(PAUSE), LIFE);
    const jobs = new AuthFileJobs(stack.network);
    const job = await jobs.begin({ "auth-file": fileOf(stack) });
    await stack.succeed(UP, {});
    assert.equal(stack.calls("POST", TAGS_PATH), 2);
    assert.equal(tokenRequestsOf(stack.network, /^Go-http-client|pulumi/), 0);
    assert.ok((JSON.parse(await readFile(job.path, "utf8")) as { jwt: string }).jwt !== job.token);
    assert.match((await job.end()).log, /renewed it \d+ time/);
    await jobs.remove();
    await ran(context, `a pause of ${PAUSE} s with the action's file, no token request of Pulumi's`);
  });

  test("and stops half-way when nobody keeps that file fresh", onlyIfLong, async () => {
    // On a slow machine Pulumi takes many seconds to start, and a token near its end is not taken.
    const stack = await stage.stack("unkept", paused(61), 60);
    const jobs = new AuthFileJobs(stack.network);
    await jobs.begin({ "auth-file": fileOf(stack), "keep-fresh": "false" });
    const { ok, log } = await stack.run(UP, {});
    assert.equal(ok, false);
    assert.match(log, /auth error: invalid_client/);
    assert.equal(stack.calls("POST", TAGS_PATH), 1);
    await jobs.remove();
  });
});

/**
 * A folder with the engine that says its version. One that was built from its sources says none, and the Automation API
 * does not take it.
 */
async function withVersion(folder: string): Promise<string> {
  const bin = join(folder, "bin");
  const says = /^v?\d/.test((await pulumi(["version"], { folder, env: {} })).stdout) ? "" : "v3.260.0";
  const script = `#!/bin/sh
if [ "$1" = version ] && [ -n "${says}" ]; then echo "${says}"; else exec ${(await findProgram("pulumi")) ?? "pulumi"} "$@"; fi
`;
  await mkdir(bin);
  await writeFile(join(bin, "pulumi"), script, { mode: 0o755 });
  return bin;
}
