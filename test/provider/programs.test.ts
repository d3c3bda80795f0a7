import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";

import { createProject, installPackage, installSdk, link, SDK, writeFiles } from "../support/engine/project.ts";
import { getSkipReason, reportRun } from "../support/clients.ts";
import { assertSteps, createStack, root, toLines, WRONG_SECRET, type TestStackOptions } from "./fixtures.ts";

const COMMONJS = `
  const scmAuth = require("scm-auth/pulumi");
  const auth = new scmAuth.AuthFile("auth", { path: "auth.json" });
  exports.path = auth.path;`;

const ESM = `
  import * as scmAuth from "scm-auth/pulumi";
  import { AuthFile } from "scm-auth/pulumi";
  import { createRequire } from "node:module";
  const required = createRequire(import.meta.url)("scm-auth/pulumi");
  if (required.AuthFile !== AuthFile) throw new Error("two copies in one program");
  const { accessToken } = await scmAuth.getAccessToken();
  export const path = new AuthFile("auth", { path: "auth.json" }).path;`;

const TYPESCRIPT = `
  import * as pulumi from "@pulumi/pulumi";
  import * as scmAuth from "scm-auth/pulumi";
  const args: scmAuth.AuthFileArgs = { path: "auth.json", timeout: pulumi.output(30) };
  export const path: pulumi.Output<string> = new scmAuth.AuthFile("auth", args).path;`;

/** An inline program for the Automation API. It runs in the host process (`automation/server` in the SDK). */
const INLINE = `
  const { LanguageServer } = require("@pulumi/pulumi/automation/server");
  const { RunRequest } = require("@pulumi/pulumi/proto/language_pb");
  const flag = (name) => process.argv[process.argv.indexOf("--" + name) + 1];
  const request = new RunRequest();
  request.setMonitorAddress(flag("monitor"));
  request.setArgsList([flag("engine")]);
  request.setProject("project");
  request.setStack("dev");
  request.setParallel(16);
  request.setDryrun(flag("dry-run") === "true");
  const server = new LanguageServer(async () => { ${COMMONJS.replace("exports.path =", "return")} });
  server.run({ request }, (error) => { if (error) process.exitCode = 1; });`;

/** Asserts that the first update of a program creates the file with one token request. */
async function assertWorks(directory: string, options: TestStackOptions = {}): Promise<void> {
  const { stack, server } = await createStack("", "", { directory, ...options });
  assertSteps(await stack.up({ skipPreview: true }), ["create auth"]);
  assert.equal(server.countTokenRequests(), 1);
  assert.ok(existsSync(join(directory, "auth.json")));
}

const project = (name: string, files: Readonly<Record<string, string>>): Promise<string> =>
  createProject(join(root, name), files);

const node22 = await getSkipReason(["node22"]);

describe("programs", { concurrency: 2 }, () => {
  test("an ES module shares one copy of the package with CommonJS", async () => {
    const files = { "package.json": '{"type":"module","main":"index.mjs"}', "index.mjs": ESM };
    await assertWorks(await project("esm", files));
  });

  test("a TypeScript program works with Pulumi's ts-node", async () => {
    // test/package checks the types against the packed package.
    const env = { PULUMI_NODEJS_TRANSPILE_ONLY: "true" };
    await assertWorks(await project("typescript", { "index.ts": TYPESCRIPT }), { typescript: true, env });
  });

  test("an inline program works with the Automation API", async () => {
    const directory = await project("inline", { "host.cjs": INLINE });
    await assertWorks(directory, { host: join(directory, "host.cjs") });
  });

  test("an inline program for the Automation API fails with a cause, a hint, and a link", async () => {
    const directory = await project("inline-failure", { "host.cjs": INLINE });
    const options = { directory, host: join(directory, "host.cjs"), env: { SCM_CLIENT_SECRET: WRONG_SECRET } };
    const { stack, server } = await createStack("", "", options);
    const { ok, diagnostics } = await stack.preview();
    assert.deepEqual([ok, server.countTokenRequests(), toLines(diagnostics).length], [false, 1, 3], diagnostics);
  });

  test("a program in a workspace finds packages in the root directory and in its own directory", async () => {
    const directory = await project("workspace", {
      "packages/infra/package.json": "{}",
      "packages/infra/index.js": COMMONJS,
    });
    await assertWorks(join(directory, "packages/infra"));

    // With nohoist, Yarn installs the SDK in the root directory and this package in the program's directory.
    const nohoist = await project("nohoist", {
      "packages/infra/package.json": "{}",
      "packages/infra/index.js": COMMONJS,
    });
    await rm(join(nohoist, "node_modules"), { recursive: true });
    await installSdk(join(nohoist, "node_modules/@pulumi/pulumi"));
    await installPackage(join(nohoist, "packages/infra/node_modules/scm-auth"));
    await assertWorks(join(nohoist, "packages/infra"));
  });

  test("a program in a pnpm workspace works if only a library depends on this package", async () => {
    const directory = join(root, "pnpm");
    const store = join(directory, "node_modules/.pnpm");
    const sdk = join(store, "@pulumi+pulumi@3.0.0/node_modules/@pulumi/pulumi");
    const scmAuth = join(store, "scm-auth@1.0.0/node_modules/scm-auth");
    const [infra, library] = [join(directory, "packages/infra"), join(directory, "packages/library")];
    await installSdk(sdk);
    await installPackage(scmAuth);
    await link(SDK, join(store, "scm-auth@1.0.0/node_modules/@pulumi/pulumi"));
    // pnpm hoists all packages to this directory for packages with undeclared dependencies.
    await link(scmAuth, join(store, "node_modules/scm-auth"));
    await writeFiles(directory, {
      "packages/library/package.json": '{"name":"library","main":"index.js"}',
      "packages/library/index.js": COMMONJS,
      "packages/infra/package.json": "{}",
      "packages/infra/index.js": 'exports.path = require("library").path;',
    });
    await link(scmAuth, join(library, "node_modules/scm-auth"));
    await mkdir(join(infra, "node_modules"), { recursive: true });
    await link(library, join(infra, "node_modules/library"));
    await link(sdk, join(infra, "node_modules/@pulumi/pulumi"));
    await assertWorks(infra);
  });

  test("a program works on Node 22", { skip: node22 }, async (t) => {
    await assertWorks(await project("node22", { "index.js": COMMONJS }), { node: "node22" });
    await reportRun(t, "node22", "a Pulumi program");
  });
});
