import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { AuthError, type AuthErrorCode } from "../../../shared/report/errors.ts";
import {
  claimedScope,
  judgeClaims,
  judgeTenants,
  type Clocks,
  type Expectation,
} from "../../../shared/token/claims.ts";
import * as fc from "../../support/fuzzing.ts";
import { honestClaims } from "../../support/tokens.ts";

const IAT = 1_769_860_800;
const EXP = IAT + 900;
const clientId = "ci@1.iam.panserviceaccount.com";
const honest = honestClaims({ clientId, tsgId: "1", now: IAT, ttl: 900 });
const expected: Expectation = { clientId, tenants: ["1"], issuer: honest.iss };
/** A moment of the token's life. */
const wall = (IAT + 60) * 1000;

/** The code of what is wrong with claims, undefined when nothing is. */
function faultOf(
  payload: unknown,
  clocks: Partial<Clocks> = {},
  want: Partial<Expectation> = {},
): AuthError | undefined {
  try {
    judgeClaims(payload, { ...expected, ...want }, { wall, offset: undefined, ...clocks });
    return undefined;
  } catch (error) {
    assert.ok(AuthError.isAuthError(error), String(error));
    assert.equal(error.kind, "verification");
    return error;
  }
}

test("the claims of an honest token are taken, all of them", () => {
  assert.deepEqual(judgeClaims(honest, expected, { wall, offset: 0 }), honest);
});

const MOMENTS: readonly (readonly [what: string, at: number, code: AuthErrorCode | undefined])[] = [
  ["a millisecond before its end", EXP * 1000 - 1, undefined],
  ["at its end", EXP * 1000, "token_expired"],
  ["a millisecond after its end", EXP * 1000 + 1, "token_expired"],
  ["at its begin", IAT * 1000, undefined],
  ["30 s before its begin", IAT * 1000 - 30_000, undefined],
  ["30 s and a millisecond before its begin", IAT * 1000 - 30_001, "token_from_the_future"],
];
for (const [what, at, code] of MOMENTS) {
  test(`a token ${what} is ${code ?? "good"}`, () => {
    assert.equal(faultOf(honest, { wall: at })?.code, code);
    // What begins later counts.
    assert.equal(faultOf({ ...honest, iat: IAT - 1 }, { wall: at })?.code, code);
    assert.equal(faultOf({ ...honest, nbf: IAT - 1 }, { wall: at })?.code, code);
  });
}

test("parts of a second count", () => {
  const claims = { ...honest, nbf: IAT + 0.25, exp: EXP + 0.25 };
  assert.equal(faultOf(claims, { wall: EXP * 1000 + 249 }), undefined);
  assert.equal(faultOf(claims, { wall: EXP * 1000 + 250 })?.code, "token_expired");
  assert.equal(faultOf(claims, { wall: IAT * 1000 - 29_750 }), undefined);
  assert.equal(faultOf(claims, { wall: IAT * 1000 - 29_751 })?.code, "token_from_the_future");
});

test("times are judged as a second reading of the rules does", () => {
  const times = fc.record({
    iat: fc.integer({ min: IAT - 100, max: IAT + 100 }),
    nbf: fc.option(fc.integer({ min: IAT - 100, max: IAT + 100 }), { nil: undefined }),
    exp: fc.double({ min: IAT - 100, max: IAT + 1000, noNaN: true }),
    now: fc.integer({ min: (IAT - 200) * 1000, max: (IAT + 1100) * 1000 }),
  });
  fc.assert(
    fc.property(times, ({ iat, nbf, exp, now }) => {
      const begin = Math.max(iat, nbf ?? 0);
      const code =
        exp <= begin
          ? "bad_claim"
          : now >= exp * 1000
            ? "token_expired"
            : begin * 1000 > now + 30_000
              ? "token_from_the_future"
              : undefined;
      const claims = { ...honest, iat, nbf, exp };
      if (nbf === undefined) delete (claims as { nbf?: unknown }).nbf;
      assert.equal(faultOf(claims, { wall: now })?.code, code);
    }),
    { numRuns: 500 },
  );
});

const SKEWS: readonly (readonly [what: string, ours: number, offset: number | undefined, code: AuthErrorCode | undefined])[] = [
  ["ahead by an hour", wall + 3_600_000, -3_600_000, "clock_skew"],
  ["behind by an hour", wall - 3_600_000, 3_600_000, "clock_skew"],
  ["ahead by an hour, and the server tells no time", wall + 3_600_000, undefined, "token_expired"],
  ["behind by an hour, and the server tells no time", wall - 3_600_000, undefined, "token_from_the_future"],
  ["ahead by 30 s and right enough", wall + 30_000, -30_000, undefined],
  ["off by an hour in a way that the token does not show", wall, 3_600_000, undefined],
  ["right, and the token had ended all the same", EXP * 1000, 0, "token_expired"],
  ["off by an hour, and the token had ended by the server's too", EXP * 1000 + 7_200_000, -3_600_000, "token_expired"],
  ["past the end by 30 s, as far as clocks may differ", EXP * 1000 + 29_000, -30_000, "token_expired"],
  ["past the end by a little more", EXP * 1000 + 29_000, -30_001, "clock_skew"],
]; // prettier-ignore
for (const [what, ours, offset, code] of SKEWS) {
  test(`when our clock is ${what}: ${code ?? "good"}`, () => {
    assert.equal(faultOf(honest, { wall: ours, offset })?.code, code);
  });
}

test("a clock that is wrong is told by how much and in which direction", () => {
  assert.match(
    faultOf(honest, { wall: wall + 3_600_000, offset: -3_600_000 })?.message ?? "",
    /is 1 h ahead of the server/,
  );
  assert.match(
    faultOf(honest, { wall: wall - 3_600_000, offset: 3_600_000 })?.message ?? "",
    /is 1 h behind the server/,
  );
  assert.match(faultOf(honest, { wall: EXP * 1000 + 90_000 })?.message ?? "", /1 min 30 s ago/);
  assert.match(faultOf(honest, { wall: IAT * 1000 - 90_000 })?.message ?? "", /1 min 30 s from now/);
});

/** Claims that lie, by what they are changed to. */
const LIES: readonly (readonly [claim: string, values: readonly unknown[], code: AuthErrorCode])[] = [
  ["aud", ["", "other", `${clientId} `, clientId.toUpperCase(), [], ["other"], [`${clientId},x`]], "wrong_audience"],
  ["aud", [1, null, {}, [1], [clientId, 1], [[clientId]], true], "bad_claim"],
  ["iss", ["", "https://auth.apps.paloaltonetworks.com/am/oauth2", `${honest.iss}/`, undefined], "wrong_issuer"],
  ["iss", [1, null, [honest.iss]], "bad_claim"],
  ["exp", [String(EXP), null, true, [EXP], {}, -1, 253_402_300_800, EXP * 1000], "bad_claim"],
  ["iat", [String(IAT), null, false, -1, EXP, EXP + 1], "bad_claim"],
  ["nbf", [String(IAT), null, -1, EXP, EXP + 1], "bad_claim"],
  ["scope", [1, null, {}, [1], true, { "tsg_id:1": 1 }], "bad_claim"],
  ["scope", ["", [], "tsg_id:11", ["tsg_id:2"], "xtsg_id:1", ["tsg_id:1 tsg_id:2"], "tsg_id:1,tsg_id:2", "TSG_ID:1", "tsg_id:1\n", undefined], "wrong_tenant"],
]; // prettier-ignore
for (const [claim, values, code] of LIES) {
  test(`a token is refused as ${code} when ${claim} is one of ${values.length} lies, and the claim is named`, () => {
    for (const value of values) {
      const claims = JSON.parse(JSON.stringify({ ...honest, [claim]: value })) as unknown;
      const fault = faultOf(claims);
      assert.equal(fault?.code, code, JSON.stringify(value));
      assert.ok(fault.message.includes(claim), fault.message);
    }
  });
}

for (const claim of ["aud", "exp", "iat"]) {
  test(`a token without ${claim} is refused by that name`, () => {
    const fault = faultOf(JSON.parse(JSON.stringify({ ...honest, [claim]: undefined })));
    assert.deepEqual([fault?.code, fault?.message.includes(claim)], ["missing_claim", true]);
  });
}

for (const payload of [null, 1, "text", [], [honest], true, undefined]) {
  test(`a payload of ${inspect(payload).slice(0, 20)} is malformed`, () => {
    const fault = faultOf(payload);
    assert.equal(fault?.code, "malformed_token");
    assert.match(fault.message, /the token's claims are no JSON object\.$/);
  });
}

const GOOD: readonly (readonly [what: string, change: object, want?: Partial<Expectation>])[] = [
  ["an audience of several", { aud: ["other", clientId] }],
  ["a scope that is text", { scope: "profile tsg_id:1  email" }],
  ["a scope of more tenants than asked for", { scope: ["tsg_id:2", "tsg_id:1"] }],
  ["no scope when no tenant is asked for", { scope: undefined }, { tenants: [] }],
  ["any issuer when none is configured", { iss: "https://other.test" }, { issuer: undefined }],
  ["no issuer when none is configured", { iss: undefined }, { issuer: undefined }],
  ["no nbf", { nbf: undefined }],
  ["claims that nobody knows", { groups: [1], __proto__: null }],
];
for (const [what, change, want] of GOOD) {
  test(`a token is taken with ${what}`, () => {
    assert.equal(faultOf(JSON.parse(JSON.stringify({ ...honest, ...change })), {}, want), undefined);
  });
}

test("no claim is taken from what the token says its prototype is", () => {
  const payload: unknown = JSON.parse(`{"__proto__":${JSON.stringify(honest)}}`);
  assert.equal(faultOf(payload)?.code, "missing_claim");
  const scopeless = JSON.stringify({ ...honest, scope: undefined }).replace(
    /\}$/,
    ',"__proto__":{"scope":"tsg_id:1"}}',
  );
  assert.equal(faultOf(JSON.parse(scopeless))?.code, "wrong_tenant");
});

test("each tenant asked for must be granted by a word of its own, and the missing ones are named", () => {
  const ids = fc.uniqueArray(fc.nat(30).map(String), { maxLength: 6 });
  fc.assert(
    fc.property(ids, ids, (granted, wanted) => {
      const words = granted.map((id) => `tsg_id:${id}`);
      const missing = wanted.filter((id) => !granted.includes(id));
      if (missing.length === 0) judgeTenants(words, wanted);
      else {
        const judge = (): void => {
          judgeTenants(words, wanted);
        };
        assert.throws(judge, { code: "wrong_tenant", message: new RegExp(`tenant ${missing.join(", ")}\\.$`) });
      }
    }),
  );
});

test("the claimed scope is its words, undefined when nothing is claimed", () => {
  assert.deepEqual(claimedScope({ ...honest, aud: clientId, scope: " a  b " }), ["a", "b"]);
  assert.deepEqual(claimedScope({ ...honest, aud: clientId, scope: ["a", "b"] }), ["a", "b"]);
  assert.equal(claimedScope({ aud: clientId, iat: 0, exp: 1 }), undefined);
});
