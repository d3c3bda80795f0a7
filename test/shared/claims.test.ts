import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { getScope, validateClaims, validateTenants, type ClockInfo, type ExpectedClaims } from "../../shared/jwt.ts";
import { AuthError, TokenExpiredError, type AuthErrorCode } from "../../shared/errors.ts";
import { countRuns, fc } from "../support/fuzzing.ts";
import { validClaims } from "../support/tokens.ts";

const IAT = 1_769_860_800;
const EXP = IAT + 900;
const START = IAT * 1000;
const END = EXP * 1000;
const clientId = "ci@1.iam.panserviceaccount.com";
const valid = validClaims({ clientId, tsgId: "1", now: IAT, ttl: 900 });
const expected: ExpectedClaims = { clientId, tsgIds: ["1"], issuer: valid.iss };
const now = (IAT + 60) * 1000;

/** Returns why claims are rejected, or undefined if they are valid. */
function getError(
  payload: unknown,
  clock: Partial<ClockInfo> = {},
  changes: Partial<ExpectedClaims> = {},
): AuthError | undefined {
  try {
    validateClaims(payload, { ...expected, ...changes }, { now, skew: undefined, ...clock });
    return undefined;
  } catch (error) {
    assert.ok(AuthError.isAuthError(error), String(error));
    assert.equal(error.kind, "verification");
    return error;
  }
}

/** Returns the claims as they appear in a token, without undefined values. */
const toPayload = (changes: object): unknown => JSON.parse(JSON.stringify({ ...valid, ...changes }));

test("returns all claims of a valid token", () => {
  assert.deepEqual(validateClaims(valid, expected, { now, skew: 0 }), valid);
});

const MOMENTS: readonly (readonly [name: string, time: number, code: AuthErrorCode | undefined])[] = [
  ["1 ms before exp", END - 1, undefined],
  ["at exp", END, "token_expired"],
  ["1 ms after exp", END + 1, "token_expired"],
  ["at iat", START, undefined],
  ["30 s before iat", START - 30_000, undefined],
  ["30.001 s before iat", START - 30_001, "token_not_yet_valid"],
];
for (const [name, time, code] of MOMENTS) {
  test(`${code === undefined ? "accepts a token" : `reports ${code}`} ${name}, regardless of which of iat and nbf is later`, () => {
    for (const change of [{}, { iat: IAT - 1 }, { nbf: IAT - 1 }])
      assert.equal(getError({ ...valid, ...change }, { now: time })?.code, code);
  });
}

test("reports an expired token as TokenExpiredError", () => {
  assert.ok(getError(valid, { now: END }) instanceof TokenExpiredError);
});

test("validates times with a precision of fractions of a second", () => {
  const claims = { ...valid, nbf: IAT + 0.25, exp: EXP + 0.25 };
  assert.equal(getError(claims, { now: END + 249 }), undefined);
  assert.equal(getError(claims, { now: END + 250 })?.code, "token_expired");
  assert.equal(getError(claims, { now: START - 29_750 }), undefined);
  assert.equal(getError(claims, { now: START - 29_751 })?.code, "token_not_yet_valid");
});

test("validates times with the same results as a second implementation", () => {
  const times = fc.record({
    iat: fc.integer({ min: IAT - 100, max: IAT + 100 }),
    nbf: fc.option(fc.integer({ min: IAT - 100, max: IAT + 100 }), { nil: undefined }),
    exp: fc.double({ min: IAT - 100, max: IAT + 1000, noNaN: true }),
    time: fc.integer({ min: (IAT - 200) * 1000, max: (IAT + 1100) * 1000 }),
  });
  fc.assert(
    fc.property(times, ({ iat, nbf, exp, time }) => {
      const start = Math.max(iat, nbf ?? 0);
      const isEarly = start * 1000 > time + 30_000;
      const code = time >= exp * 1000 ? "token_expired" : isEarly ? "token_not_yet_valid" : undefined;
      assert.equal(getError(toPayload({ iat, nbf, exp }), { now: time })?.code, exp <= start ? "invalid_claim" : code);
    }),
    { numRuns: countRuns(500) },
  );
});

const HOUR = 3_600_000;
const SKEWS: readonly (readonly [name: string, clock: ClockInfo, code: AuthErrorCode | undefined])[] = [
  ["an hour ahead", { now: now + HOUR, skew: -HOUR }, "clock_skew"],
  ["an hour behind", { now: now - HOUR, skew: HOUR }, "clock_skew"],
  ["an hour ahead of a server that sends no Date header", { now: now + HOUR, skew: undefined }, "token_expired"],
  ["an hour behind a server that sends no Date header", { now: now - HOUR, skew: undefined }, "token_not_yet_valid"],
  ["30 s ahead and the token is valid", { now: now + 30_000, skew: -30_000 }, undefined],
  ["off by an hour and the token is valid", { now, skew: HOUR }, undefined],
  ["exact and the token has expired", { now: END, skew: 0 }, "token_expired"],
  ["off and the token has expired by both clocks", { now: END + 2 * HOUR, skew: -HOUR }, "token_expired"],
  ["30 s ahead, within tolerance", { now: END + 29_000, skew: -30_000 }, "token_expired"],
  ["just beyond the tolerance", { now: END + 29_000, skew: -30_001 }, "clock_skew"],
];
for (const [name, clock, code] of SKEWS) {
  test(`${code === undefined ? "accepts a token" : `reports ${code}`} when the clock is ${name}`, () => {
    assert.equal(getError(valid, clock)?.code, code);
  });
}

test("states in the message by how much the times differ", () => {
  const getMessage = (clock: ClockInfo): string => getError(valid, clock)?.message ?? "";
  assert.match(getMessage({ now: now + HOUR, skew: -HOUR }), /this machine's clock is 1 h ahead of the server's/);
  assert.match(getMessage({ now: now - HOUR, skew: HOUR }), /this machine's clock is 1 h behind the server's/);
  assert.match(getMessage({ now: END + 90_000, skew: undefined }), /expired 1 min 30 s ago/);
  assert.match(getMessage({ now: START - 90_000, skew: undefined }), /does not become valid until 1 min 30 s from now/);
});

/** Invalid values for each claim. */
const INVALID: readonly (readonly [claim: string, values: readonly unknown[], code: AuthErrorCode])[] = [
  ["aud", ["", "other", `${clientId} `, clientId.toUpperCase(), [], ["other"], [`${clientId},x`]], "audience_mismatch"],
  ["aud", [1, null, {}, [1], [clientId, 1], [[clientId]], true], "invalid_claim"],
  ["iss", ["", "https://auth.apps.paloaltonetworks.com/am/oauth2", `${valid.iss}/`, undefined], "issuer_mismatch"],
  ["iss", [1, null, [valid.iss]], "invalid_claim"],
  ["exp", [String(EXP), null, true, [EXP], {}, -1, 253_402_300_800, END], "invalid_claim"],
  ["iat", [String(IAT), null, false, -1, EXP, EXP + 1], "invalid_claim"],
  ["nbf", [String(IAT), null, -1, EXP, EXP + 1], "invalid_claim"],
  ["scope", [1, null, {}, [1], true, { "tsg_id:1": 1 }], "invalid_claim"],
  ["scope", ["", [], "tsg_id:11", ["tsg_id:2"], "xtsg_id:1", ["tsg_id:1 tsg_id:2"], "tsg_id:1,tsg_id:2", "TSG_ID:1", "tsg_id:1\n", undefined], "tenant_mismatch"],
  ...["aud", "exp", "iat"].map((claim) => [claim, [undefined], "missing_claim"] as const),
]; // prettier-ignore
for (const [claim, values, code] of INVALID) {
  test(`rejects invalid values of ${claim} with ${code} and names the claim`, () => {
    for (const value of values) {
      const error = getError(toPayload({ [claim]: value }));
      assert.equal(error?.code, code, JSON.stringify(value));
      assert.ok(error.message.includes(claim), error.message);
    }
  });
}

test("rejects a payload that is not an object", () => {
  for (const payload of [null, 1, "text", [], [valid], true, undefined])
    assert.equal(getError(payload)?.code, "malformed_token", inspect(payload));
});

const VALID: readonly (readonly [name: string, change: object, expected?: Partial<ExpectedClaims>])[] = [
  ["several audiences", { aud: ["other", clientId] }],
  ["a scope that is a string", { scope: "profile tsg_id:1  email" }],
  ["more tenants than requested", { scope: ["tsg_id:2", "tsg_id:1"] }],
  ["no scope if no tenant is requested", { scope: undefined }, { tsgIds: [] }],
  ["any issuer if none is configured", { iss: "https://other.test" }, { issuer: undefined }],
  ["no issuer if none is configured", { iss: undefined }, { issuer: undefined }],
  ["no nbf", { nbf: undefined }],
  ["unknown claims", { groups: [1] }],
];
for (const [name, change, changes] of VALID) {
  test(`accepts a token with ${name}`, () => {
    assert.equal(getError(toPayload(change), {}, changes), undefined);
  });
}

test("reads no claims from a __proto__ member", () => {
  assert.equal(getError(JSON.parse(`{"__proto__":${JSON.stringify(valid)}}`))?.code, "missing_claim");
  const scopeless = JSON.stringify({ ...valid, scope: undefined }).replace(/\}$/, ',"__proto__":{"scope":"tsg_id:1"}}');
  assert.equal(getError(JSON.parse(scopeless))?.code, "tenant_mismatch");
});

test("requires every requested tenant to be granted, and names those that are missing", () => {
  const ids = fc.uniqueArray(fc.nat(30).map(String), { maxLength: 6 });
  fc.assert(
    fc.property(ids, ids, (granted, requested) => {
      const tokens = granted.map((id) => `tsg_id:${id}`);
      const missing = requested.filter((id) => !granted.includes(id));
      const validate = (): void => {
        validateTenants(tokens, requested);
      };
      if (missing.length === 0) validate();
      else
        assert.throws(validate, { code: "tenant_mismatch", message: new RegExp(`tenant ${missing.join(", ")}\\.$`) });
    }),
  );
});

test("getScope returns the scope-tokens in a string or an array, or none if there is no scope", () => {
  const claims = { aud: clientId, iat: 0, exp: 1 };
  assert.deepEqual(getScope({ ...claims, scope: " a  b " }), ["a", "b"]);
  assert.deepEqual(getScope({ ...claims, scope: ["a", "b"] }), ["a", "b"]);
  assert.deepEqual(getScope(claims), []);
});
