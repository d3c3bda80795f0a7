import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";

import { link, npmProject, SDK, sdkAt, writeFiles } from "../support/pulumi-project.ts";
import { missingTool } from "../support/tools.ts";
import { Stage, type SceneOptions } from "./stage.ts";
import { onlyIfLong } from "../support/long-tests.ts";

const COMMONJS = `
  const scmAuth = require("scm-auth/pulumi");
  const auth = new scmAuth.AuthFile("auth", { path: "auth.json" });
  exports.path = auth.path;`;

const ESM = `
  import * as pulumi from "@pulumi/pulumi";
  import * as scmAuth from "scm-auth/pulumi";
  import { AuthFile } from "scm-auth/pulumi";
  import { createRequire } from "node:module";
  const required = createRequire(import.meta.url)("scm-auth/pulumi");
  if (required.AuthFile !== AuthFile) throw new Error("two copies in one program");
  const { accessToken } = await scmAuth.getAccessToken();
  const auth = new AuthFile("auth", { path: "auth.json" });
  export const path = auth.path;`;

const TYPESCRIPT = `
  import * as pulumi from "@pulumi/pulumi";
  import * as scmAuth from "scm-auth/pulumi";
  const args: scmAuth.AuthFileArgs = { path: "auth.json", timeout: pulumi.output(30) };
  const auth: scmAuth.AuthFile = new scmAuth.AuthFile("auth", args);
  export const path: pulumi.Output<string> = auth.path;`;

/** A program of the Automation API that is a function in the process that runs it (\`automation/server\` of the SDK). */
const INLINE = `
  const pulumi = require("@pulumi/pulumi");
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

describe("Programs of all kinds", { concurrency: 2 }, () => {
  const stage = new Stage();

  /** Runs a program's first update, and looks for the file. */
  async function works(name: string, folder: string, options: SceneOptions = {}): Promise<void> {
    const { stack, requests } = await stage.scene(name, "", { folder, ...options });
    const created = await stack.up({ skipPreview: true });
    assert.deepEqual([created.ok, created.steps, created.diagnostics], [true, ["create auth"], ""]);
    assert.equal(requests(), 1);
    assert.ok(existsSync(join(folder, "auth.json")));
  }

  test("a program in CommonJS", async () => {
    await works("commonjs", await npmProject(stage.bench, "commonjs", { "index.js": COMMONJS }));
  });

  test("an ES module, in which both ways of importing lead to one copy", onlyIfLong, async () => {
    const files = { "package.json": '{"type":"module","main":"index.mjs"}', "index.mjs": ESM };
    await works("esm", await npmProject(stage.bench, "esm", files));
  });

  test("TypeScript, compiled by Pulumi's own ts-node", async () => {
    const files = { "index.ts": TYPESCRIPT };
    // Types are for `tsc` to check, against the packed package.
    const env = { PULUMI_NODEJS_TRANSPILE_ONLY: "true" };
    await works("typescript", await npmProject(stage.bench, "typescript", files), { typescript: true, env });
  });

  test("an inline program of the Automation API", async () => {
    const folder = await npmProject(stage.bench, "inline", { "host.cjs": INLINE });
    await works("inline", folder, { host: join(folder, "host.cjs") });
  });

  test("an inline program ends red, too, and ends", onlyIfLong, async () => {
    const folder = await npmProject(stage.bench, "inline-wrong", { "host.cjs": INLINE });
    const env = { SCM_CLIENT_SECRET: "not-the-secret-of-anybody" };
    const { stack, requests } = await stage.scene("inline-wrong", "", { folder, host: join(folder, "host.cjs"), env });
    const { ok, diagnostics } = await stack.preview();
    assert.deepEqual([ok, requests()], [false, 1]);
    assert.match(diagnostics, /^error: Authentication error: .*invalid_client/);
  });

  test("a program whose main is in a subfolder, where a relative path leads", onlyIfLong, async () => {
    const root = await npmProject(stage.bench, "subfolder", { "src/index.js": COMMONJS });
    await works("subfolder", join(root, "src"));
  });

  test("an npm workspace, with all packages at its root", onlyIfLong, async () => {
    const root = await npmProject(stage.bench, "workspace", {
      "package.json": '{"workspaces":["packages/*"]}',
      "packages/infra/package.json": "{}",
      "packages/infra/index.js": COMMONJS,
    });
    await works("workspace", join(root, "packages/infra"));
  });

  test("a yarn workspace, with the SDK at its root and this package beside the program", onlyIfLong, async () => {
    const root = await npmProject(stage.bench, "nohoist", {
      "packages/infra/package.json": "{}",
      "packages/infra/index.js": COMMONJS,
    });
    await rm(join(root, "node_modules"), { recursive: true });
    await sdkAt(join(root, "node_modules/@pulumi/pulumi"));
    await stage.bench.unpackInto(join(root, "packages/infra/node_modules/scm-auth"));
    await works("nohoist", join(root, "packages/infra"));
  });

  test("a pnpm workspace where only a library depends on this package", async () => {
    const root = join(stage.bench.folder, "pnpm");
    const store = join(root, "node_modules/.pnpm");
    await sdkAt(join(store, "@pulumi+pulumi@3.0.0/node_modules/@pulumi/pulumi"));
    await stage.bench.unpackInto(join(store, "scm-auth@1.0.0/node_modules/scm-auth"));
    await link(SDK, join(store, "scm-auth@1.0.0/node_modules/@pulumi/pulumi"));
    // What pnpm hoists for packages that do not say all that they need.
    await link(join(store, "scm-auth@1.0.0/node_modules/scm-auth"), join(store, "node_modules/scm-auth"));
    const library = join(root, "packages/library");
    await writeFiles(root, {
      "packages/library/package.json": '{"name":"library","main":"index.js"}',
      "packages/library/index.js": COMMONJS,
      "packages/infra/package.json": "{}",
      "packages/infra/index.js": 'exports.path = require("library").path;',
    });
    await link(join(store, "scm-auth@1.0.0/node_modules/scm-auth"), join(library, "node_modules/scm-auth"));
    const infra = join(root, "packages/infra");
    await mkdir(join(infra, "node_modules"), { recursive: true });
    await link(library, join(infra, "node_modules/library"));
    await link(
      join(store, "@pulumi+pulumi@3.0.0/node_modules/@pulumi/pulumi"),
      join(infra, "node_modules/@pulumi/pulumi"),
    );
    await works("pnpm", infra);
  });

  test("node 22", async (context: TestContext) => {
    const absent = await missingTool(["node22"]);
    if (absent !== undefined) {
      context.skip(`NOT RUN ${absent}: not on PATH`);
      return;
    }
    await works("node22", await npmProject(stage.bench, "node22", { "index.js": COMMONJS }), { node: "node22" });
    context.diagnostic("RAN node 22");
  });
});
