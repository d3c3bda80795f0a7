import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { PROVIDER, UNKNOWN } from "../../provider/abi.ts";
import { parseAuthFile } from "../../shared/handoff/auth-file-format.ts";
import { assertNoCanary } from "../support/canaries.ts";
import { startDynamicProcess, type DynamicProcess } from "../support/engine/dynamic-process.ts";
import { Traffic } from "../support/engine/traffic.ts";
import type { Properties } from "../support/engine/values.ts";
import { npmProject } from "../support/pulumi-project.ts";
import type { ScmServer } from "../support/scm-server.ts";
import { Stage, tokenRequestsOf } from "./stage.ts";

const WRONG = "0d9d5a3c-0000-4444-8888-wrong-secret";

describe("The dynamic-provider process", () => {
  const stage = new Stage();
  let server: ScmServer;
  let folder: string;
  let dynamic: DynamicProcess;
  const traffic = new Traffic();

  before(async () => {
    server = await stage.serve({ tenants: Array.from({ length: 10 }, (_, i) => String(i)), clientId: "me" });
    folder = await npmProject(stage.bench, "process", {});
    const env = { ...stage.envOf(server), SCM_CLIENT_ID: undefined, SCM_CLIENT_SECRET: undefined };
    dynamic = await startDynamicProcess({ node: process.execPath, folder, env, traffic });
  });
  after(async () => {
    const said = await dynamic.stop();
    assertNoCanary([server.clientSecret, WRONG], { said, answers: traffic.without(/^to dynamic: check$/) });
  });

  const authFile = (name: string, args: Properties): Properties => ({
    ...{ __provider: PROVIDER, kind: "auth-file", name, clientId: "me", clientSecret: server.clientSecret },
    ...args,
  });
  const accessToken = (name: string, args: Properties): Properties => ({
    ...authFile(name, args),
    kind: "access-token",
  });
  const jwtOf = async (path: string): Promise<string | undefined> =>
    parseAuthFile(await readFile(join(folder, path), "utf8"))?.jwt;

  test("keeps each secret for the resource that it was given for, however many are made at once", async () => {
    const tenants = Array.from({ length: 8 }, (_, i) => i);
    const checked: Properties[] = [];
    for (const i of tenants) {
      const given = accessToken(`token${i}`, { tsgId: String(i), ...(i === 3 && { clientSecret: WRONG }) });
      const { inputs, reasons } = await dynamic.check({}, given);
      assert.deepEqual(reasons, []);
      assert.ok(!("clientSecret" in inputs));
      checked.push(inputs);
    }
    const made = await Promise.allSettled(checked.map((inputs) => dynamic.create(inputs)));
    for (const [i, outcome] of made.entries()) {
      if (i === 3) {
        assert.equal(outcome.status, "rejected");
        assert.match(String(outcome.reason), /invalid_client.*\nThe client id or/);
      } else {
        assert.ok(outcome.status === "fulfilled", String(i));
        assert.equal(outcome.value.outputs["tsgId"], String(i));
      }
    }
  });

  test("two resources that differ in their secret alone each get their own", async () => {
    const right = await dynamic.check({}, accessToken("right", { tsgId: "8" }));
    const wrong = await dynamic.check({}, accessToken("wrong", { tsgId: "8", clientSecret: WRONG }));
    await assert.rejects(dynamic.create(wrong.inputs), /invalid_client/);
    assert.equal((await dynamic.create(right.inputs)).outputs["tsgId"], "8");
  });

  test("accepts what a preview does not know yet, and leaves the path unknown", async () => {
    const before = tokenRequestsOf(server);
    for (const args of [{ clientSecret: UNKNOWN }, { tsgId: UNKNOWN }, { path: UNKNOWN }]) {
      const { inputs, reasons } = await dynamic.check({}, authFile("unknown", { path: "unknown.json", ...args }));
      assert.deepEqual([reasons, inputs["path"]], [[], UNKNOWN]);
    }
    const token = await dynamic.check({}, accessToken("unknown", { clientSecret: UNKNOWN, tsgId: "not digits" }));
    assert.deepEqual(token.reasons, []);
    assert.equal(tokenRequestsOf(server), before);
    assert.ok(!existsSync(join(folder, "unknown.json")));
  });

  test("tells bad arguments with no property's name, since the engine would print its value", async () => {
    const bad = authFile("bad", { path: "bad.json", tsgId: "x y", timeout: 0, clientSecret: `${WRONG}\n` + "more" });
    const { reasons } = await dynamic.check({}, bad);
    assert.equal(reasons.length, 1);
    assert.match(reasons[0] ?? "", /^Authentication error: .*timeout is .*clientSecret .*tsgId .*\n.+$/);
    assertNoCanary([WRONG], { reasons: reasons.join() });
  });

  test("a change of what has no meaning for the file is no change", async () => {
    const { clientSecret, ...olds } = authFile("same", { path: "same.json", tsgId: "9", __provider: "an older text" });
    const news = authFile("same", { path: "same.json", tsgId: "9", timeout: 40, maxRetries: 1 });
    const { inputs } = await dynamic.check(olds, news);
    assert.deepEqual(await dynamic.diff("same.json", olds, inputs), { changes: false, replaces: false });
    for (const [change, replaces] of [
      [{ tsgId: "1" }, false],
      [{ tokenUrl: server.tokenUrl }, false],
      [{ path: "another.json" }, true],
    ] as const) {
      const changed = await dynamic.check(olds, authFile("same", { path: "same.json", tsgId: "9", ...change })).then(
        ({ inputs: checked }) => dynamic.diff("same.json", olds, checked),
        (error: unknown) => error,
      );
      assert.deepEqual(changed, { changes: true, replaces }, JSON.stringify(change));
    }
  });

  test("a refresh without the secret changes nothing, mints nothing and fails nothing", async () => {
    const { inputs } = await dynamic.check({}, authFile("read", { path: "read.json", tsgId: "2" }));
    const { id, outputs } = await dynamic.create(inputs);
    const before = tokenRequestsOf(server);
    assert.deepEqual(await dynamic.read(id, outputs), outputs);
    // A check of the same inputs has its say in its own diff alone.
    await dynamic.check({ ...inputs, path: "elsewhere.json" }, authFile("read", { path: "read.json", tsgId: "2" }));
    assert.deepEqual(await dynamic.diff(id, outputs, inputs), { changes: true, replaces: true });
    assert.deepEqual(await dynamic.diff(id, outputs, inputs), {
      changes: false,
      replaces: false,
    });
    assert.equal(tokenRequestsOf(server), before);
  });

  test("delete takes a file of its own identity alone, and none that is in use here", async () => {
    const outputsOf = (path: string, clientId: string) => ({
      ...{ __provider: PROVIDER, kind: "auth-file", name: "gone", path },
      identity: { clientId, scope: "tsg_id:4" },
    });
    const { inputs } = await dynamic.check({}, authFile("used", { path: "used.json", tsgId: "4" }));
    await dynamic.create(inputs);
    await dynamic.delete("used.json", outputsOf("used.json", "me"));
    assert.ok(existsSync(join(folder, "used.json")), "this process has made sure of it");

    const text = await readFile(join(folder, "used.json"), "utf8");
    await writeFile(join(folder, "copy.json"), text, { mode: 0o600 });
    await writeFile(join(folder, "foreign.json"), '{"jwt":"theirs"}');
    await dynamic.delete("copy.json", outputsOf("copy.json", "somebody else"));
    assert.equal(await jwtOf("copy.json"), await jwtOf("used.json"));
    await dynamic.delete("copy.json", outputsOf("copy.json", "me"));
    assert.ok(!existsSync(join(folder, "copy.json")));
    await dynamic.delete("foreign.json", outputsOf("foreign.json", "me"));
    assert.ok(existsSync(join(folder, "foreign.json")));
    await dynamic.delete("never-there.json", outputsOf("never-there.json", "me"));
  });
});
