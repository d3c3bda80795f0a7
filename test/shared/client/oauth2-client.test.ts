import assert from "node:assert/strict";
import { after, test, type TestContext } from "node:test";
import { inspect } from "node:util";

import { ApiError, AuthError, AuthRequest, OAuth2Client, TokenExpiredError } from "../../../shared/index.ts";
import type { AuthEvent, ClientOptions } from "../../../shared/index.ts";
import { systemClock, type Clock } from "../../../shared/clock.ts";
import { assertNoCanary, tokenCanaries } from "../../support/canaries.ts";
import { makeCertificates } from "../../support/certificate.ts";
import { TAGS_PATH } from "../../support/scm-api.ts";
import { startScmServer, type ScmServer, type ScmServerOptions } from "../../support/scm-server.ts";
import { startScriptedServer, type Script, type ScriptedRequest } from "../../support/scripted-server.ts";
import { stdoutOf } from "../../support/stdout.ts";
import { honestClaims, makeSigner } from "../../support/tokens.ts";

const tls = await makeCertificates();
const signer = await makeSigner();
const clientId = "ci@1234567890.iam.panserviceaccount.com";
const SECRET = "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10";
const HOUR = 3_600_000;

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
process.on("unhandledRejection", note);
after(() => {
  process.off("unhandledRejection", note);
  assert.deepEqual(unhandled, []);
});

/** The real sort of server: a certified OpenID provider over TLS. */
async function scm(t: TestContext, options: ScmServerOptions = {}) {
  const server = await startScmServer({ tls, ...options });
  t.after(server.close);
  const { clientSecret, tokenUrl, tsgId, ca } = server;
  const request = AuthRequest.parse({ clientId: server.clientId, clientSecret, tokenUrl, tsgId, ca });
  return { server, request };
}

/** A server that answers what a test writes, over TLS too. */
async function scripted(t: TestContext, token: Script, other?: Script) {
  const keys = { body: { keys: [signer.jwk] } };
  const server = await startScriptedServer({ token, keys, tls, ...(other !== undefined && { other }) });
  t.after(server.close);
  const request = AuthRequest.parse({ clientId, clientSecret: SECRET, tokenUrl: server.tokenUrl, ca: tls.ca });
  return { server, request };
}

const minted = (change: object = {}) => ({
  body: {
    access_token: signer.sign(honestClaims({ clientId, tsgId: "1234567890" })),
    token_type: "Bearer",
    expires_in: 899,
    ...change,
  },
});

const tokenRequests = ({ requests }: ScmServer): number => requests.filter(({ method }) => method === "POST").length;

/**
 * Clocks that a test may put forward: both together (`pass`), or the monotonic one alone, so that a token nears its
 * end while the machine's clock and the server's still agree. Waits are real.
 */
function movedClock() {
  const moved = { wall: 0, monotonic: 0 };
  const clock: Clock = {
    wall: () => systemClock.wall() + moved.wall,
    monotonic: () => systemClock.monotonic() + moved.monotonic,
    after: systemClock.after,
  };
  const pass = (time: number): void => {
    moved.wall += time;
    moved.monotonic += time;
  };
  const age = (time: number): void => {
    moved.monotonic += time;
  };
  return { clock, moved, pass, age };
}

async function failureOf(work: Promise<unknown>): Promise<AuthError> {
  const outcome = await work.then(
    () => "no failure",
    (error: unknown) => error,
  );
  assert.ok(AuthError.isAuthError(outcome), String(outcome));
  return outcome;
}

// The rows of parity.md, in its order.

test("AuthRequestModel: five fields make a request; snake_case ones are named in the error with ours, all at once", () => {
  const request = AuthRequest.parse({
    clientId,
    clientSecret: SECRET,
    tokenUrl: "https://auth.scm.test/access_token",
    scope: "tsg_id:1234567890",
    tsgId: "1234567890",
  });
  assert.deepEqual([request.clientId, request.clientSecret, request.scope], [clientId, SECRET, "tsg_id:1234567890"]);
  assert.deepEqual(AuthRequest.parse({ clientId, clientSecret: SECRET }).tenants, ["1234567890"]);
  const python = { client_id: clientId, client_secret: SECRET, token_url: "x", scope: "x", tsg_id: "1" };
  assert.throws(
    () => AuthRequest.parse(python),
    (error) => {
      assert.ok(AuthError.isAuthError(error));
      for (const ours of ["clientId", "clientSecret", "tokenUrl", "tsgId"])
        assert.ok(
          error.problems.some(({ reason }) => reason === `is called ${ours} here`),
          ours,
        );
      assert.doesNotMatch(inspect(error, { depth: Infinity, showHidden: true }), new RegExp(SECRET));
      return true;
    },
  );
});

test("building a client does no I/O; connect signs in", async (t) => {
  const { server, request } = await scm(t);
  const idle = new OAuth2Client(request);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(server.requests.length, 0);
  assert.deepEqual(
    [idle.isExpired, idle.tokenExpiresSoon, idle.signingKey, idle.expiresAt, idle.scope, idle.tsgId],
    [true, true, undefined, undefined, undefined, undefined],
  );
  const client = await OAuth2Client.connect(request);
  assert.deepEqual([client.isExpired, client.tokenExpiresSoon, tokenRequests(server)], [false, false, 1]);
  assert.equal(await client.accessToken(), server.issued[0]);
  assert.deepEqual([client.scope, client.tsgId], [`tsg_id:${server.tsgId}`, server.tsgId]);
  const end = (await client.decodeToken()).exp * 1000;
  assert.equal(client.expiresAt?.getTime(), end);
});

test("connect takes the plain fields too, and fails as the sign-in does", async (t) => {
  const { server, request } = await scm(t);
  const { clientSecret, tokenUrl, ca } = request;
  const fields = { clientId: request.clientId, clientSecret, tokenUrl: tokenUrl.href, ca };
  assert.equal((await OAuth2Client.connect(fields)).isExpired, false);
  const error = await failureOf(OAuth2Client.connect({ ...fields, clientSecret: "wrong-secret-1" }));
  assert.deepEqual([error.code, tokenRequests(server)], ["invalid_client", 2]);
});

test("the class constants have the Python names and values", () => {
  const { MAX_RETRIES, RETRY_BACKOFF, TOKEN_EXPIRY_BUFFER } = OAuth2Client;
  assert.deepEqual([MAX_RETRIES, RETRY_BACKOFF, TOKEN_EXPIRY_BUFFER], [3, 0.3, 300]);
});

/** Requests that a client makes of a server that is always broken, and the waits between them. */
async function triesOf(t: TestContext, Class: typeof OAuth2Client, options: ClientOptions = {}) {
  const { server, request } = await scripted(t, { status: 500 });
  const waits: number[] = [];
  // At the largest draw a wait is the whole of its width.
  const client = new Class(request, {
    ...options,
    random: () => 0.999,
    onEvent: (event) => {
      if (event.type === "wait") waits.push(event.wait);
    },
  });
  const error = await failureOf(client.refreshToken());
  assert.deepEqual([error.kind, error.status], ["server", 500]);
  assert.equal(error.attempts, server.requestsTo("token").length);
  return { tries: error.attempts, waits };
}

test("each constant is an option: retries and backoff", async (t) => {
  assert.deepEqual(await triesOf(t, OAuth2Client, { maxRetries: 0 }), { tries: 1, waits: [] });
  const { tries, waits } = await triesOf(t, OAuth2Client, { maxRetries: 2, retryBackoff: 0.01 });
  assert.equal(tries, 3);
  assert.deepEqual(waits.map(Math.round), [10, 20]);
});

test("without options a failure is repeated three times with exponential waits", async (t) => {
  const { tries, waits } = await triesOf(t, OAuth2Client);
  assert.equal(tries, 4);
  assert.deepEqual(
    waits.map((wait) => Math.round(wait / 100)),
    [3, 6, 12],
  );
});

test("each constant is overridden in a subclass: retries, backoff, buffer", async (t) => {
  class Ours extends OAuth2Client {
    static override readonly MAX_RETRIES = 1;
    static override readonly RETRY_BACKOFF = 0.02;
    static override readonly TOKEN_EXPIRY_BUFFER = 0;
  }
  const { tries, waits } = await triesOf(t, Ours);
  assert.deepEqual([tries, waits.map(Math.round)], [2, [20]]);
  const { request } = await scm(t);
  assert.ok((await Ours.connect(request)) instanceof Ours);
});

test("the buffer is an option too", async (t) => {
  const { request } = await scm(t);
  const { clock, pass } = movedClock();
  const options = { clock, random: () => 0 };
  const usual = new OAuth2Client(request, options);
  const short = new OAuth2Client(request, { ...options, tokenExpiryBuffer: 60 });
  await Promise.all([usual.refreshToken(), short.refreshToken()]);
  pass(700_000);
  assert.deepEqual([usual.tokenExpiresSoon, short.tokenExpiresSoon], [true, false]);
  pass(150_000);
  assert.deepEqual([short.tokenExpiresSoon, short.isExpired], [true, false]);
});

const badOptions: readonly ClientOptions[] = [
  { maxRetries: -1 },
  { maxRetries: 1.5 },
  { maxRetries: 21 },
  { retryBackoff: Number.NaN },
  { tokenExpiryBuffer: Infinity },
  { timeout: 0 },
  { timeout: "5" as unknown as number },
  { verify: "false" as unknown as boolean },
  { apiUrl: "http://api.scm.test" },
  { apiUrl: "https://api.scm.test/path" },
  { apiUrl: "https://user@api.scm.test" },
  { onEvent: {} as () => void },
];
test("a wrong option is a config error that names it, all at once", () => {
  const request = { clientId, clientSecret: SECRET };
  for (const options of badOptions) {
    assert.throws(
      () => new OAuth2Client(request, options),
      (error) => {
        assert.ok(AuthError.isAuthError(error));
        assert.deepEqual([error.kind, error.problems.map(({ field }) => field)], ["config", Object.keys(options)]);
        return true;
      },
    );
  }
  assert.throws(
    () => new OAuth2Client(request, { maxRetries: -1, timeout: 0, verify: 1 as unknown as boolean }),
    (error) => AuthError.isAuthError(error) && error.problems.length === 3,
  );
});

test("authRequest, session and signingKey are there, and none prints a secret", async (t) => {
  const { server, request } = await scm(t);
  const client = await OAuth2Client.connect(request);
  assert.equal(client.authRequest, request);
  assert.equal(typeof client.session.request, "function");
  const { kty, n, e, kid } = client.signingKey ?? assert.fail("no key");
  const header = JSON.parse(
    Buffer.from((server.issued[0] ?? "").split(".")[0] ?? "", "base64url").toString(),
  ) as object;
  assert.deepEqual([kty, e, typeof n], ["RSA", "AQAB", "string"]);
  assert.equal(kid, (header as { kid?: string }).kid);
  assert.deepEqual(Object.keys(client.signingKey ?? {}).sort(), ["e", "kid", "kty", "n"], "no private part");
  for (const part of [client.authRequest, client.session, client.signingKey])
    assertNoCanary([server.clientSecret, ...tokenCanaries(server.issued[0] ?? "")], {
      inspected: inspect(part, { depth: Infinity, showHidden: true }),
      json: JSON.stringify(part),
    });
});

test("a session is made of client credentials and a proved token, each step an event; no junk field is sent", async (t) => {
  const { server, request } = await scm(t);
  const events: AuthEvent[] = [];
  await OAuth2Client.connect(request, { onEvent: (event) => events.push(event) });
  assert.deepEqual(server.requests.find(({ form }) => form !== undefined)?.form, {
    grant_type: "client_credentials",
    client_id: server.clientId,
    client_secret: server.clientSecret,
    scope: `tsg_id:${server.tsgId}`,
  });
  const told = events.map((event) => `${event.level} ${event.type} ${event.type === "answer" ? event.request : ""}`);
  assert.deepEqual(told.sort(), [
    "debug answer request for the signing keys",
    "debug answer token request",
    "debug token ",
  ]);
});

for (const status of [408, 429, 500, 502, 503, 504]) {
  test(`a ${status} is repeated, of the token request (POST) and of the key request (GET)`, async (t) => {
    const broken = { status };
    const server = await startScriptedServer({
      token: [broken, minted()],
      keys: [broken, { body: { keys: [signer.jwk] } }],
      tls,
    });
    t.after(server.close);
    const request = AuthRequest.parse({ clientId, clientSecret: SECRET, tokenUrl: server.tokenUrl, ca: tls.ca });
    const waits: string[] = [];
    await OAuth2Client.connect(request, {
      retryBackoff: 0.001,
      onEvent: (event) => event.type === "wait" && waits.push(event.request),
    });
    assert.deepEqual(waits.sort(), ["request for the signing keys", "token request"]);
  });
}

test("Retry-After is a floor, one deadline covers all, and a refusal is never repeated", async (t) => {
  const waits: number[] = [];
  const onEvent = (event: AuthEvent): void => {
    if (event.type === "wait") waits.push(event.wait);
  };
  const limited = await scripted(t, [{ status: 429, headers: { "retry-after": "1" } }, minted()]);
  await OAuth2Client.connect(limited.request, { onEvent, retryBackoff: 0 });
  assert.deepEqual(waits, [1000]);
  const late = await scripted(t, { status: 429, headers: { "retry-after": "100" } });
  const error = await failureOf(OAuth2Client.connect(late.request));
  assert.deepEqual([error.kind, error.retryAfterMs, error.attempts], ["rate_limited", 100_000, 1]);
  const refused = await scripted(t, { status: 401, body: { error: "invalid_client" } });
  assert.equal((await failureOf(OAuth2Client.connect(refused.request))).attempts, 1);
});

test("tokenExpiresSoon and isExpired follow the token's life, never throw, and refreshToken puts them right", async (t) => {
  const { server, request } = await scm(t, { ttl: 90 });
  const { clock, pass } = movedClock();
  const client = new OAuth2Client(request, { clock, random: () => 0 });
  const seen = () => [client.tokenExpiresSoon, client.isExpired];
  await client.refreshToken();
  assert.deepEqual(seen(), [false, false]);
  // The window of a short-lived token is a third of its life, not 300 s.
  pass(50_000);
  assert.deepEqual(seen(), [false, false]);
  pass(15_000);
  assert.deepEqual(seen(), [true, false]);
  pass(30_000);
  assert.deepEqual(seen(), [true, true]);
  pass(1e12);
  assert.deepEqual(seen(), [true, true]);
  assert.equal(tokenRequests(server), 1);
});

test("isExpired and tokenExpiresSoon never throw, whatever the wall clock shows", async (t) => {
  const { request } = await scm(t);
  const { clock, moved } = movedClock();
  const client = new OAuth2Client(request, { clock });
  await client.refreshToken();
  for (const wall of [-1e15, -5 * HOUR, -31_000, 31_000, 5 * HOUR, 1e15, Number.NaN]) {
    moved.wall = wall;
    assert.deepEqual([client.isExpired, client.tokenExpiresSoon], [false, false], String(wall));
  }
});

test("decodeToken gives the claims, proved anew; TokenExpiredError once it has ended; an error before there is one", async (t) => {
  const { server, request } = await scm(t);
  const { clock, pass } = movedClock();
  const client = new OAuth2Client(request, { clock });
  const none = await failureOf(client.decodeToken());
  assert.deepEqual([none.code, none.kind], ["no_token", "config"]);
  await client.refreshToken();
  const asked = server.requests.length;
  const claims = await client.decodeToken();
  assert.deepEqual([claims.aud, claims.scope], [server.clientId, [`tsg_id:${server.tsgId}`]]);
  assert.equal(server.requests.length, asked, "keys that are fresh are not asked for again");
  pass(901_000);
  const error = await failureOf(client.decodeToken());
  assert.ok(error instanceof TokenExpiredError && error instanceof AuthError);
  assert.deepEqual(
    [error.name, error.code, error.kind, error.retryable],
    ["TokenExpiredError", "token_expired", "verification", false],
  );
  assert.match(error.message, /^Authentication error: the token ended \(exp\)/);
});

test("refreshToken brings a new token, updates the signing key, and fails without hurting the token that lives", async (t) => {
  const { server, request } = await scm(t);
  const client = await OAuth2Client.connect(request, { maxRetries: 0 });
  const before = await client.accessToken();
  const kid = await server.rotate();
  await client.refreshToken();
  assert.notEqual(await client.accessToken(), before);
  assert.equal(client.signingKey?.kid, kid);
  await server.close();
  assert.equal((await failureOf(client.refreshToken())).kind, "network");
  assert.equal(await client.accessToken(), server.issued[1]);
});

test("10,000 callers at once make one request", async (t) => {
  const { server, request } = await scm(t);
  const client = new OAuth2Client(request);
  const refreshes = [client.refreshToken(), client.refreshToken()];
  const tokens = await Promise.all(Array.from({ length: 10_000 }, () => client.accessToken()));
  await Promise.all(refreshes);
  assert.deepEqual([...new Set(tokens)], server.issued);
  assert.equal(tokenRequests(server), 1);
});

test("network errors begin with Network error, and time-outs too", async (t) => {
  const { server, request } = await scm(t);
  await server.close();
  const refused = await failureOf(OAuth2Client.connect(request, { maxRetries: 0 }));
  assert.deepEqual(
    [refused.kind, refused.message.startsWith("Network error: "), refused.retryable],
    ["network", true, true],
  );
  const silent = await scripted(t, { hang: true });
  const late = await failureOf(OAuth2Client.connect(silent.request, { maxRetries: 0, timeout: 0.3 }));
  assert.deepEqual([late.kind, late.message.startsWith("Network error: ")], ["timeout", true]);
});

const httpErrors: readonly (readonly [status: number, kind: string])[] = [
  [400, "rejected"],
  [403, "rejected"],
  [404, "rejected"],
  [429, "rate_limited"],
  [500, "server"],
  [504, "server"],
];
for (const [status, kind] of httpErrors) {
  test(`a ${status} without an OAuth error begins with HTTP error, and tells status, tries and what to do`, async (t) => {
    const { request } = await scripted(t, { status });
    const error = await failureOf(OAuth2Client.connect(request, { maxRetries: 1, retryBackoff: 0 }));
    assert.deepEqual([error.kind, error.status], [kind, status]);
    assert.match(error.message, /^HTTP error: /);
    assert.equal(error.attempts, kind === "rejected" ? 1 : 2);
    assert.notEqual(error.hint, "");
  });
}

const now = Math.floor(Date.now() / 1000);
const stranger = await makeSigner({ kid: signer.kid });
const honest = honestClaims({ clientId, tsgId: "1234567890" });
const lies: readonly (readonly [what: string, token: string, code: string])[] = [
  ["an expired token", signer.sign({ ...honest, iat: now - 99, nbf: now - 99, exp: now - 9 }), "token_expired"],
  ["a foreign signature", stranger.sign(honest), "bad_signature"],
  ["an unknown key", signer.sign(honest, { kid: "other" }), "unknown_key"],
  ["another algorithm", signer.sign(honest, { alg: "RS512" }), "forbidden_algorithm"],
  ["another audience", signer.sign({ ...honest, aud: "other" }), "wrong_audience"],
  ["another tenant", signer.sign({ ...honest, scope: ["tsg_id:2"] }), "wrong_tenant"],
  ["no exp", signer.sign({ ...honest, exp: undefined }), "missing_claim"],
  ["no iat", signer.sign({ ...honest, iat: undefined }), "missing_claim"],
  ["what can't be decoded", signer.sign("no JSON at all"), "malformed_token"],
  ["no JWT", "opaque-token-0123456789", "opaque_token"],
];
for (const [what, token, code] of lies) {
  test(`${what} is an authentication error with a code of its own: ${code}`, async (t) => {
    const { request } = await scripted(t, minted({ access_token: token }));
    const client = new OAuth2Client(request, { maxRetries: 0 });
    const error = await failureOf(client.refreshToken());
    assert.deepEqual([error.kind, error.code], ["verification", code]);
    assert.match(error.message, /^Authentication error: /);
    assertNoCanary(tokenCanaries(token), { error: inspect(error, { depth: Infinity, showHidden: true }) });
    assert.deepEqual([client.isExpired, client.signingKey], [true, undefined]);
  });
}

test("signing keys that can't be had keep their cause's kind and say so", async (t) => {
  const server = await startScriptedServer({ token: minted(), keys: { status: 500 }, tls });
  t.after(server.close);
  const request = AuthRequest.parse({ clientId, clientSecret: SECRET, tokenUrl: server.tokenUrl, ca: tls.ca });
  const error = await failureOf(OAuth2Client.connect(request, { maxRetries: 0 }));
  assert.equal(error.kind, "server");
  assert.match(error.message, /^HTTP error: .*signing keys/);
});

test("the issuer is proved when given", async (t) => {
  const { server, request } = await scm(t);
  const { clientSecret, tokenUrl, ca } = request;
  const fields = { clientId: request.clientId, clientSecret, tokenUrl: tokenUrl.href, ca };
  const { iss } = await (await OAuth2Client.connect(request)).decodeToken();
  assert.ok(iss);
  assert.equal((await OAuth2Client.connect({ ...fields, issuer: iss })).isExpired, false);
  assert.equal((await failureOf(OAuth2Client.connect({ ...fields, issuer: server.origin }))).code, "wrong_issuer");
});

test("TLS is always verified: an unknown authority gets no secret, also with verify: false", async (t) => {
  const { server, request } = await scm(t);
  const { clientSecret, tokenUrl } = request;
  const fields = { clientId: request.clientId, clientSecret, tokenUrl: tokenUrl.href };
  for (const verify of [true, false]) {
    const error = await failureOf(OAuth2Client.connect(fields, { verify }));
    assert.deepEqual([error.kind, error.code, error.retryable], ["network", "untrusted_certificate", false]);
  }
  assert.equal(server.requests.length, 0);
  assert.throws(() => AuthRequest.parse({ ...fields, tokenUrl: "http://auth.scm.test/access_token" }), AuthError);
});

test("a failure is an event of level error, also behind the callers' backs, and no event holds a secret", async (t) => {
  const echo = ({ body }: ScriptedRequest) => ({
    status: 401,
    body: { error: "invalid_client", error_description: body },
  });
  const good = minted();
  const { request } = await scripted(t, [good, echo]);
  const { clock, pass } = movedClock();
  const events: AuthEvent[] = [];
  let failed: (() => void) | undefined;
  const failure = new Promise<void>((resolve) => (failed = resolve));
  const client = new OAuth2Client(request, {
    clock,
    random: () => 0,
    onEvent: (event) => {
      events.push(event);
      if (event.type === "failure") failed?.();
    },
  });
  const first = await client.accessToken();
  pass(700_000);
  assert.equal(await client.accessToken(), first);
  await failure;
  const [last] = events.slice(-1);
  assert.ok(last?.type === "failure");
  assert.deepEqual([last.level, last.error.code], ["error", "invalid_client"]);
  assert.ok(events.every(({ type, level }) => level === (type === "failure" ? "error" : "debug")));
  assertNoCanary([SECRET, ...tokenCanaries(first)], {
    inspected: inspect(events, { depth: Infinity, showHidden: true }),
    json: JSON.stringify(events),
  });
});

test("when the event of a new token comes, that token serves already", async (t) => {
  const { request } = await scm(t);
  const seen: unknown[] = [];
  const client = new OAuth2Client(request, {
    onEvent: ({ type }) => {
      if (type === "token") seen.push(client.isExpired, client.tsgId);
    },
  });
  await client.refreshToken();
  assert.deepEqual(seen, [false, "1234567890"]);
});

const listeners: readonly (readonly [what: string, listener: () => unknown])[] = [
  ["throws", () => assert.fail("the listener's own")],
  ["rejects", () => Promise.reject(new Error("the listener's own"))],
  ["gives a thenable that throws", () => ({ then: () => assert.fail("the listener's own") })],
];
for (const [what, listener] of listeners) {
  test(`a listener that ${what} hurts nobody`, async (t) => {
    const { request } = await scm(t);
    const client = await OAuth2Client.connect(request, { onEvent: listener });
    assert.equal(client.isExpired, false);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(unhandled, []);
  });
}

test("the session makes authenticated calls, and a token that the API refuses is replaced once", async (t) => {
  const { server, request } = await scm(t);
  const client = new OAuth2Client(request, { apiUrl: server.apiUrl });
  const { data } = await client.session.request<{ data: unknown[] }>("GET", TAGS_PATH, { query: { folder: "All" } });
  assert.equal(data.length, 2);
  const names: unknown[] = [];
  for await (const { name } of client.session.list<{ name: string }>(TAGS_PATH, { query: { folder: "All" } }))
    names.push(name);
  assert.deepEqual(names, ["production", "staging"]);
  assert.equal(tokenRequests(server), 1);
  // The server forgets the token, as when it was revoked.
  (server.issued as string[]).length = 0;
  await client.session.request("GET", TAGS_PATH, { query: { folder: "All" } });
  assert.equal(tokenRequests(server), 2);
  const error = await client.session.request("GET", TAGS_PATH).catch((reason: unknown) => reason);
  assert.ok(error instanceof ApiError);
  assert.deepEqual([error.status, error.code], [400, "E003"]);
});

test("secrets come from the environment", async (t) => {
  const { server, request } = await scm(t);
  const variables = {
    SCM_CLIENT_ID: server.clientId,
    SCM_CLIENT_SECRET: server.clientSecret,
    SCM_TSG_ID: server.tsgId,
    SCM_TOKEN_URL: server.tokenUrl,
  };
  const { scope, tokenUrl, clientSecret } = AuthRequest.fromEnv(variables);
  assert.deepEqual([scope, tokenUrl.href, clientSecret], [request.scope, server.tokenUrl, server.clientSecret]);
});

test("accessToken looks at the expiry, renews within the buffer and waits near the end, all by itself", async (t) => {
  const { server, request } = await scm(t);
  const { clock, age } = movedClock();
  let renewed: (() => void) | undefined;
  const client = new OAuth2Client(request, {
    clock,
    random: () => 0,
    onEvent: ({ type }) => {
      if (type === "token") renewed?.();
    },
  });
  const first = await client.accessToken();
  const second = new Promise<void>((resolve) => (renewed = resolve));
  age(650_000);
  assert.equal(await client.accessToken(), first);
  await second;
  // The event comes before the token serves.
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await client.accessToken(), server.issued[1]);
  assert.equal(await client.accessToken({ minTtl: 890 }), server.issued[1]);
  age(885_000);
  assert.equal(await client.accessToken(), server.issued[2]);
  assert.equal(tokenRequests(server), 3);
});

test("a caller that leaves hears so, and the others get the token of the same request", async (t) => {
  const { server, request } = await scm(t);
  const client = new OAuth2Client(request);
  const abort = new AbortController();
  const leaving = client.accessToken({ signal: abort.signal });
  const staying = client.accessToken();
  abort.abort();
  assert.deepEqual([(await failureOf(leaving)).kind, await staying], ["aborted", server.issued[0]]);
  assert.equal(tokenRequests(server), 1);
});

// The four examples of the page.

test("example 1: build a request with the five fields and sign in", async (t) => {
  const { server } = await scm(t);
  const request = AuthRequest.parse({
    clientId: server.clientId,
    clientSecret: server.clientSecret,
    tokenUrl: server.tokenUrl,
    scope: `tsg_id:${server.tsgId}`,
    tsgId: server.tsgId,
    ca: server.ca,
  });
  const client = await OAuth2Client.connect(request);
  assert.equal(await client.accessToken(), server.issued[0]);
});

test("example 2: if the token expires soon, or has expired, refresh it", async (t) => {
  const { server, request } = await scm(t);
  const { clock, age } = movedClock();
  const client = new OAuth2Client(request, { clock, random: () => 0 });
  const look = async (): Promise<void> => {
    if (client.tokenExpiresSoon || client.isExpired) await client.refreshToken();
  };
  for (const time of [0, 0, 650_000, 0, 900_000, 0]) {
    age(time);
    await look();
    assert.equal(client.isExpired, false);
  }
  assert.equal(tokenRequests(server), 3);
});

test("example 3: decode, on expiry refresh", async (t) => {
  const { server, request } = await scm(t, { ttl: 2 });
  const client = await OAuth2Client.connect(request);
  const end = client.expiresAt?.getTime() ?? 0;
  while (Date.now() <= end) await new Promise((resolve) => setTimeout(resolve, 50));
  try {
    await client.decodeToken();
    assert.fail("it has ended");
  } catch (error) {
    if (!(error instanceof TokenExpiredError)) throw error;
    await client.refreshToken();
  }
  assert.equal((await client.decodeToken()).aud, server.clientId);
});

test("example 4: sign in, and tell network, HTTP and other errors apart by the message", async (t) => {
  const { server, request } = await scm(t);
  const { clientSecret, tokenUrl, ca } = request;
  const fields = { clientId: request.clientId, clientSecret, tokenUrl: tokenUrl.href, ca };
  const broken = await scripted(t, { status: 502 });
  const gone = await scm(t);
  await gone.server.close();
  const tell = async (attempt: AuthRequest | typeof fields): Promise<string> => {
    try {
      await OAuth2Client.connect(attempt, { maxRetries: 0 });
      return "signed in";
    } catch (error) {
      const { message } = error as Error;
      if (message.includes("Network error")) return "network";
      return message.includes("HTTP error") ? "HTTP" : message.includes("Authentication error") ? "other" : message;
    }
  };
  assert.deepEqual(
    [
      await tell(request),
      await tell(gone.request),
      await tell(broken.request),
      await tell({ ...fields, clientSecret: "not-the-secret" }),
    ],
    ["signed in", "network", "HTTP", "other"],
  );
  assert.equal(server.issued.length, 1);
});

// What ours says beyond the page.

test("with verify: false no keys are asked for, claims are still judged, and the token is decoded unproved", async (t) => {
  const { server, request } = await scripted(t, minted({ access_token: stranger.sign(honest) }));
  const client = await OAuth2Client.connect(request, { verify: false });
  assert.equal(client.signingKey, undefined);
  assert.equal((await client.decodeToken())["jti"], honest.jti);
  assert.equal(server.requestsTo("keys").length, 0);
  const lying = await scripted(t, minted({ access_token: signer.sign({ ...honest, aud: "other" }) }));
  assert.equal((await failureOf(OAuth2Client.connect(lying.request, { verify: false }))).code, "wrong_audience");
});

test("with verify: false an opaque token is taken, and can't be decoded", async (t) => {
  const { request } = await scripted(t, minted({ access_token: "opaque-token-0123456789" }));
  const client = await OAuth2Client.connect(request, { verify: false });
  assert.equal(await client.accessToken(), "opaque-token-0123456789");
  assert.deepEqual([client.isExpired, client.scope, client.tsgId], [false, "tsg_id:1234567890", "1234567890"]);
  const error = await failureOf(client.decodeToken());
  assert.deepEqual([error.kind, error.code], ["protocol", "opaque_token"]);
});

test("with verify: false decodeToken finds a token that has ended, too", async (t) => {
  const { request } = await scm(t);
  const { clock, pass } = movedClock();
  const client = new OAuth2Client(request, { clock, verify: false });
  await client.refreshToken();
  pass(901_000);
  assert.ok((await failureOf(client.decodeToken())) instanceof TokenExpiredError);
});

for (const [what, wall] of [
  ["set back", -5 * HOUR],
  ["set ahead", 5 * HOUR],
] as const) {
  test(`with the wall clock ${what} by hours a sign-in names the clock and the difference`, async (t) => {
    const { request } = await scm(t);
    const { clock, moved } = movedClock();
    moved.wall = wall;
    const error = await failureOf(new OAuth2Client(request, { clock }).accessToken());
    assert.equal(error.code, "clock_skew");
    // The Date header has whole seconds.
    assert.match(error.message, /(5 h|4 h 59 min).* (behind|ahead of) the server's.*clock skew/);
    assert.equal(error.message.includes("behind"), wall < 0);
  });

  test(`a wall clock ${what} by hours after the sign-in changes nothing for the callers`, async (t) => {
    const { server, request } = await scm(t);
    const { clock, moved } = movedClock();
    const client = new OAuth2Client(request, { clock });
    const token = await client.accessToken();
    moved.wall = wall;
    assert.deepEqual([client.isExpired, client.tokenExpiresSoon], [false, false]);
    assert.equal(await client.accessToken(), token);
    assert.equal(tokenRequests(server), 1);
  });

  test(`decodeToken under a wall clock ${what} by hours names the clock`, async (t) => {
    const { request } = await scm(t);
    const { clock, moved } = movedClock();
    const client = new OAuth2Client(request, { clock });
    await client.refreshToken();
    moved.wall = wall;
    const error = await failureOf(client.decodeToken());
    assert.equal(error.code, "clock_skew");
    assert.match(error.message, /clock skew/);
  });
}

/** All the ways in which people print a thing. */
function printsOf(value: object): Readonly<Record<string, string>> {
  const clone = (): string => {
    try {
      return inspect(structuredClone(value), { depth: Infinity, showHidden: true });
    } catch (error) {
      return String(error);
    }
  };
  return {
    "console.log": stdoutOf(() => {
      console.log(value);
    }),
    "console.log of what holds it": stdoutOf(() => {
      console.log("%o %O %s %j", value, { value }, value, value);
    }),
    inspect: inspect(value, { depth: Infinity, showHidden: true }),
    "inspect without custom prints": inspect(value, { depth: Infinity, showHidden: true, customInspect: false }),
    "JSON.stringify": JSON.stringify(value),
    text: Reflect.apply(String, undefined, [value]),
    "own properties": inspect(Object.getOwnPropertyDescriptors(value), { depth: 9, showHidden: true }),
    structuredClone: clone(),
    ...(value instanceof Error && { stack: value.stack ?? "", cause: inspect(value.cause, { depth: Infinity }) }),
    ...(AuthError.isAuthError(value) && { hint: value.hint, problems: JSON.stringify(value.problems) }),
  };
}

test("a client prints without its secret and its token, before and after it has signed in", async (t) => {
  const { server, request } = await scm(t);
  const client = new OAuth2Client(request, { apiUrl: server.apiUrl });
  assertNoCanary([server.clientSecret], printsOf(client));
  await client.session.request("GET", TAGS_PATH, { query: { folder: "All" } });
  assertNoCanary([server.clientSecret, ...server.issued.flatMap(tokenCanaries)], printsOf(client));
  assert.match(inspect(client), /OAuth2Client/);
  assert.ok(inspect(client).includes(server.clientId));
});

const echoes: readonly (readonly [what: string, token: Script])[] = [
  ["an OAuth error", ({ body }) => ({ status: 401, body: { error: "invalid_client", error_description: body } })],
  ["a page", ({ body }) => ({ status: 400, body: `<html>${body} ${SECRET}</html>` })],
  ["a server error", ({ body }) => ({ status: 500, body: `${body} ${SECRET}` })],
  ["a name of an error", { status: 400, body: { error: SECRET } }],
  ["a cut answer", { ...minted({ secret: SECRET }), destroyAfterBytes: 40 }],
  ["a header", { status: 302, headers: { location: `https://evil.test/${SECRET}` } }],
  ["a token with a lie", minted({ access_token: signer.sign({ ...honest, aud: SECRET, iss: SECRET }) })],
];
for (const [what, script] of echoes) {
  test(`a server that echoes the secret does not bring it into the error: ${what}`, async (t) => {
    const { request } = await scripted(t, script);
    const error = await failureOf(OAuth2Client.connect(request, { maxRetries: 1, retryBackoff: 0 }));
    assertNoCanary([SECRET], printsOf(error));
  });
}

test("config errors of the library don't show the secret either", () => {
  for (const change of [
    { tsgId: SECRET },
    { tokenUrl: `https://u:${SECRET}@x.test/` },
    { clientSecret: `${SECRET}\n1` },
  ]) {
    assert.throws(
      () => AuthRequest.parse({ clientId, clientSecret: SECRET, ...change }),
      (error) => {
        assert.ok(AuthError.isAuthError(error));
        assertNoCanary([SECRET], printsOf(error));
        return true;
      },
    );
  }
});
