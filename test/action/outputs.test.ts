import assert from "node:assert/strict";
import { test } from "node:test";

import { toOutputs } from "../../action/outputs.ts";
import { AccessToken } from "../../shared/access-token.ts";

const props = {
  expiresAt: new Date(1_769_860_800_999),
  deadline: 1,
  lifetime: 1,
  scope: ["profile", "tsg_id:1"],
  tsgIds: ["1"],
};

test("each output is a string, and expires-at is in UTC, in whole seconds, and never later than the token's expiration", () => {
  const token = new AccessToken("value", props);
  assert.deepEqual(
    toOutputs({
      token,
      path: "/t/auth.json",
      sealedToken: "a.b.c.d.e",
      server: { authUrl: "http://127.0.0.1:8080/am/oauth2/access_token", clientSecret: "job-secret" },
    }),
    {
      "access-token": "value",
      "expires-at": "2026-01-31T12:00:00Z",
      scope: "profile tsg_id:1",
      "tsg-id": "1",
      "auth-file": "/t/auth.json",
      "token-endpoint": "http://127.0.0.1:8080/am/oauth2/access_token",
      "token-endpoint-secret": "job-secret",
      "sealed-token": "a.b.c.d.e",
    },
  );
});

test("an output whose value is unknown is empty", () => {
  const unknown = { expiresAt: undefined, deadline: undefined, lifetime: undefined, scope: [], tsgIds: [] };
  const { "access-token": value, ...others } = toOutputs({ token: new AccessToken("value", unknown) });
  assert.deepEqual([value, new Set(Object.values(others))], ["value", new Set([""])]);
});
