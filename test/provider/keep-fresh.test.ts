import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { PROVIDER } from "../../provider/abi.ts";
import { parseAuthFile } from "../../shared/handoff/auth-file-format.ts";
import { startDynamicProcess, type DynamicProcess } from "../support/engine/dynamic-process.ts";
import { Traffic } from "../support/engine/traffic.ts";
import { npmProject } from "../support/pulumi-project.ts";
import type { ScmServer } from "../support/scm-server.ts";
import { Stage, tokenRequestsOf } from "./stage.ts";
import { onlyIfLong } from "../support/long-tests.ts";

/** Life of the tokens here, in seconds: a renewal is due after a third of it at the earliest. */
const LIFE = 6;

describe("While an operation runs its auth file is kept fresh", { concurrency: 3 }, () => {
  const stage = new Stage();
  let server: ScmServer;
  let folder: string;
  let dynamic: DynamicProcess;

  before(async () => {
    server = await stage.serve({ ttl: LIFE });
    folder = await npmProject(stage.bench, "fresh", {});
    const env = stage.envOf(server);
    dynamic = await startDynamicProcess({ node: process.execPath, folder, env, traffic: new Traffic() });
  });
  after(() => dynamic.stop());

  const makeSure = async (name: string): Promise<string> => {
    const inputs = { __provider: PROVIDER, kind: "auth-file", name, path: `${name}.json` };
    assert.deepEqual((await dynamic.check({}, inputs)).reasons, []);
    return join(folder, `${name}.json`);
  };
  const jwtOf = async (path: string): Promise<string | undefined> =>
    existsSync(path) ? parseAuthFile(await readFile(path, "utf8"))?.jwt : undefined;

  test("by the dynamic process", async () => {
    const path = await makeSure("renewed");
    const first = await jwtOf(path);
    for (let wait = 0; wait < 40 && (await jwtOf(path)) === first; wait++) await delay(250);
    const next = await jwtOf(path);
    assert.notEqual(next, first);
    assert.ok(next !== undefined && server.issued.includes(next));
  });

  test("but one that was removed does not come back", onlyIfLong, async () => {
    const path = await makeSure("removed");
    await rm(path);
    await delay(LIFE * 1000);
    assert.ok(!existsSync(path));
  });

  test("by the program, which ends when it is done all the same", async () => {
    const program = `
      new scmAuth.AuthFile("auth", { path: "auth.json" });
      const fs = require("node:fs");
      const jwt = () => { try { return JSON.parse(fs.readFileSync("auth.json", "utf8")).jwt } catch {} };
      module.exports = async () => {
        while (jwt() === undefined) await new Promise((resolve) => setTimeout(resolve, 50));
        const first = jwt();
        const end = Date.now() + 10_000;
        while (jwt() === first && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
        return { renewed: jwt() !== first };
      };`;
    // Nothing is left for the dynamic process to do, so it is not there to help.
    const scene = await stage.scene("program", program, { server: { ttl: LIFE } });
    const begun = performance.now();
    const { ok, diagnostics } = await scene.stack.up({ skipPreview: true, targets: ["none"] });
    assert.deepEqual([ok, diagnostics], [true, ""]);
    assert.ok(scene.requests() >= 2);
    assert.ok(performance.now() - begun < 40_000);
  });

  test("and no timer keeps a program from ending", onlyIfLong, async () => {
    const scene = await stage.scene("quick", 'new scmAuth.AuthFile("auth", { path: "auth.json" });', {
      server: { ttl: 3600 },
    });
    const begun = performance.now();
    assert.ok((await scene.stack.preview()).ok);
    assert.ok(performance.now() - begun < 30_000);
    assert.equal(tokenRequestsOf(scene.server), 1);
  });
});
