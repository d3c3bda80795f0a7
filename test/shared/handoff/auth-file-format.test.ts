import assert from "node:assert/strict";
import { test } from "node:test";

import {
  belongsTo,
  entryOf,
  formatAuthFile,
  isOurs,
  parseAuthFile,
  PLACEHOLDER,
  type AuthFileEntry,
} from "../../../shared/handoff/auth-file-format.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import { AccessToken } from "../../../shared/token/access-token.ts";
import * as fc from "../../support/fuzzing.ts";

const WALL = Date.UTC(2026, 0, 31, 12);
const JOB_SECRET = "s".repeat(43);
const LOOPBACK = "http://127.0.0.1:4711/am/oauth2/access_token";
const request = {
  clientId: "ci@1.iam.panserviceaccount.com",
  scope: "tsg_id:1 profile",
  tokenUrl: new URL("https://auth.test/am/oauth2/access_token"),
};
const entry: AuthFileEntry = {
  clientId: request.clientId,
  clientSecret: PLACEHOLDER,
  scope: request.scope,
  authUrl: request.tokenUrl.href,
  jwt: "header.claims.signature",
  jwtExpiresAt: WALL,
  jwtLifetime: 900_000,
};

const tokenOf = (life: number | undefined, left: number, end = WALL + left): AccessToken =>
  new AccessToken("header.claims.signature", {
    expiresAt: new Date(end),
    lifetime: life === undefined ? undefined : left,
    life,
    scope: ["tsg_id:1"],
    tenants: ["1"],
  });

const entries: fc.Arbitrary<AuthFileEntry> = fc.record({
  clientId: fc.string({ minLength: 1, unit: "binary" }),
  clientSecret: fc.string({ minLength: 1 }),
  scope: fc.string({ minLength: 1 }),
  authUrl: fc.webUrl(),
  jwt: fc.stringMatching(/^[\w.-]{1,200}$/),
  jwtExpiresAt: fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }),
  jwtLifetime: fc.integer({ min: 0, max: 10 ** 9 }).map((seconds) => seconds * 1000),
});

test("the file holds exactly the fields that the providers read, in their forms", () => {
  assert.deepEqual(JSON.parse(formatAuthFile(entry)), {
    client_id: "ci@1.iam.panserviceaccount.com",
    client_secret: PLACEHOLDER,
    scope: "tsg_id:1 profile",
    host: "api.strata.paloaltonetworks.com",
    protocol: "https",
    auth_url: "https://auth.test/am/oauth2/access_token",
    jwt: "header.claims.signature",
    jwt_expires_at: "2026-01-31T12:00:00.000Z",
    jwt_lifetime: 900,
  });
});

test("what is written is read as it was", () => {
  fc.assert(
    fc.property(entries, (any) => {
      assert.deepEqual(parseAuthFile(formatAuthFile(any)), { ...any });
    }),
  );
});

test("fields that nobody asked for are passed over", () => {
  const planted = { host: "evil.test", headers: { a: "b" }, skip_verify_certificate: true, logging: "all" };
  const text = JSON.stringify({ ...(JSON.parse(formatAuthFile(entry)) as object), ...planted });
  assert.deepEqual(parseAuthFile(text), entry);
});

test("no text makes the reader throw, and what it believes has every field in its form", () => {
  const fields = Object.keys(JSON.parse(formatAuthFile(entry)) as object);
  const nearly = fc
    .tuple(entries, fc.constantFrom(...fields), fc.oneof(fc.jsonValue(), fc.constant(undefined)))
    .map(([any, field, value]) => JSON.stringify({ ...(JSON.parse(formatAuthFile(any)) as object), [field]: value }));
  let believed = 0;
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.json(), nearly), (text) => {
      const read = parseAuthFile(text);
      if (read === undefined) return;
      believed++;
      for (const value of [read.clientId, read.clientSecret, read.scope, read.authUrl, read.jwt])
        assert.ok(typeof value === "string" && value !== "");
      assert.ok(Number.isFinite(read.jwtExpiresAt));
      assert.ok(Number.isSafeInteger(read.jwtLifetime) && read.jwtLifetime >= 0);
    }),
    { numRuns: 500 },
  );
  assert.ok(believed > 20, `${believed} texts were believed`);
});

for (const [name, change] of Object.entries({
  "no token": { jwt: "" },
  "no client id": { client_id: undefined },
  "a date without a zone": { jwt_expires_at: "2026-01-31T12:00:00" },
  "a month that is none": { jwt_expires_at: "2026-13-31T12:00:00Z" },
  "a year of six digits, which Go does not read": { jwt_expires_at: "+002026-01-31T12:00:00Z" },
  "a life that is text": { jwt_lifetime: "900" },
})) {
  test(`a file with ${name} is none`, () => {
    const text = JSON.stringify({ ...(JSON.parse(formatAuthFile(entry)) as object), ...change });
    assert.equal(parseAuthFile(text), undefined);
  });
}

test("a date with another zone is read, as Go writes it", () => {
  const text = formatAuthFile(entry).replace("2026-01-31T12:00:00.000Z", "2026-01-31T13:00:00.123456789+01:00");
  assert.equal(parseAuthFile(text)?.jwtExpiresAt, WALL + 123);
  assert.equal(parseAuthFile(formatAuthFile(entry).replace(".000Z", "Z"))?.jwtExpiresAt, WALL);
});

test("without an endpoint a placeholder and the token URL are written, with one its own", () => {
  const token = tokenOf(900_000, 900_000);
  const { clientSecret, authUrl } = entryOf(request, token, WALL);
  assert.deepEqual([clientSecret, authUrl], [PLACEHOLDER, request.tokenUrl.href]);
  const endpoint = { authUrl: LOOPBACK, clientSecret: JOB_SECRET };
  const served = entryOf(request, token, WALL, endpoint);
  assert.deepEqual([served.clientSecret, served.authUrl], [JOB_SECRET, LOOPBACK]);
});

/** Life, what is left of it, the token's own end from now, and when the providers leave it alone, from now; in s. */
const margins: readonly (readonly [name: string, life: number, left: number, end: number, expected: number])[] = [
  ["a minute before the end of a long one", 900, 900, 900, 840],
  ["a tenth of its life before the end of a short one", 20, 20, 20, 18],
  ["by its own end when its making took a moment", 900, 899.2, 899.9, 839.9],
  ["by what is left when the clock is behind the server's", 20, 20, 45, 18],
  ["by its own end while it is off by half of the margin", 900, 900, 930, 870],
  ["by what is left when its own end is off by more", 900, 900, 930.001, 840],
  ["by what is left when the server gives less than the token says", 100, 100, 900, 90],
  ["in the future when it has nearly ended", 900, 30, 30, 15],
  ["in the future when the clock is ahead of the server's", 900, 20, 20, 10],
];
for (const [name, life, left, end, expected] of margins) {
  test(`the providers leave a token alone ${name}`, () => {
    const { jwtExpiresAt } = entryOf(request, tokenOf(life * 1000, left * 1000, WALL + end * 1000), WALL);
    assert.equal(jwtExpiresAt, WALL + expected * 1000);
  });
}

test("a token that lives is always good for some time, by our own clock, and never beyond its end", () => {
  const times = fc.record({
    life: fc.integer({ min: 1000, max: 86_400_000 }),
    used: fc.double({ min: 0, max: 0.999, noNaN: true }),
    skew: fc.integer({ min: -7_200_000, max: 7_200_000 }),
  });
  fc.assert(
    fc.property(times, ({ life, used, skew }) => {
      const left = Math.max(100, life * (1 - used));
      const { jwtExpiresAt } = entryOf(request, tokenOf(life, left, WALL + left + skew), WALL);
      assert.ok(jwtExpiresAt > WALL && jwtExpiresAt < WALL + left + 30_000, String(jwtExpiresAt - WALL));
      assert.ok(Math.abs(skew) < 30_000 || jwtExpiresAt <= WALL + left);
    }),
  );
});

test("the life that is written is that of the token in whole seconds, one at least", () => {
  for (const [life, written] of [
    [899_999, 899_000],
    [1000, 1000],
    [999, 1000],
  ] as const)
    // prettier-ignore
    assert.equal(entryOf(request, tokenOf(life, life), WALL).jwtLifetime, written);
});

test("a token that was found is written as when it was made", () => {
  const end = WALL + 900_000;
  const made = formatAuthFile(entryOf(request, tokenOf(899_000, 898_300, end), WALL));
  const found = formatAuthFile(entryOf(request, tokenOf(899_000, 400_000, end), WALL + 500_000));
  assert.equal(found, made);
});

test("a token whose life nobody knows can't be written", () => {
  const known = { expiresAt: new Date(WALL), lifetime: 900_000, life: 900_000, scope: [], tenants: [] };
  for (const fact of ["life", "lifetime", "expiresAt"])
    assert.throws(
      () => entryOf(request, new AccessToken("header.claims.signature", { ...known, [fact]: undefined }), WALL),
      (error) => {
        assert.ok(AuthError.isAuthError(error), String(error));
        assert.deepEqual([error.kind, error.code], ["protocol", "unknown_life"]);
        assert.match(
          error.message,
          /: the server did not say how long its token lives, so an auth file can't hold it\.$/,
        );
        return true;
      },
    );
});

const ownership: readonly (readonly [name: string, clientSecret: string, authUrl: string, ours: boolean])[] = [
  ["the placeholder", PLACEHOLDER, request.tokenUrl.href, true],
  ["a job's secret and a loopback endpoint", JOB_SECRET, LOOPBACK, true],
  ["a real secret", "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10", request.tokenUrl.href, false],
  ["a real secret and a loopback endpoint", "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10", LOOPBACK, false],
  ["more than a job's secret and a loopback endpoint", `${JOB_SECRET}x`, LOOPBACK, false],
  ["a job's secret with something before it", `/${JOB_SECRET}`, LOOPBACK, false],
  ["a job's secret and a foreign host", JOB_SECRET, "http://127.0.0.1.evil.test:80/am/oauth2/access_token", false],
  ["a job's secret and a user in the URL", JOB_SECRET, "http://a@127.0.0.1:80/am/oauth2/access_token", false],
  ["a job's secret and localhost", JOB_SECRET, "http://localhost:4711/am/oauth2/access_token", false],
];
for (const [name, clientSecret, authUrl, ours] of ownership) {
  test(`a file with ${name} is ${ours ? "ours" : "somebody else's"}`, () => {
    assert.equal(isOurs({ clientSecret, authUrl }), ours);
  });
}

test("a file belongs to its client and its scopes, in whatever order", () => {
  assert.ok(belongsTo(entry, request));
  assert.ok(belongsTo({ ...entry, scope: " profile  tsg_id:1 profile" }, request));
  assert.ok(!belongsTo({ ...entry, scope: "tsg_id:1" }, request));
  assert.ok(!belongsTo({ ...entry, scope: "tsg_id:2 profile" }, request));
  assert.ok(!belongsTo({ ...entry, clientId: "other" }, request));
});
