import assert from "node:assert/strict";
import { test } from "node:test";

import { outputs, outputsOf } from "../../action/outputs.ts";
import { AccessToken, type Facts } from "../../shared/token/access-token.ts";
import * as fc from "../support/fuzzing.ts";

const facts: Facts = {
  expiresAt: new Date(1_769_860_800_000),
  lifetime: 1,
  scope: ["profile", "tsg_id:1"],
  tenants: ["1"],
};

test("a token gives one plain text for each output of the table", () => {
  const token = new AccessToken("value", facts);
  assert.deepEqual(outputsOf({ token, path: "/t/auth.json", sealedToken: "a.b.c.d.e" }), {
    "access-token": "value",
    "expires-at": "2026-01-31T12:00:00Z",
    scope: "profile tsg_id:1",
    "tsg-id": "1",
    "auth-file": "/t/auth.json",
    "sealed-token": "a.b.c.d.e",
  });
});

test("what is not known is empty", () => {
  const token = new AccessToken("value", { expiresAt: undefined, lifetime: undefined, scope: [], tenants: [] });
  const { "access-token": value, ...others } = outputsOf({ token });
  assert.equal(value, "value");
  assert.deepEqual(new Set(Object.values(others)), new Set([""]));
});

test("the end of a token is told in whole seconds of UTC, and never later than it is", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (end) => {
      const values = outputsOf({ token: new AccessToken("value", { ...facts, expiresAt: new Date(end) }) });
      assert.deepEqual(Object.keys(values), Object.keys(outputs));
      assert.match(values["expires-at"], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.equal(Date.parse(values["expires-at"]), Math.floor(end / 1000) * 1000);
    }),
  );
});
