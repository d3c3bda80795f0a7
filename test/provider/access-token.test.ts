import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { getErrorPage } from "../../shared/version.ts";
import { isSecret, unwrap } from "../support/engine/values.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { assertNoChange, assertSteps, createStack, toLines } from "./fixtures.ts";

describe("AccessToken", { concurrency: 2 }, () => {
  test("is created by an update, shows no diff while it is valid, and is a secret", async () => {
    const program = `
      const token = new scmAuth.AccessToken("token", { tsgId: "1234567890" });
      exports.expiresAt = token.expiresAt;
      exports.accessToken = token.accessToken;
      exports.tenant = pulumi.all([token.scope, token.tsgId]).apply((parts) => parts.join(" "));`;
    const { stack, server } = await createStack("valid", program);
    assertSteps(await stack.up({ skipPreview: true }), ["create token"]);
    const { outputs } = stack.getResource("token");
    assert.ok(isSecret(outputs["accessToken"]));
    assert.equal(unwrap(outputs["accessToken"]), server.issued[0]);
    assert.match(String(outputs["expiresAt"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const { scope, tsgId, lifetimeSeconds } = outputs;
    assert.deepEqual([scope, tsgId, lifetimeSeconds], ["tsg_id:1234567890", "1234567890", 899]);
    assertNoChange(await stack.refresh({ skipPreview: true }));
    assertNoChange(await stack.up({ refresh: true }));
    assert.equal(server.countTokenRequests(), 1);
    assertNoSecret({ state: stack.stateText }, [server.clientSecret, ...server.issued]);
    assertNoSecret({ "decrypted state": stack.decryptedState }, [server.clientSecret]);
    assertSteps(await stack.destroy(), ["delete token"]);
  });

  test("is renewed by an update if it expires too soon, but never by a refresh", async () => {
    const { stack, server } = await createStack("expiring", 'new scmAuth.AccessToken("token");');
    assertSteps(await stack.up({ skipPreview: true }), ["create token"]);
    stack.setOutputs("token", { expiresAt: new Date(Date.now() + 60_000).toISOString() });
    assertNoChange(await stack.refresh({ skipPreview: true }));
    assert.equal(server.countTokenRequests(), 1);
    const renewed = await stack.up();
    assertSteps(renewed, ["update token"]);
    assert.deepEqual(renewed.previewed, ["update token"]);
    assert.equal(unwrap(stack.getResource("token").outputs["accessToken"]), server.issued[1]);
  });

  test("is replaced for a different tenant but not for a new secret", async () => {
    const program = 'new scmAuth.AccessToken("token", { scope: process.env.SCOPE, clientSecret: process.env.SECRET });';
    const options = { server: { tsgIds: ["1", "2"], clientId: "me" } };
    const { stack, server } = await createStack("tenant", program, options);
    const up = (SCOPE: string, SECRET: string) => stack.up({ skipPreview: true, env: { SCOPE, SECRET } });
    assertSteps(await up("tsg_id:1", server.clientSecret), ["create token"]);
    server.changeSecret("a-new-secret-of-the-account");
    assertNoChange(await up("tsg_id:1", "a-new-secret-of-the-account"));
    assertSteps(await up("tsg_id:2", "a-new-secret-of-the-account"), ["update token"]);
    assert.equal(server.countTokenRequests(), 2);
    assert.equal(stack.getResource("token").outputs["tsgId"], "2");
  });

  test("with ignoreChanges on clientSecret, requires the secret in the environment and reports an error if it is missing", async () => {
    const program = `
      const options = { ignoreChanges: ["clientSecret"] };
      new scmAuth.AccessToken("token", { clientSecret: process.env.SECRET }, options);`;
    const { stack, server } = await createStack("ignored", program, { env: { SCM_CLIENT_SECRET: undefined } });
    const env = { SECRET: server.clientSecret };
    assertSteps(await stack.up({ skipPreview: true, env }), ["create token"]);
    const failed = await stack.preview({ env });
    assert.equal(failed.ok, false);
    const [cause = "", hint = "", link, ...others] = toLines(failed.diagnostics);
    assert.match(cause, /clientSecret \(or SCM_CLIENT_SECRET\) is required/);
    assert.match(hint, /ignoreChanges/);
    assert.deepEqual([link, others], [`See ${getErrorPage("invalid_config")}`, []]);
    assertNoChange(await stack.up({ skipPreview: true, env: { ...env, SCM_CLIENT_SECRET: server.clientSecret } }));
  });
});
