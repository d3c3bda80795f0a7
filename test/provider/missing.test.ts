import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";

import { ABI, PROVIDER } from "../../provider/abi.ts";
import { startDynamicProcess, type DynamicProcess } from "../support/engine/dynamic-process.ts";
import { Traffic } from "../support/engine/traffic.ts";
import { npmProject } from "../support/pulumi-project.ts";
import { Stage } from "./stage.ts";

test("the text in every state is this one, and another would be a new major version", () => {
  const golden =
    'module.paths.push(...require.main.paths);this.handler=p=>{try{return require("scm-auth/pulumi/handler")(1)}' +
    'catch(e){e.stack=e.message="Missing: npm i scm-auth";return{check:p=_=>{throw e},read:p}}}';
  assert.equal(PROVIDER, golden);
  assert.equal(ABI, 1);
  assert.ok(Buffer.byteLength(PROVIDER) <= 200, String(Buffer.byteLength(PROVIDER)));
});

describe("Without what made a resource", () => {
  const stage = new Stage();

  const start = async (name: string, isInstalled: boolean): Promise<DynamicProcess> => {
    const folder = await npmProject(stage.bench, name, {});
    if (!isInstalled) await rm(join(folder, "node_modules/scm-auth"), { recursive: true });
    const env = { PATH: process.env["PATH"] };
    return startDynamicProcess({ node: process.execPath, folder, env, traffic: new Traffic() });
  };
  const kinds = ["auth-file", "access-token"].map((kind) => ({
    __provider: PROVIDER,
    kind,
    name: "a",
    path: "a.json",
  }));

  test("delete succeeds when the package is gone, and all else names it and how to install it", async () => {
    const dynamic = await start("gone", false);
    for (const properties of kinds) {
      await dynamic.delete("id", properties);
      await assert.rejects(dynamic.check({}, properties), /^Error: Missing: npm i scm-auth$/);
      await assert.rejects(dynamic.read("id", properties), /^Error: Missing: npm i scm-auth$/);
    }
    assert.doesNotMatch(await dynamic.stop(), /\bat |Require stack/);
  });

  test("a text of another major version is told so, and its resources can be deleted", async () => {
    const dynamic = await start("other", true);
    const text = PROVIDER.replace("(1)", "(7)");
    for (const properties of [...kinds.map((one) => ({ ...one, __provider: text })), { ...kinds[0], kind: "new" }]) {
      await dynamic.delete("id", properties);
      const { reasons } = await dynamic.check({}, properties);
      assert.match(reasons.join(), /^This resource was made by another version of scm-auth\.\nInstall the version/);
      await assert.rejects(dynamic.read("id", properties), /made by another version/);
    }
    // The process prints what it throws once more: there stands where to look.
    assert.match(await dynamic.stop(), /^(scm-auth: see the error of the resource\n)+$/);
  });
});
