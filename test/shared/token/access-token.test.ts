import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { AccessToken, factsOf, lifeOf, type Facts } from "../../../shared/token/access-token.ts";
import * as fc from "../../support/fuzzing.ts";

const WALL = 1_769_860_800_000;
const facts: Facts = { expiresAt: new Date(WALL), lifetime: 1000, scope: ["tsg_id:1", "profile"], tenants: ["1"] };

test("what is left of a token's life is the shorter of what server and token say, and never negative", () => {
  const life = fc.option(fc.integer({ min: 1, max: 86_400_000 }), { nil: undefined });
  const exp = fc.option(fc.double({ min: 0, max: 4e9, noNaN: true }), { nil: undefined });
  fc.assert(
    fc.property(life, fc.nat(100_000), exp, (given, age, end) => {
      const { lifetime, expiresAt } = lifeOf({ life: given, age, wall: WALL }, end);
      const known = [given === undefined ? [] : given - age, end === undefined ? [] : end * 1000 - WALL].flat();
      assert.equal(lifetime, known.length === 0 ? undefined : Math.max(0, Math.min(...known)));
      // The end told is the token's own; the server's counts where the token has none.
      if (end !== undefined) assert.equal(expiresAt?.getTime(), Math.trunc(end * 1000));
      else assert.equal(expiresAt?.getTime(), given === undefined ? undefined : WALL + given - age);
    }),
  );
});

const tenants: readonly (readonly [what: string, change: Partial<Facts>, tsgId: string | undefined])[] = [
  ["the one asked for", {}, "1"],
  ["the one asked for among more that are granted", { scope: ["tsg_id:2", "tsg_id:1"] }, "1"],
  ["the one granted when none was asked for", { tenants: [], scope: ["a", "tsg_id:7"] }, "7"],
  ["none when several were asked for", { tenants: ["1", "2"], scope: ["tsg_id:1", "tsg_id:2"] }, undefined],
  ["none when several are granted and none was asked for", { tenants: [], scope: ["tsg_id:1", "tsg_id:2"] }, undefined],
  ["none when none is granted", { tenants: [], scope: ["profile"] }, undefined],
];
for (const [what, change, tsgId] of tenants) {
  test(`the tenant of a token is ${what}`, () => {
    assert.equal(new AccessToken("value", { ...facts, ...change }).tsgId, tsgId);
  });
}

test("a token is printed without its value, by whatever prints it", () => {
  const token = new AccessToken("s3cret-token", facts);
  assert.equal(token.value, "s3cret-token");
  for (const options of [{}, { showHidden: true, depth: 9 }, { compact: false }])
    assert.doesNotMatch(inspect({ token }, options), /s3cret/);
  assert.doesNotMatch(`${JSON.stringify(token)} ${Object.values(token).join()}`, /s3cret/);
  assert.equal(inspect(token), "AccessToken { tsg_id:1 profile, until 2026-01-31T12:00:00.000Z }");
  const endless = new AccessToken("s3cret-token", { ...facts, expiresAt: undefined });
  assert.equal(inspect(endless), "AccessToken { tsg_id:1 profile, until unknown }");
});

test("the facts of a token are those of its claims", () => {
  const claims = { aud: "x", iat: WALL / 1000, exp: WALL / 1000 + 900, scope: "a tsg_id:1" };
  assert.deepEqual(factsOf(claims, { life: 899_000, age: 500, wall: WALL }, ["1"]), {
    expiresAt: new Date(WALL + 900_000),
    lifetime: 898_500,
    life: 899_000,
    scope: ["a", "tsg_id:1"],
    tenants: ["1"],
  });
  // Where the server says nothing, the life is that of the claims.
  const scopeless = { aud: "x", iat: WALL / 1000, exp: WALL / 1000 + 900 };
  const { life, scope } = factsOf(scopeless, { life: undefined, age: 500, wall: WALL }, []);
  assert.deepEqual([life, scope], [900_000, []]);
});
