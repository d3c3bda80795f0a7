import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { parse } from "yaml";

import { PROVIDER } from "../provider/abi.ts";
import { Stage } from "./provider/stage.ts";
import { Stack } from "./support/engine.ts";
import { npmProject, SDK, writeFiles } from "./support/pulumi-project.ts";
import { OPERATIONS, tableOfPage } from "./support/pulumi-operations.ts";
import { pulumiPrograms } from "./support/programs.ts";
import { SCM_SDK } from "./support/scm-sdk.ts";
import { assertNoCanary, tokenCanaries } from "./support/canaries.ts";
import { startScmNetwork, type ScmNetwork } from "./support/scm-network.ts";
import { onlyIfLong } from "./support/long-tests.ts";
import { spawn } from "./support/searched-process.ts";

/**
 * What docs and examples show to users of Pulumi: the programs run, by the real program host and the real dynamic
 * provider; and the page says what is so.
 */
const root = fileURLToPath(new URL("..", import.meta.url));
const page = readFileSync(join(root, "docs/pulumi.md"), "utf8");

const example = { name: "examples/pulumi", code: readFileSync(join(root, "examples/pulumi/index.ts"), "utf8") };
const programs = [...pulumiPrograms, example];
const isUnitTest = (code: string): boolean => code.includes("setMocks");

describe("The Pulumi programs of docs and examples", { concurrency: 2 }, () => {
  const stage = new Stage();
  let network: ScmNetwork;
  before(async () => {
    network = await startScmNetwork();
  });
  after(() => network.close());

  const sdk = Object.fromEntries(
    Object.entries(SCM_SDK).map(([name, text]) => [`node_modules/@pulumi/scm/${name}`, text] as const),
  );
  const folderOf = (name: string): string => name.replace(/\W+/g, "-");

  for (const { name, code } of programs.filter((program) => !isUnitTest(program.code))) {
    test(
      `${name}: an update, no change after it, and the end`,
      name.startsWith("README") ? {} : onlyIfLong,
      async () => {
        const { server } = network;
        // A path may lead out of the program's folder.
        const folder = await npmProject(stage.bench, `${folderOf(name)}/program`, { "index.ts": code, ...sdk });
        const env = {
          ...{ ...stage.envOf(server), ...network.env, SCM_TOKEN_URL: undefined, SCM_TSG_ID: server.tsgId },
          // As the README says of proxies: node's own fetch goes through one when it is told to.
          ...{ NODE_USE_ENV_PROXY: "1", no_proxy: "127.0.0.1" },
          // The types are looked at below.
          PULUMI_NODEJS_TRANSPILE_ONLY: "true",
        };
        const stack = new Stack({ folder, env, typescript: true });
        const up = await stack.up();
        assert.deepEqual([up.ok, up.diagnostics], [true, ""]);
        const again = await stack.preview();
        assert.deepEqual([again.ok, again.steps], [true, []], again.diagnostics);
        assert.ok((await stack.destroy()).ok);
        assert.equal(stack.resources.length, 0);
        const secrets = [server.clientSecret, ...server.issued.flatMap(tokenCanaries)];
        assertNoCanary(secrets, { "the state": stack.stateText, diagnostics: up.diagnostics + again.diagnostics });
      },
    );
  }

  test("the page's unit test passes, without an account and without a file", async () => {
    const [unitTest, ...more] = programs.filter(({ code }) => isUnitTest(code));
    assert.ok(unitTest && more.length === 0);
    const folder = await npmProject(stage.bench, "unit", { "program.test.mts": unitTest.code });
    const child = spawn(process.execPath, ["--test", "program.test.mts"], {
      cwd: folder,
      env: { PATH: process.env["PATH"] },
      timeout: 60_000,
    });
    const ended = once(child, "close") as Promise<[number | null]>;
    const [[exitCode], said] = await Promise.all([ended, text(child.stdout)]);
    assert.equal(exitCode, 0, said);
    assert.match(said, /pass 1\b/);
    assert.ok(!existsSync(join(folder, ".scm")));
  });

  test("they pass the strictest of type checks", async () => {
    const folder = join(stage.bench.folder, "types");
    const names = programs.map(({ name }) => `${folderOf(name)}.ts`);
    await writeFiles(folder, { ...sdk, ...Object.fromEntries(programs.map(({ code }, n) => [names[n] ?? "", code])) });
    const files = names.map((name) => join(folder, name));
    const checker = ts.createProgram(files, {
      ...{ target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.NodeNext, noEmit: true, skipLibCheck: true },
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noUnusedLocals: true },
      // What the package's own sources need, which stand in here for its types.
      allowImportingTsExtensions: true,
      paths: { "scm-auth/pulumi": [join(root, "provider/program/index.ts")], "@pulumi/pulumi": [SDK] },
      types: ["node"],
      typeRoots: [join(root, "node_modules/@types")],
    });
    const found = files.flatMap((file) => {
      const source = checker.getSourceFile(file);
      return [...checker.getSyntacticDiagnostics(source), ...checker.getSemanticDiagnostics(source)];
    });
    assert.deepEqual(
      found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")),
      [],
    );
    assert.ok(files.length >= 6);
  });
});

test("the page's table has a row for each operation that is tried on the real engine, and says what works", async () => {
  const rows = (await tableOfPage()).split("\n").slice(2);
  const cells = rows.map((row) => row.split("|").map((cell) => cell.trim()));
  assert.deepEqual(
    cells.map(([, name, plain = "", runProgram = ""]) => [
      name,
      ...[plain, runProgram === "the same" ? plain : runProgram].map((cell) => /^works, \d$/.test(cell)),
    ]),
    OPERATIONS.map(({ name, works }) => [name, ...works]),
  );
});

/** Messages of others; the first is what the tests on the real engine expect. */
const FOREIGN = [
  "Provider parameter value error: open .scm/auth.json: no such file or directory",
  "auth error: invalid_client",
  "Cannot find module '@pulumi/pulumi/cmd/dynamic-provider'",
];

test("the page quotes messages as they are", async () => {
  const entries = await Promise.all(
    ["provider", "shared", "action"].map((folder) => readdir(join(root, folder), { recursive: true })),
  );
  const paths = ["provider", "shared", "action"].flatMap((folder, n) =>
    (entries[n] ?? []).filter((name) => name.endsWith(".ts")).map((name) => join(root, folder, name)),
  );
  const sources = (await Promise.all(paths.map((path) => readFile(path, "utf8")))).join("\n");
  const [, table = ""] = /## When it fails([^]*)## Moving away/.exec(page) ?? [];
  const quoted = table
    .split("\n")
    .flatMap((line) => /^\| (`.*?`) +\|/.exec(line)?.[1] ?? [])
    .flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, message = ""]) => message));
  assert.ok(quoted.length >= 10);
  // Names, numbers and what a server said are put in when the message is made.
  const parts = quoted
    .filter((message) => !FOREIGN.includes(message))
    .flatMap((message) => message.split(/\b(?:clientId|clientSecret) \(or \w+\)|\(status \d+\): \w+/))
    .map((part) => part.replace(/[.:]$/, "").trim());
  for (const part of parts) assert.ok(sources.includes(part), part);
  for (const message of FOREIGN) assert.ok(quoted.includes(message), message);
});

test("the page says how long the text in a state is", () => {
  assert.ok(page.includes(`${Buffer.byteLength(PROVIDER)} bytes of code`));
});

test("the page's steps stand in the workflow, and its variables are those that are read", async () => {
  const workflow = await readFile(join(root, "examples/workflows/pulumi.yml"), "utf8");
  const [steps = "", environment = ""] = [...page.matchAll(/```yaml\n([^]*?)```/g)].map(([, block = ""]) => block);
  const lines = workflow.split("\n").map((line) => line.trim());
  for (const line of steps.trim().split("\n")) assert.ok(lines.includes(line.trim()), line);
  const { values } = parse(environment) as { values: { environmentVariables: object } };
  assert.deepEqual(Object.keys(values.environmentVariables), [
    "SCM_CLIENT_ID",
    "SCM_CLIENT_SECRET",
    "SCM_TSG_ID",
    "PULUMI_RUN_PROGRAM",
  ]);
});
