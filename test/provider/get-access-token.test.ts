import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";

import { isSecret, unwrap } from "../support/engine/values.ts";
import { createStack, readJwt, toLines, WRONG_SECRET } from "./fixtures.ts";

describe("getAccessToken", { concurrency: 2 }, () => {
  /** Sends values to the engine, so that the test can read them from the state. */
  const SHOW = 'const show = (inputs) => new pulumi.CustomResource("show:index:It", "show", inputs);\n';

  test("shares one token among all callers in a process", async () => {
    const program = `${SHOW} module.exports = async () => {
      const [one, two] = await Promise.all([scmAuth.getAccessToken(), scmAuth.getAccessToken({ minTtl: 60 })]);
      const three = await scmAuth.getAccessToken({});
      const four = scmAuth.getAccessTokenOutput({ tokenUrl: pulumi.output(process.env.SCM_TOKEN_URL) });
      const tokens = four.apply((four) => [one, two, three, four].map(({ accessToken }) => accessToken));
      const { accessToken, ...properties } = one;
      show({ tokens, properties, token: four.accessToken });
    };`;
    const { stack, server } = await createStack("shared", program);
    const { ok, diagnostics } = await stack.up({ skipPreview: true });
    assert.deepEqual([ok, diagnostics, server.countTokenRequests()], [true, "", 1]);
    const [token = ""] = server.issued;
    const { inputs } = stack.getResource("show");
    assert.ok(isSecret(inputs["tokens"]) && isSecret(inputs["token"]));
    assert.deepEqual(unwrap(inputs["tokens"]), [token, token, token, token]);
    const { expiresAt, ...properties } = inputs["properties"] as Readonly<Record<string, string>>;
    assert.match(expiresAt ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.deepEqual(properties, { scope: "tsg_id:1234567890", tsgId: "1234567890" });
  });

  test("returns the token of an auth file while it is valid, with and without credentials", async () => {
    const program = `${SHOW}
      const auth = new scmAuth.AuthFile("auth", { path: "auth.json" });
      const withSecret = scmAuth.getAccessTokenOutput({ authFile: auth.path });
      const withoutSecret = withSecret.apply(() => {
        const { SCM_CLIENT_ID, SCM_CLIENT_SECRET } = process.env;
        delete process.env.SCM_CLIENT_ID; delete process.env.SCM_CLIENT_SECRET;
        return scmAuth.getAccessToken({ authFile: "auth.json" }).finally(() =>
          Object.assign(process.env, { SCM_CLIENT_ID, SCM_CLIENT_SECRET }));
      });
      const tokens = pulumi.all([withSecret, withoutSecret]).apply((both) => both.map(({ accessToken }) => accessToken));
      show({ tokens });`;
    const { stack, server, directory } = await createStack("file", program);
    const { ok, diagnostics } = await stack.up({ skipPreview: true });
    assert.deepEqual([ok, diagnostics, server.countTokenRequests()], [true, "", 1]);
    const jwt = await readJwt(join(directory, "auth.json"));
    assert.deepEqual(unwrap(stack.getResource("show").inputs["tokens"]), [jwt, jwt]);
  });

  test("signs in if there is no auth file, and reports an error if the secret is also missing", async () => {
    const program = `${SHOW} module.exports = async () => {
      const { accessToken } = await scmAuth.getAccessToken({ authFile: "none.json" });
      show({ length: accessToken.length });
      delete process.env.SCM_CLIENT_SECRET;
      await scmAuth.getAccessToken({ authFile: "none.json" });
    };`;
    const { stack, server } = await createStack("no-file", program);
    const { ok, diagnostics } = await stack.preview();
    assert.deepEqual([ok, server.countTokenRequests()], [false, 1]);
    assert.match(
      diagnostics,
      /^error: Configuration error: authFile refers to .*; clientSecret \(or SCM_CLIENT_SECRET\)/,
    );
  });

  test("does not send a rejected secret again", async () => {
    const program = `module.exports = async () => {
      await scmAuth.getAccessToken().catch(() => undefined);
      return { token: (await scmAuth.getAccessToken()).accessToken };
    };`;
    const { stack, server } = await createStack("rejected", program, { env: { SCM_CLIENT_SECRET: WRONG_SECRET } });
    const { ok, diagnostics } = await stack.preview();
    assert.deepEqual([ok, server.countTokenRequests()], [false, 1]);
    assert.equal(toLines(diagnostics).length, 3, diagnostics);
  });

  test("makes no token request while an argument is unknown in a preview", async () => {
    const program = `${SHOW}
      const before = new scmAuth.AccessToken("before");
      show({ token: scmAuth.getAccessTokenOutput({ clientSecret: before.expiresAt }).accessToken });`;
    const { stack, server } = await createStack("unknown", program);
    const { ok, diagnostics } = await stack.preview();
    assert.deepEqual([ok, diagnostics, server.countTokenRequests()], [true, "", 0]);
  });
});
