import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";

import { parseAuthFile } from "../../shared/handoff/auth-file-format.ts";
import { isSecret, open } from "../support/engine/values.ts";
import { Stage } from "./stage.ts";
import { onlyIfLong } from "../support/long-tests.ts";

describe("getAccessToken and getAccessTokenOutput", { concurrency: 2 }, () => {
  const stage = new Stage();
  /** A component takes any inputs, so that the engine can be asked what it was sent. */
  const SHOW = 'const show = (inputs) => new pulumi.CustomResource("show:index:It", "show", inputs);\n';

  test("share one token in one process, whatever the number and kind of callers", async () => {
    const program = `${SHOW} module.exports = async () => {
      const [one, two] = await Promise.all([scmAuth.getAccessToken(), scmAuth.getAccessToken({ minTtl: 60 })]);
      const three = await scmAuth.getAccessToken({});
      const four = scmAuth.getAccessTokenOutput({ tokenUrl: pulumi.output(process.env.SCM_TOKEN_URL) });
      const others = four.apply((four) => [one, two, three, four].map(({ accessToken }) => accessToken));
      show({ tokens: others, facts: { expiresAt: one.expiresAt, scope: one.scope, tsgId: one.tsgId }, token: four.accessToken });
    };`;
    const { stack, server, requests } = await stage.scene("share", program);
    const { ok, diagnostics } = await stack.up({ skipPreview: true });
    assert.deepEqual([ok, diagnostics, requests()], [true, "", 1]);
    const [token = ""] = server.issued;
    const { inputs } = stack.resource("show");
    assert.ok(isSecret(inputs["tokens"]) && isSecret(inputs["token"]));
    assert.deepEqual(open(inputs["tokens"]), [token, token, token, token]);
    const { expiresAt, ...facts } = inputs["facts"] as Record<string, string>;
    assert.match(expiresAt ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.deepEqual(facts, { scope: "tsg_id:1234567890", tsgId: "1234567890" });
  });

  test("take the token of an auth file while it lives, with and without credentials of their own", async () => {
    const program = `${SHOW}
      const auth = new scmAuth.AuthFile("auth", { path: "auth.json" });
      const mine = scmAuth.getAccessTokenOutput({ authFile: auth.path });
      const theirs = mine.apply(() => {
        const { SCM_CLIENT_ID, SCM_CLIENT_SECRET } = process.env;
        delete process.env.SCM_CLIENT_ID; delete process.env.SCM_CLIENT_SECRET;
        return scmAuth.getAccessToken({ authFile: "auth.json" }).finally(() =>
          Object.assign(process.env, { SCM_CLIENT_ID, SCM_CLIENT_SECRET }));
      });
      show({ tokens: pulumi.all([mine, theirs]).apply((both) => both.map(({ accessToken }) => accessToken)) });`;
    const { stack, folder, requests } = await stage.scene("file", program);
    const { ok, diagnostics } = await stack.up({ skipPreview: true });
    assert.deepEqual([ok, diagnostics, requests()], [true, "", 1]);
    const file = parseAuthFile(await readFile(join(folder, "auth.json"), "utf8"));
    assert.deepEqual(open(stack.resource("show").inputs["tokens"]), [file?.jwt, file?.jwt]);
  });

  test("sign in where the auth file is none, and say what is missing when they can't", onlyIfLong, async () => {
    const program = `${SHOW} module.exports = async () => {
      const { accessToken } = await scmAuth.getAccessToken({ authFile: "none.json" });
      show({ length: accessToken.length });
      delete process.env.SCM_CLIENT_SECRET;
      await scmAuth.getAccessToken({ authFile: "none.json" });
    };`;
    const { stack, requests } = await stage.scene("none", program);
    const { ok, diagnostics } = await stack.preview();
    assert.deepEqual([ok, requests()], [false, 1]);
    assert.match(diagnostics, /^error: Authentication error: clientSecret \(or SCM_CLIENT_SECRET\) is missing/);
  });

  test("wait for what a preview does not know", async () => {
    const program = `${SHOW}
      const before = new scmAuth.AccessToken("before");
      show({ token: scmAuth.getAccessTokenOutput({ clientSecret: before.expiresAt }).accessToken });`;
    const { stack, requests } = await stage.scene("unknown", program);
    const { ok, diagnostics } = await stack.preview();
    assert.deepEqual([ok, diagnostics, requests()], [true, "", 0]);
  });
});
