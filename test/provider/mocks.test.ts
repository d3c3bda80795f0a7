import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import * as pulumi from "@pulumi/pulumi";

import { AccessToken, AuthFile, getAccessToken, getAccessTokenOutput } from "../../provider/index.ts";
import { setVariables } from "../support/variables.ts";

const TOKEN = { accessToken: "a token", expiresAt: "2030-01-01T00:00:00Z", scope: "tsg_id:1", tsgId: "1" };
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
    return { id: `${args.name}-id`, state: args.type.endsWith("AccessToken") ? { ...inputs, ...TOKEN } : inputs };
  },
});

const getValue = <T>(output: pulumi.Output<T>): Promise<T> => new Promise((resolve) => output.apply(resolve));

test("resources under setMocks do no I/O and return the mocked values", async (t) => {
  setVariables(t, { SCM_CLIENT_ID: undefined, SCM_CLIENT_SECRET: undefined });
  const auth = new AuthFile("auth", { path: "never-written/auth.json" });
  const token = new AccessToken("token", { tsgId: "1" });
  assert.equal(await getValue(auth.path), "never-written/auth.json");
  assert.equal(await getValue(token.accessToken), TOKEN.accessToken);
  assert.equal(await getValue(token.expiresAt), TOKEN.expiresAt);
  assert.ok(!existsSync("never-written"));
  const types = resources.map(({ type, name }) => [type, name]);
  assert.deepEqual(types, [
    ["pulumi-nodejs:dynamic/scm-auth:AuthFile", "auth"],
    ["pulumi-nodejs:dynamic/scm-auth:AccessToken", "token"],
  ]);
});

test("functions under setMocks call the mocks", async () => {
  assert.deepEqual(await getAccessToken({ tsgId: "1" }), TOKEN);
  const output = getAccessTokenOutput({ tsgId: pulumi.output("2") });
  assert.deepEqual(await getValue(output), TOKEN);
  assert.equal(await pulumi.isSecret(output), true);
  const received = calls.map(({ token, inputs }): readonly unknown[] => [token, inputs]);
  assert.deepEqual(received, [
    ["scm-auth:index:getAccessToken", { tsgId: "1" }],
    ["scm-auth:index:getAccessToken", { tsgId: "2" }],
  ]);
});

test("isInstance identifies resources by type", () => {
  const auth = new AuthFile("type", { path: "a.json" });
  assert.ok(AuthFile.isInstance(auth) && !AccessToken.isInstance(auth));
  for (const other of [undefined, null, {}, "AuthFile", pulumi]) assert.ok(!AuthFile.isInstance(other));
});
