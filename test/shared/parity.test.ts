import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";

import {
  ApiError,
  AuthError,
  AuthRequest,
  OAuth2Client,
  TokenExpiredError,
  type AuthEvent,
} from "../../shared/index.ts";
import {
  CLIENT_ID,
  clientClaims,
  createClient,
  createMovableClock,
  forbidUnhandledRejections,
  getAuthError,
  getError,
  getThrown,
  SECRET,
  signer,
  startScm,
  startScripted,
  tokenResponse,
  TSG_ID,
  type TestClientOptions,
} from "../support/client-fixtures.ts";
import { TAGS_PATH } from "../support/scm-api.ts";
import type { ScmServer } from "../support/scm-server.ts";
import type { Script } from "../support/scripted-server.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { createSigner } from "../support/tokens.ts";
import { setVariables } from "../support/variables.ts";

/**
 * Tests the promises of the authentication page of the Python `pan-scm-sdk`, in the order of the page, and its four
 * examples. Each test name starts with the corresponding words of the page.
 */

forbidUnhandledRejections();
const tags = { query: { folder: "All" } };
const now = Math.floor(Date.now() / 1000);

/** Creates a request from the five fields used on the page. */
const createRequest = ({ clientId, clientSecret, tokenUrl, tsgId, ca }: ScmServer): AuthRequest =>
  AuthRequest.parse({ clientId, clientSecret, tokenUrl, scope: `tsg_id:${tsgId}`, tsgId, ca });

test("AuthRequestModel(client_id, client_secret, token_url, scope, tsg_id): signs in with these fields", async (t) => {
  const { server } = await startScm(t);
  const request = createRequest(server);
  const { clientId, clientSecret, tokenUrl, scope, tsgIds } = request;
  assert.deepEqual(
    [clientId, clientSecret, tokenUrl.href, scope, tsgIds],
    [server.clientId, server.clientSecret, server.tokenUrl, `tsg_id:${server.tsgId}`, [server.tsgId]],
  );
  assert.equal((await OAuth2Client.connect(request)).tsgId, server.tsgId);
  assert.equal(AuthRequest.parse({ clientId: CLIENT_ID, clientSecret: SECRET }).scope, `tsg_id:${TSG_ID}`);
});

test("AuthRequestModel: reports all issues at once, and suggests names for snake_case keys", () => {
  const python = { client_id: CLIENT_ID, client_secret: SECRET, token_url: "x", scope: "tsg_id:1", tsg_id: "1" };
  const error = getThrown(() => AuthRequest.parse(python as never));
  assert.equal(error.kind, "config");
  const reported = error.issues.map(({ field, message }) => `${field} ${message}`).join("\n");
  for (const name of ["clientId", "clientSecret", "tokenUrl", "tsgId"]) {
    const snakeCase = name.replace(/[A-Z]/, (letter) => `_${letter.toLowerCase()}`);
    assert.match(reported, new RegExp(`^${snakeCase} .*${name}`, "m"));
  }
  for (const name of ["clientId", "clientSecret"]) assert.match(reported, new RegExp(`^${name} is required`, "m"));
  assertNoSecret({ message: error.message, hint: error.hint }, [SECRET]);
});

test("OAuth2Client(auth_request) signs in: connect signs in, and the constructor performs no I/O", async (t) => {
  const { server, request } = await startScm(t);
  const idle = new OAuth2Client(request);
  assert.deepEqual(
    [idle.isExpired, idle.tokenExpiresSoon, idle.signingKey, idle.expiresAt, idle.scope, idle.tsgId],
    [true, true, undefined, undefined, undefined, undefined],
  );
  assert.equal(server.requests.length, 0);
  const client = await OAuth2Client.connect(request);
  assert.deepEqual([client.isExpired, client.tokenExpiresSoon, client.scope], [false, false, `tsg_id:${server.tsgId}`]);
  assert.equal(await client.accessToken(), server.issued[0]);
  assert.equal(client.expiresAt?.getTime(), (await client.decodeToken()).exp * 1000);
  assert.equal(server.countTokenRequests(), 1);
});

/** Returns the number of attempts and the shortest delays of a client whose server always fails. */
async function getAttempts(t: TestContext, Class: typeof OAuth2Client, options: TestClientOptions = {}) {
  const { request } = await startScripted(t, { token: { status: 500 } });
  const { clock, skipDelays } = createMovableClock();
  const delays: number[] = [];
  const hooks: TestClientOptions = {
    ...{ ...options, clock, random: () => 0 },
    onEvent: (event) => {
      skipDelays(event);
      if (event.type === "retry" && event.request === "token") delays.push(Math.round(event.delayMs));
    },
  };
  const { attempts } = await getAuthError(new Class(request, hooks).refreshToken());
  return { attempts, delays };
}

test("MAX_RETRIES 3, RETRY_BACKOFF 0.3, TOKEN_EXPIRY_BUFFER 300: are defaults that can be overridden", async (t) => {
  const { MAX_RETRIES, RETRY_BACKOFF, TOKEN_EXPIRY_BUFFER } = OAuth2Client;
  assert.deepEqual([MAX_RETRIES, RETRY_BACKOFF, TOKEN_EXPIRY_BUFFER], [3, 0.3, 300]);
  class Patient extends OAuth2Client {
    static override readonly MAX_RETRIES = 1;
    static override readonly RETRY_BACKOFF = 0.02;
    static override readonly TOKEN_EXPIRY_BUFFER = 60;
  }
  assert.deepEqual(await getAttempts(t, OAuth2Client), { attempts: 4, delays: [300, 600, 1200] });
  assert.deepEqual((await getAttempts(t, OAuth2Client, { maxRetries: 2, retryBackoff: 0.01 })).delays, [10, 20]);
  assert.deepEqual(await getAttempts(t, Patient), { attempts: 2, delays: [20] });
  assert.deepEqual(await getAttempts(t, Patient, { maxRetries: 0 }), { attempts: 1, delays: [] });
  const { request } = await startScm(t);
  const { clock, pass } = createMovableClock();
  const options: TestClientOptions = { clock, random: () => 0 };
  const clients = [new OAuth2Client(request, options), new Patient(request, options)];
  clients.push(createClient(request, { ...options, tokenExpiryBuffer: 60 }));
  for (const client of clients) await client.refreshToken();
  assert.ok((await Patient.connect(request)) instanceof Patient);
  for (const [time, expected] of [
    [700_000, [true, false, false]],
    [150_000, [true, true, true]],
  ] as const) {
    pass(time);
    assert.deepEqual(
      clients.map((client) => client.tokenExpiresSoon),
      expected,
    );
  }
});

test("attributes auth_request, session, signing_key: are available on the client", async (t) => {
  const { server, request } = await startScm(t);
  const client = await OAuth2Client.connect(request);
  assert.equal(client.authRequest, request);
  assert.deepEqual([typeof client.session.request, typeof client.session.list], ["function", "function"]);
  assert.deepEqual({ ...client.signingKey }, { kty: "RSA", n: signer.jwk.n, e: "AQAB", kid: signer.kid });
  assert.equal(server.countTokenRequests(), 1);
});

test("session creation: emits an event for each step, and sends the four fields of the grant", async (t) => {
  const { server, request } = await startScm(t);
  const events: AuthEvent[] = [];
  await OAuth2Client.connect(request, { onEvent: (event) => events.push(event) });
  assert.deepEqual(server.requests.find(({ form }) => form !== undefined)?.form, {
    grant_type: "client_credentials",
    client_id: server.clientId,
    client_secret: server.clientSecret,
    scope: `tsg_id:${server.tsgId}`,
  });
  const names = events.map((event) => ("request" in event ? `${event.type} ${event.request}` : event.type));
  for (const name of ["request token", "request jwks", "response token", "response jwks", "token"])
    assert.equal(names.filter((other) => other === name).length, 1, name);
  assert.equal(names.at(-1), "token");
});

const RETRIED = [408, 429, 500, 502, 503, 504];
test("retry: retries POST, GET, and session requests after status 408, 429, 500, 502, 503, or 504", async (t) => {
  for (const status of RETRIED) {
    const jwks = [{ status }, { body: { keys: [signer.jwk] } }];
    const other = [{ status }, { body: { id: 1 } }];
    const { server, request } = await startScripted(t, { token: [{ status }, tokenResponse()], jwks, other });
    const client = await OAuth2Client.connect(request, { retryBackoff: 0.001, apiUrl: server.origin });
    assert.deepEqual(await client.session.request("GET", TAGS_PATH), { id: 1 });
    const counts = (["token", "jwks", "other"] as const).map((route) => server.requestsTo(route).length);
    assert.deepEqual(counts, [2, 2, 2], String(status));
  }
});

test("retry: respects Retry-After, applies one deadline to all attempts, and does not retry rejections", async (t) => {
  const { clock, skipDelays } = createMovableClock();
  const delays: number[] = [];
  const limited = { status: 429, headers: { "retry-after": "7" } };
  const { request } = await startScripted(t, { token: [limited, tokenResponse()] });
  await createClient(request, {
    clock,
    onEvent: (event) => {
      skipDelays(event);
      if (event.type === "retry") delays.push(event.delayMs);
    },
  }).refreshToken();
  assert.ok(delays.length === 1 && (delays[0] ?? 0) >= 7000);
  const late = await startScripted(t, { token: { status: 429, headers: { "retry-after": "100" } } });
  const error = await getAuthError(OAuth2Client.connect(late.request));
  assert.deepEqual([error.kind, error.retryAfterMs, error.attempts], ["rate_limited", 100_000, 1]);
  const silent = await startScripted(t, { token: { hang: true } });
  const timeout = await getAuthError(OAuth2Client.connect(silent.request, { timeout: 3, retryBackoff: 0 }));
  assert.deepEqual([timeout.kind, timeout.attempts > 1], ["timeout", true]);
  const rejected = await startScripted(t, { token: { status: 401, body: { error: "invalid_client" } } });
  assert.equal((await getAuthError(OAuth2Client.connect(rejected.request))).attempts, 1);
});

test("token_expires_soon and refresh_token(): limit the buffer for short-lived tokens", async (t) => {
  const { request } = await startScm(t, { ttl: 90 });
  const { clock, age } = createMovableClock();
  const client = createClient(request, { clock, random: () => 0 });
  await client.refreshToken();
  for (const [time, soon] of [
    [50_000, false],
    [15_000, true],
  ] as const) {
    age(time);
    assert.deepEqual([client.tokenExpiresSoon, client.isExpired], [soon, false]);
  }
  await client.refreshToken();
  assert.equal(client.tokenExpiresSoon, false);
});

test("is_expired: is true after the token expires and never throws, regardless of the wall clock", async (t) => {
  const { server, request } = await startScm(t, { ttl: 90 });
  const { clock, setWallClock, pass } = createMovableClock();
  const client = createClient(request, { clock });
  assert.equal(client.isExpired, true);
  await client.refreshToken();
  for (const offset of [-1e15, -31_000, 31_000, 1e15, Number.NaN, 0]) {
    setWallClock(offset);
    assert.deepEqual([client.isExpired, client.tokenExpiresSoon], [false, false]);
  }
  pass(95_000);
  assert.deepEqual([client.isExpired, client.tokenExpiresSoon, server.countTokenRequests()], [true, true, 1]);
});

test("decode_token(), ExpiredSignatureError: verifies the token or throws TokenExpiredError", async (t) => {
  const { server, request } = await startScm(t);
  const { clock, pass } = createMovableClock();
  const client = createClient(request, { clock });
  const none = await getAuthError(client.decodeToken());
  assert.deepEqual([none.code, none.kind], ["not_signed_in", "config"]);
  await client.refreshToken();
  await server.rotateKeys();
  pass(601_000);
  const count = server.requests.length;
  const claims = await client.decodeToken();
  assert.deepEqual([claims.aud, claims.scope], [server.clientId, [`tsg_id:${server.tsgId}`]]);
  assert.equal(server.requests.length, count, "the key that verified the token is used");
  pass(300_000);
  const error = await getAuthError(client.decodeToken());
  assert.ok(error instanceof TokenExpiredError && error instanceof AuthError);
  assert.deepEqual([error.name, error.code, error.retryable], ["TokenExpiredError", "token_expired", false]);
  assert.match(error.message, /^Authentication error: /);
});

test("refresh_token(): gets a new token and its key, retries, and keeps the old token after an error", async (t) => {
  const { server, request } = await startScm(t);
  const client = await OAuth2Client.connect(request, { maxRetries: 0 });
  const kid = await server.rotateKeys();
  await client.refreshToken();
  assert.deepEqual([client.signingKey?.kid, await client.accessToken()], [kid, server.issued[1]]);
  server.failTokenRequests({ status: 500 });
  assert.equal((await getAuthError(client.refreshToken())).kind, "server");
  assert.equal(await client.accessToken(), server.issued[1]);
  server.failTokenRequests(undefined);
  // Without retries, at most four sign-ins per second start after failures.
  await delay(300);
  const many = Array.from({ length: 10_000 }, () => client.refreshToken());
  await Promise.all(many);
  assert.equal(server.issued.length, 3, "all callers share one request");
});

test('network errors: reports connection failures and timeouts as "Network error"', async (t) => {
  const closed = await startScm(t);
  await closed.server.close();
  const silent = await startScripted(t, { token: { hang: true } });
  const truncated = await startScripted(t, { token: { ...tokenResponse(), destroyAfterBytes: 40 } });
  for (const [{ request }, kind] of [
    [closed, "network"],
    [silent, "timeout"],
    [truncated, "network"],
  ] as const) {
    const error = await getAuthError(OAuth2Client.connect(request, { maxRetries: 0, timeout: 0.3 }));
    assert.deepEqual([error.kind, error.retryable], [kind, true]);
    assert.match(error.message, /^Network error: ./);
  }
});

test('HTTP errors: reports 4xx, 5xx, and gateway timeouts as "HTTP error" with details', async (t) => {
  for (const status of [400, 403, 404, ...RETRIED]) {
    const { request } = await startScripted(t, { token: { status } });
    const error = await getAuthError(OAuth2Client.connect(request, { maxRetries: 1, retryBackoff: 0 }));
    const isRetried = RETRIED.includes(status);
    const kind = status === 429 ? "rate_limited" : isRetried ? "server" : "rejected";
    assert.deepEqual([error.kind, error.status, error.attempts], [kind, status, isRetried ? 2 : 1]);
    assert.match(error.message, new RegExp(`^HTTP error: .*${status}`));
    assert.notEqual(error.hint, "");
  }
});

const valid = clientClaims(now);
const other = await createSigner({ kid: signer.kid });
const oauthError = (error: string): Script => ({ status: 400, body: { error } });
const token = (access_token: string): Script => tokenResponse({ access_token });
const AUTH_ERRORS: readonly (readonly [code: string, token: Script, jwks?: Script])[] = [
  ["token_expired", token(signer.sign({ ...valid, iat: now - 99, nbf: now - 99, exp: now - 9 }))],
  ["malformed_token", token(signer.sign("not JSON"))],
  ["opaque_token", token("opaque-token-0123456789")],
  ["signing_key_not_found", token(signer.sign(valid, { kid: "other" }))],
  ["invalid_signature", token(other.sign(valid))],
  ["algorithm_not_allowed", token(signer.sign(valid, { alg: "RS512" }))],
  ["audience_mismatch", token(signer.sign({ ...valid, aud: "other" }))],
  ["tenant_mismatch", token(signer.sign({ ...valid, scope: ["tsg_id:2"] }))],
  ["missing_claim", token(signer.sign({ ...valid, exp: undefined }))],
  ["missing_claim", token(signer.sign({ ...valid, iat: undefined }))],
  ["invalid_client", oauthError("invalid_client")],
  ["invalid_scope", oauthError("invalid_scope")],
  ["unauthorized_client", oauthError("unauthorized_client")],
  ["access_denied", oauthError("access_denied")],
  ["invalid_jwks", tokenResponse(), { body: { keys: "none" } }],
];
test("authentication errors: reports invalid tokens, credentials, and signing keys with specific codes", async (t) => {
  for (const [code, script, jwks] of AUTH_ERRORS) {
    const { request } = await startScripted(t, { token: script, ...(jwks && { jwks }) });
    const client = new OAuth2Client(request, { maxRetries: 0, timeout: 2 });
    const error = await getAuthError(client.refreshToken());
    assert.equal(error.code, code);
    assert.match(error.message, /^Authentication error: /);
    assert.deepEqual([client.isExpired, client.signingKey], [true, undefined]);
  }
});

test("authentication errors: verifies the issuer if one is given, and does not change the kind of a JWKS error", async (t) => {
  const { server } = await startScm(t);
  const { clientId, clientSecret, tokenUrl, ca } = server;
  const fields = { clientId, clientSecret, tokenUrl, ca };
  const { iss } = await (await OAuth2Client.connect(fields)).decodeToken();
  assert.equal((await OAuth2Client.connect({ ...fields, issuer: iss })).isExpired, false);
  const error = await getAuthError(OAuth2Client.connect({ ...fields, issuer: server.origin }));
  assert.equal(error.code, "issuer_mismatch");
  const { request } = await startScripted(t, { jwks: { status: 500 } });
  const failed = await getAuthError(OAuth2Client.connect(request, { maxRetries: 0 }));
  assert.match(failed.message, /^HTTP error: .*JWKS/);
});

test("TLS verification enforced, secure endpoints: cannot be disabled by any option or variable", async (t) => {
  const { server } = await startScm(t);
  const { clientId, clientSecret, tokenUrl } = server;
  setVariables(t, { NODE_TLS_REJECT_UNAUTHORIZED: "0" });
  for (const verify of [true, false]) {
    const error = await getAuthError(OAuth2Client.connect({ clientId, clientSecret, tokenUrl }, { verify }));
    assert.deepEqual([error.code, error.retryable], ["untrusted_certificate", false]);
  }
  assert.equal(server.requests.length, 0);
  const fields = { clientId: CLIENT_ID, clientSecret: SECRET };
  for (const url of [{ tokenUrl: "http://auth.scm.test/access_token" }, { jwksUrl: "http://auth.scm.test/keys" }])
    assert.equal(getThrown(() => AuthRequest.parse({ ...fields, ...url })).kind, "config");
  assert.equal(getThrown(() => new OAuth2Client(fields, { apiUrl: "http://api.scm.test" })).kind, "config");
});

test("debug logs of token operations, error logs of failures: are available as events without secrets", async (t) => {
  const echo: Script = ({ body }) => ({ status: 401, body: { error: "invalid_client", error_description: body } });
  const { request } = await startScripted(t, { token: [tokenResponse(), echo] });
  const events: AuthEvent[] = [];
  const client = new OAuth2Client(request, { onEvent: (event) => events.push(event) });
  const secrets = [SECRET, await client.accessToken()];
  const error = await getError(client.refreshToken());
  const last = events.at(-1);
  assert.ok(last?.type === "error" && last.error === error);
  assert.ok(events.some(({ type }) => type === "token"));
  assertNoSecret({ events: JSON.stringify(events) }, secrets);
});

test("session makes authenticated calls, token refreshed: sends API calls with a current token", async (t) => {
  const { server, request } = await startScm(t);
  const { clock, age } = createMovableClock();
  const client = createClient(request, { apiUrl: server.apiUrl, clock });
  const names: unknown[] = [];
  for await (const { name } of client.session.list<{ name: string }>(TAGS_PATH, tags)) names.push(name);
  assert.deepEqual(names, ["production", "staging"]);
  const error = await getError(client.session.request("GET", TAGS_PATH));
  assert.ok(error instanceof ApiError);
  assert.deepEqual([error.status, error.code], [400, "E003"]);
  const accepted = signer.sign(clientClaims());
  const scripted = await startScripted(t, {
    token: [tokenResponse(), tokenResponse({ access_token: accepted })],
    other: ({ headers }) => (headers.authorization === `Bearer ${accepted}` ? { body: { id: 1 } } : { status: 401 }),
  });
  const refreshing = createClient(scripted.request, { apiUrl: scripted.server.origin, clock });
  await refreshing.accessToken();
  age(60_000);
  assert.deepEqual(await refreshing.session.request("GET", TAGS_PATH), { id: 1 });
});

test("secrets in the environment: reads them with fromEnv, and names the variable of a missing secret", () => {
  const env = { SCM_CLIENT_ID: CLIENT_ID, SCM_CLIENT_SECRET: SECRET, SCM_TSG_ID: "7", SCM_TOKEN_URL: "" };
  const { clientId, scope, clientSecret } = AuthRequest.fromEnv(env);
  assert.deepEqual([clientId, scope, clientSecret], [CLIENT_ID, "tsg_id:7", SECRET]);
  assert.match(
    getThrown(() => AuthRequest.fromEnv({ ...env, SCM_CLIENT_SECRET: "" })).message,
    /SCM_CLIENT_SECRET is required/,
  );
});

test("best practice: checks expiration, applies the buffer, and handles refresh errors in accessToken", async (t) => {
  const { server, request } = await startScm(t);
  const { clock, age } = createMovableClock();
  let onEvent: (event: AuthEvent) => void = () => undefined;
  const options = {
    clock,
    random: () => 0,
    maxRetries: 0,
    onEvent: (event: AuthEvent) => {
      onEvent(event);
    },
  };
  const client = createClient(request, options);
  const next = (type: AuthEvent["type"]): Promise<void> =>
    new Promise((resolve) => {
      onEvent = (event) => {
        if (event.type === type) resolve();
      };
    });
  const first = await client.accessToken();
  age(650_000);
  server.failTokenRequests({ status: 500 });
  const failed = next("error");
  assert.equal(await client.accessToken(), first);
  await failed;
  await turn();
  server.failTokenRequests(undefined);
  age(10_001);
  const refreshed = next("token");
  assert.equal(await client.accessToken(), first);
  await refreshed;
  assert.equal(await client.accessToken({ minTtl: 800 }), server.issued[1]);
  age(885_000);
  assert.equal(await client.accessToken(), server.issued[2]);
});

test("example 1: builds a request with the five fields and signs in", async (t) => {
  const { server } = await startScm(t);
  const client = await OAuth2Client.connect(createRequest(server));
  assert.equal(await client.accessToken(), server.issued[0]);
});

test("example 2: refreshes a token that expires soon or has expired", async (t) => {
  const { server, request } = await startScm(t);
  const { clock, age } = createMovableClock();
  const client = createClient(request, { clock, random: () => 0 });
  for (const time of [0, 0, 650_000, 0, 900_000, 0]) {
    age(time);
    if (client.tokenExpiresSoon || client.isExpired) await client.refreshToken();
    assert.equal(client.isExpired, false);
  }
  assert.equal(server.countTokenRequests(), 3);
});

test("example 3: decodes the token, and refreshes it if it has expired", async (t) => {
  const { clock, pass } = createMovableClock();
  const fresh = (): string => signer.sign(clientClaims(clock.now() / 1000));
  const { server, request } = await startScripted(t, { token: () => tokenResponse({ access_token: fresh() }) });
  const client = createClient(request, { clock });
  await client.refreshToken();
  pass(901_000);
  try {
    await client.decodeToken();
  } catch (error) {
    if (!(error instanceof TokenExpiredError)) throw error;
    await client.refreshToken();
  }
  assert.equal((await client.decodeToken()).aud, CLIENT_ID);
  assert.equal(server.requestsTo("token").length, 2);
});

test("example 4: signs in, and distinguishes network, HTTP, and other errors by message", async (t) => {
  const { server, request } = await startScm(t);
  const { clientId, tokenUrl, ca } = server;
  const failing = await startScripted(t, { token: { status: 502 } });
  const closed = await startScm(t);
  await closed.server.close();
  const signIn = async (input: Parameters<typeof OAuth2Client.connect>[0]): Promise<string> => {
    try {
      await OAuth2Client.connect(input, { maxRetries: 0 });
      return "signed in";
    } catch (error) {
      const text = String(error);
      if (text.includes("Network error")) return "network";
      return text.includes("HTTP error") ? "HTTP" : text.includes("Authentication error") ? "other" : text;
    }
  };
  const wrong = { clientId, clientSecret: "not-the-secret", tokenUrl, ca };
  assert.deepEqual(
    [await signIn(request), await signIn(closed.request), await signIn(failing.request), await signIn(wrong)],
    ["signed in", "network", "HTTP", "other"],
  );
});
