import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { assertNoCanary, tokenCanaries } from "../support/canaries.ts";
import { isSecret, open } from "../support/engine/values.ts";
import { Stage } from "./stage.ts";
import { onlyIfLong } from "../support/long-tests.ts";

describe("An AccessToken", { concurrency: 2 }, () => {
  const stage = new Stage();

  test("is made by an update, shows no diff while it lives, and is a secret everywhere", async () => {
    const program = `
      const token = new scmAuth.AccessToken("token", { tsgId: "1234567890" });
      exports.expiresAt = token.expiresAt;
      exports.token = token.accessToken;
      exports.about = pulumi.all([token.scope, token.tsgId]).apply((parts) => parts.join(" "));`;
    const { stack, server, requests } = await stage.scene("lives", program);
    const created = await stack.up();
    assert.deepEqual([created.ok, created.steps, created.diagnostics], [true, ["create token"], ""]);
    const { outputs } = stack.resource("token");
    assert.ok(isSecret(outputs["accessToken"]));
    assert.equal(open(outputs["accessToken"]), server.issued[0]);
    assert.match(String(outputs["expiresAt"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.deepEqual([outputs["scope"], outputs["tsgId"]], ["tsg_id:1234567890", "1234567890"]);
    for (const again of [await stack.refresh({ skipPreview: true }), await stack.up({ refresh: true })])
      assert.deepEqual([again.ok, again.previewed, again.steps], [true, [], []], again.diagnostics);
    assert.equal(requests(), 1);
    assertNoCanary([server.clientSecret, ...server.issued.flatMap(tokenCanaries)], { "the state": stack.stateText });
    assertNoCanary([server.clientSecret], { "the opened state": stack.openedState });

    const gone = await stack.destroy();
    assert.deepEqual([gone.ok, gone.steps], [true, ["delete token"]]);
  });

  test("is renewed when too little of its life is left, and never by a refresh", async () => {
    const { stack, server, requests } = await stage.scene("ends", 'new scmAuth.AccessToken("token");', {
      server: { ttl: 600 },
    });
    assert.ok((await stack.up({ skipPreview: true })).ok);
    const aged = { ...stack.resource("token").outputs, expiresAt: new Date(Date.now() + 60_000).toISOString() };
    stack.setOutputs("token", aged);

    const refreshed = await stack.refresh({ skipPreview: true });
    assert.deepEqual([refreshed.ok, refreshed.steps, requests()], [true, [], 1]);
    const renewed = await stack.up();
    assert.deepEqual([renewed.previewed, renewed.steps], [["update token"], ["update token"]]);
    assert.equal(open(stack.resource("token").outputs["accessToken"]), server.issued[1]);
    assert.equal(requests(), 2);
  });

  test("of another tenant is another token, and a new secret alone is none", onlyIfLong, async () => {
    const program = 'new scmAuth.AccessToken("token", { scope: process.env.SCOPE, clientSecret: process.env.GIVEN });';
    const scene = await stage.scene("changes", program, { server: { tenants: ["1", "2"], clientId: "me" } });
    const { stack, server, requests } = scene;
    const wish = { skipPreview: true, env: { SCOPE: "tsg_id:1", GIVEN: server.clientSecret } };
    assert.deepEqual((await stack.up(wish)).steps, ["create token"]);
    server.changeSecret("a-new-secret-of-the-account");
    const other = await stack.up({ ...wish, env: { ...wish.env, GIVEN: "a-new-secret-of-the-account" } });
    assert.deepEqual([other.ok, other.steps, requests()], [true, [], 1]);
    const moved = await stack.up({
      skipPreview: true,
      env: { SCOPE: "tsg_id:2", GIVEN: "a-new-secret-of-the-account" },
    });
    assert.deepEqual([moved.ok, moved.steps, requests()], [true, ["update token"], 2]);
    assert.equal(stack.resource("token").outputs["tsgId"], "2");
  });
});
