import assert from "node:assert/strict";
import { test } from "node:test";
import { AccessToken } from "../../../shared/access-token.ts";
import {
  createAuthFileContent,
  isCanonical,
  isManaged,
  matchesIdentity,
  parseAuthFile,
  parseTokenServerPort,
  PLACEHOLDER_SECRET,
  serializeAuthFile,
  toTokenServerUrl,
} from "../../../shared/auth-file/format.ts";
import { createFakeClock, type FakeClock } from "../../support/fake-clock.ts";
import { countRuns, fc } from "../../support/fuzzing.ts";

const SERVER = { authUrl: toTokenServerUrl(43_210), clientSecret: "s".repeat(43) };
const REQUEST = {
  clientId: "ci@1234567890.iam.panserviceaccount.com",
  scope: "tsg_id:1234567890",
  tokenUrl: new URL("https://auth.example.com/am/oauth2/access_token"),
};

interface TokenOptions {
  readonly lifetime?: number;
  readonly remaining?: number;
  /** Milliseconds by which the token's own expiration is later than `remaining` implies. */
  readonly dateOffset?: number;
}

const createToken = (
  clock: FakeClock,
  { lifetime = 900_000, remaining = lifetime, dateOffset = 0 }: TokenOptions = {},
) =>
  new AccessToken("header.payload.signature", {
    lifetime,
    deadline: clock.elapsed() + remaining,
    expiresAt: new Date(clock.now() + remaining + dateOffset),
    scope: ["tsg_id:1234567890"],
    tsgIds: ["1234567890"],
  });

test("writes only the fields that all providers interpret in the same way", () => {
  const clock = createFakeClock(Date.UTC(2026, 0, 31, 12));
  assert.deepEqual(JSON.parse(serializeAuthFile(createAuthFileContent(REQUEST, createToken(clock), clock))), {
    client_id: REQUEST.clientId,
    client_secret: PLACEHOLDER_SECRET,
    scope: "tsg_id:1234567890",
    auth_url: "https://auth.example.com/am/oauth2/access_token",
    jwt: "header.payload.signature",
    jwt_expires_at: "2026-01-31T12:14:00.000Z",
    jwt_lifetime: 900,
  });
});

test("writes the address and the secret of a token server", () => {
  const clock = createFakeClock();
  const content = createAuthFileContent(REQUEST, createToken(clock), clock, SERVER);
  assert.deepEqual([content.authUrl, content.clientSecret], [SERVER.authUrl, SERVER.clientSecret]);
});

test("parses the files that it writes", () => {
  const clock = createFakeClock();
  const content = createAuthFileContent(REQUEST, createToken(clock), clock, SERVER);
  assert.deepEqual(parseAuthFile(serializeAuthFile(content)), content);
  assert.equal(isCanonical(serializeAuthFile(content)), true);
});

const VALID = JSON.parse(
  serializeAuthFile(createAuthFileContent(REQUEST, createToken(createFakeClock()), createFakeClock())),
) as Readonly<Record<string, unknown>>;
const toText = (changes: object): string => JSON.stringify({ ...VALID, ...changes });

for (const [name, text] of Object.entries({
  "that is not JSON": "{",
  "that is an array": "[]",
  "without a jwt": toText({ jwt: undefined }),
  "with an empty jwt": toText({ jwt: "" }),
  "with a number as client_id": toText({ client_id: 1 }),
  "with an unpaired surrogate": toText({ client_id: "\ud800" }),
  "with a date that has no time": toText({ jwt_expires_at: "2026-01-31" }),
  "with a date that does not exist": toText({ jwt_expires_at: "2026-13-31T12:00:00Z" }),
  "with a fractional lifetime": toText({ jwt_lifetime: 1.5 }),
  "with a negative lifetime": toText({ jwt_lifetime: -1 }),
}))
  test(`does not parse a file ${name}`, () => {
    assert.equal(parseAuthFile(text), undefined);
  });

test("parses a date in the format that Go writes", () => {
  const text = toText({ jwt_expires_at: "2026-01-31T13:14:15.123456789+01:00" });
  assert.equal(parseAuthFile(text)?.jwtExpiresAt, Date.UTC(2026, 0, 31, 12, 14, 15, 123));
});

test("ignores unknown fields, but does not consider the file canonical", () => {
  const text = toText({ host: "evil.example.com", skip_verify_certificate: true });
  assert.equal(parseAuthFile(text)?.clientId, REQUEST.clientId);
  assert.equal(isCanonical(text), false);
});

test("never throws, regardless of the text", () => {
  const value = fc.oneof(fc.jsonValue(), fc.string({ unit: "binary" }), fc.constantFrom(...Object.values(VALID)));
  const file = fc.record(Object.fromEntries(Object.keys(VALID).map((name) => [name, value])), { requiredKeys: [] });
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    file.map((fields) => JSON.stringify({ ...VALID, ...fields })),
  );
  fc.assert(
    fc.property(text, (candidate) => {
      const content = parseAuthFile(candidate);
      if (content !== undefined)
        assert.deepEqual(parseAuthFile(serializeAuthFile({ ...content, jwtExpiresAt: 0 }))?.jwt, content.jwt);
    }),
    { numRuns: countRuns(300) },
  );
});

for (const [name, token, margin] of [
  ["60 s before a long token expires", {}, 60_000],
  ["a tenth of its lifetime before a short token expires", { lifetime: 100_000 }, 10_000],
  ["after half of the remaining time of an old token", { remaining: 20_000 }, 10_000],
] as const)
  test(`makes the providers renew the token ${name}`, () => {
    const clock = createFakeClock();
    const { jwtExpiresAt } = createAuthFileContent(REQUEST, createToken(clock, token), clock);
    const remaining = "remaining" in token ? token.remaining : "lifetime" in token ? token.lifetime : 900_000;
    assert.equal(jwtExpiresAt, clock.now() + remaining - margin);
  });

test("writes the expiration according to this machine's clock if that clock is off by minutes", () => {
  const clock = createFakeClock();
  const close = createAuthFileContent(REQUEST, createToken(clock, { dateOffset: 20_000 }), clock);
  assert.equal(close.jwtExpiresAt, clock.now() + 900_000 + 20_000 - 60_000);
  const far = createAuthFileContent(REQUEST, createToken(clock, { dateOffset: 3_600_000 }), clock);
  assert.equal(far.jwtExpiresAt, clock.now() + 900_000 - 60_000);
});

test("writes a future date that is not later than the expiration for every valid token", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 10, max: 86_400_000 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      fc.integer({ min: -7_200_000, max: 7_200_000 }),
      (lifetime, share, dateOffset) => {
        const clock = createFakeClock();
        const remaining = Math.max(4, Math.floor(lifetime * share));
        const token = createToken(clock, { lifetime, remaining, dateOffset });
        const { jwtExpiresAt, jwtLifetime } = createAuthFileContent(REQUEST, token, clock);
        assert.ok(jwtExpiresAt >= clock.now() && jwtExpiresAt <= clock.now() + remaining);
        assert.ok(jwtLifetime >= 1000 && jwtLifetime % 1000 === 0);
      },
    ),
  );
});

test("rejects a token with an unknown lifetime", () => {
  const props = { expiresAt: undefined, deadline: undefined, lifetime: undefined, scope: [], tsgIds: [] };
  const clock = createFakeClock();
  assert.throws(() => createAuthFileContent(REQUEST, new AccessToken("opaque", props), clock), {
    kind: "protocol",
    code: "token_lifetime_unknown",
  });
});

test("accepts only the exact URL of a token server", () => {
  assert.equal(parseTokenServerPort(toTokenServerUrl(65_535)), 65_535);
  for (const url of [
    toTokenServerUrl(0),
    toTokenServerUrl(65_536),
    "http://127.0.0.1:080/am/oauth2/access_token",
    "http://localhost:80/am/oauth2/access_token",
    "https://127.0.0.1:80/am/oauth2/access_token",
    "http://127.0.0.1:80@evil.example.com/am/oauth2/access_token",
    "http://127.0.0.1:80/am/oauth2/access_token?x",
    "http://127.0.0.1:80/shutdown",
  ])
    assert.equal(parseTokenServerPort(url), undefined, url);
});

test("recognizes by the secret whether scm-auth wrote a file", () => {
  const authUrl = "https://auth.example.com/am/oauth2/access_token";
  assert.equal(isManaged({ authUrl, clientSecret: PLACEHOLDER_SECRET }), true);
  assert.equal(isManaged(SERVER), true);
  assert.equal(isManaged({ ...SERVER, authUrl }), false);
  assert.equal(isManaged({ ...SERVER, clientSecret: "2e1c7f6b-the-real-secret" }), false);
});

test("matches an identity by client ID and scope, regardless of the order of the scope-tokens", () => {
  const content = { clientId: "ci", scope: "tsg_id:1 email" };
  assert.equal(matchesIdentity(content, { clientId: "ci", scope: "email tsg_id:1" }), true);
  assert.equal(matchesIdentity(content, { clientId: "ci", scope: "email" }), false);
  assert.equal(matchesIdentity(content, { clientId: "other", scope: "email tsg_id:1" }), false);
});
