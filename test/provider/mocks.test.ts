import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";

import * as pulumi from "@pulumi/pulumi";

import { AccessToken, AuthFile, getAccessToken, getAccessTokenOutput } from "../../provider/program/index.ts";
import { setVariables } from "../support/variables.ts";

const TOKEN = { accessToken: "a token", expiresAt: "2030-01-01T00:00:00Z", scope: "tsg_id:1", tsgId: "1" };

const valueOf = <T>(output: pulumi.Output<T>): Promise<T> => new Promise((resolve) => output.apply(resolve));

describe("In a user's unit test, with pulumi.runtime.setMocks", async () => {
  const calls: pulumi.runtime.MockCallArgs[] = [];
  const resources: pulumi.runtime.MockResourceArgs[] = [];
  await pulumi.runtime.setMocks({
    call: (args) => {
      calls.push(args);
      return TOKEN;
    },
    newResource: (args) => {
      resources.push(args);
      const inputs = args.inputs as Readonly<Record<string, unknown>>;
      const state = args.type.endsWith("AccessToken") ? { ...inputs, ...TOKEN } : inputs;
      return { id: `${args.name}-id`, state };
    },
  });

  test("resources do no I/O, and are what the mocks say", async (t) => {
    setVariables(t, { SCM_CLIENT_ID: undefined, SCM_CLIENT_SECRET: undefined });
    const auth = new AuthFile("auth", { path: "never-written/auth.json" });
    const token = new AccessToken("token", { tsgId: "1" });
    assert.equal(await valueOf(auth.path), "never-written/auth.json");
    assert.equal(await valueOf(token.accessToken), TOKEN.accessToken);
    assert.equal(await valueOf(token.expiresAt), TOKEN.expiresAt);
    assert.ok(!existsSync("never-written"));
    assert.deepEqual(
      resources.map(({ type, name }) => [type, name]),
      [
        ["pulumi-nodejs:dynamic/scm-auth:AuthFile", "auth"],
        ["pulumi-nodejs:dynamic/scm-auth:AccessToken", "token"],
      ],
    );
  });

  test("functions ask the mocks", async () => {
    assert.deepEqual(await getAccessToken({ tsgId: "1" }), TOKEN);
    const output = getAccessTokenOutput({ tsgId: pulumi.output("2") });
    assert.deepEqual(await valueOf(output), TOKEN);
    assert.equal(await pulumi.isSecret(output), true);
    assert.deepEqual(
      calls.map(({ token, inputs }): readonly unknown[] => [token, inputs]),
      [
        ["scm-auth:index:getAccessToken", { tsgId: "1" }],
        ["scm-auth:index:getAccessToken", { tsgId: "2" }],
      ],
    );
  });

  test("a resource is known by its kind", () => {
    const auth = new AuthFile("kind", { path: "a.json" });
    assert.ok(AuthFile.isInstance(auth) && !AccessToken.isInstance(auth));
    for (const other of [undefined, null, {}, "AuthFile", pulumi]) assert.ok(!AuthFile.isInstance(other));
  });
});
