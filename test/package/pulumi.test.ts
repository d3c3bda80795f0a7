import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";

import type ts from "typescript";

import { faultsOf, SETUPS } from "./compile.ts";
import { packInto, projectWith, root } from "./tarball.ts";

/** Pulumi's own types need those of node, and a Pulumi program has them. */
const PULUMI_SETUPS = SETUPS.filter(({ name }) => name.endsWith("with @types/node"));

describe("scm-auth/pulumi, as npm packs it", () => {
  let folder: string;
  const project = (): string => join(folder, "user");

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "scm-auth-package-pulumi-"));
    await projectWith(await packInto(folder), project(), {}, {});
    await mkdir(join(project(), "node_modules/@pulumi"));
    await symlink(join(root, "node_modules/@pulumi/pulumi"), join(project(), "node_modules/@pulumi/pulumi"));
  });
  after(() => rm(folder, { recursive: true }));

  for (const { name, options, endings } of PULUMI_SETUPS) {
    test(`its types hold under the strictest checks: ${name}`, async () => {
      const sources = endings.map((ending) => join(project(), `pulumi.${ending}`));
      // Strict CommonJS may not write `import`.
      const settings = { ...options, verbatimModuleSyntax: false };
      for (const source of sources) await copyFile(join(root, "test/package/types/pulumi.ts"), source);
      assert.deepEqual(faultsOf(sources, settings), []);
    });
  }

  test("a program without a TypeScript of its own compiles: Pulumi brings 3.8 for it", async () => {
    const require = createRequire(import.meta.url);
    const pulumi = dirname(require.resolve("@pulumi/pulumi/package.json"));
    const old = require(join(pulumi, "vendor/typescript@3.8.3/typescript.js")) as typeof ts;
    const source = join(project(), "index.ts");
    await writeFile(
      source,
      `import * as scmAuth from "scm-auth/pulumi";
       import { OAuth2Client } from "scm-auth";
       export const path = new scmAuth.AuthFile("scm-auth", { path: ".scm/auth.json" }).path.apply((it) => it.length);
       export const tries: number = OAuth2Client.MAX_RETRIES;
       new scmAuth.AuthFile("scm-auth", { path: 1 });`,
    );
    const program = old.createProgram([source], {
      strict: true,
      target: old.ScriptTarget.ES2019,
      module: old.ModuleKind.CommonJS,
      noEmit: true,
      types: [],
    });
    const told = program
      .getSemanticDiagnostics(program.getSourceFile(source))
      .map(({ messageText }) => old.flattenDiagnosticMessageText(messageText, "\n").split("\n")[0]);
    assert.deepEqual(told, ["Type 'number' is not assignable to type 'Input<string>'."]);
  });

  test("its parts are there for require, and the handler for the text in a state", () => {
    const require = createRequire(join(project(), "index.js"));
    const program = require("scm-auth/pulumi") as object;
    assert.deepEqual(Object.keys(program).sort(), [
      "AccessToken",
      "AuthFile",
      "getAccessToken",
      "getAccessTokenOutput",
    ]);
    const handler = require("scm-auth/pulumi/handler") as (abi: number) => object;
    const calls = ["check", "create", "delete", "diff", "read", "update"];
    assert.deepEqual(Object.keys(handler(1)).sort(), calls);
  });
});
