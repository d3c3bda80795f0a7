import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { inspect } from "node:util";

import {
  ApiError,
  AuthError,
  AuthRequest,
  OAuth2Client,
  TokenExpiredError,
  type AuthEvent,
  type ClientOptions,
} from "../../shared/index.ts";
import { assertNoCanary, tokenCanaries } from "../support/canaries.ts";
import {
  CLIENT_ID,
  failureOf,
  gate,
  makeMovedClock,
  minted,
  scm,
  scripted,
  SECRET,
  signer,
  tls,
  tokenRequests,
  TSG_ID,
  watchRejections,
} from "../support/client-stage.ts";
import { TAGS_PATH } from "../support/scm-api.ts";
import { startScmServer, type ScmServer } from "../support/scm-server.ts";
import type { ScriptedRequest } from "../support/scripted-server.ts";
import { encodeSegment, honestClaims, makeSigner } from "../support/tokens.ts";

/**
 * What the authentication page of the Python `pan-scm-sdk` promises, in its order: a suite for each row, named as the
 * page writes it, and its four examples. The servers are real and speak TLS.
 */

watchRejections();
const HOUR = 3_600_000;
const honest = honestClaims({ clientId: CLIENT_ID, tsgId: TSG_ID });
const tags = { query: { folder: "All" } };

/** A request made of the page's five fields. */
const requestOf = ({ clientId, clientSecret, tokenUrl, tsgId, ca }: ScmServer): AuthRequest =>
  AuthRequest.parse({ clientId, clientSecret, tokenUrl, scope: `tsg_id:${tsgId}`, tsgId, ca });

describe("AuthRequestModel(client_id, client_secret, token_url, scope, tsg_id)", () => {
  test("five fields make a request that signs in", async (t) => {
    const { server } = await scm(t);
    const request = requestOf(server);
    assert.deepEqual(
      [request.clientId, request.clientSecret, request.tokenUrl.href, request.scope, request.tenants],
      [server.clientId, server.clientSecret, server.tokenUrl, `tsg_id:${server.tsgId}`, [server.tsgId]],
    );
    assert.equal((await OAuth2Client.connect(request)).tsgId, server.tsgId);
  });

  test("the tenant is taken from the client id, and so is the scope", () => {
    const request = AuthRequest.parse({ clientId: CLIENT_ID, clientSecret: SECRET });
    assert.deepEqual([request.tenants, request.scope], [[TSG_ID], `tsg_id:${TSG_ID}`]);
  });

  test("all problems are told at once, snake_case keys with the names to write, and no value is quoted", () => {
    const python = { client_id: CLIENT_ID, client_secret: SECRET, token_url: "x", scope: "tsg_id:1", tsg_id: "1" };
    assert.throws(
      () => AuthRequest.parse(python),
      (error) => {
        assert.ok(AuthError.isAuthError(error));
        assert.equal(error.kind, "config");
        const told = error.problems.map(({ field, reason }) => `${field} ${reason}`);
        for (const line of [
          "client_id is called clientId here",
          "client_secret is called clientSecret here",
          "token_url is called tokenUrl here",
          "tsg_id is called tsgId here",
          "clientId is missing or blank",
          "clientSecret is missing or blank",
        ])
          assert.ok(told.includes(line) && error.message.includes(line), line);
        assertNoCanary([SECRET], { error: inspect(error, { depth: Infinity, showHidden: true }) });
        return true;
      },
    );
  });
});

describe("OAuth2Client(auth_request) signs in while it is built", () => {
  test("connect gives a client that has signed in, and building one does no I/O", async (t) => {
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
    assert.equal(client.expiresAt?.getTime(), (await client.decodeToken()).exp * 1000);
    assert.equal(tokenRequests(server), 1);
  });
});

/** Tries that a client makes at a server that is always broken, and the waits between them at the largest draw. */
async function triesOf(t: TestContext, Class: typeof OAuth2Client, options: ClientOptions = {}) {
  const { server, request } = await scripted(t, { status: 500 });
  const { clock, skipWaits } = makeMovedClock();
  const waits: number[] = [];
  const client = new Class(request, {
    ...options,
    clock,
    random: () => 1 - Number.EPSILON,
    onEvent: (event) => {
      skipWaits(event);
      if (event.type === "wait") waits.push(Math.round(event.wait));
    },
  });
  const error = await failureOf(client.refreshToken());
  assert.deepEqual([error.kind, error.status], ["server", 500]);
  assert.equal(error.attempts, server.requestsTo("token").length);
  return { tries: error.attempts, waits };
}

describe("MAX_RETRIES 3, RETRY_BACKOFF 0.3, TOKEN_EXPIRY_BUFFER 300 (class constants that people override)", () => {
  test("the constants have the page's names and values, and hold", async (t) => {
    const { MAX_RETRIES, RETRY_BACKOFF, TOKEN_EXPIRY_BUFFER } = OAuth2Client;
    assert.deepEqual([MAX_RETRIES, RETRY_BACKOFF, TOKEN_EXPIRY_BUFFER], [3, 0.3, 300]);
    assert.deepEqual(await triesOf(t, OAuth2Client), { tries: 4, waits: [300, 600, 1200] });
  });

  test("each is an option", async (t) => {
    assert.deepEqual(await triesOf(t, OAuth2Client, { maxRetries: 0 }), { tries: 1, waits: [] });
    const changed = { maxRetries: 2, retryBackoff: 0.01 };
    assert.deepEqual(await triesOf(t, OAuth2Client, changed), { tries: 3, waits: [10, 20] });
    const { request } = await scm(t);
    const { clock, pass } = makeMovedClock();
    const usual = new OAuth2Client(request, { clock, random: () => 0 });
    const short = new OAuth2Client(request, { clock, random: () => 0, tokenExpiryBuffer: 60 });
    await Promise.all([usual.refreshToken(), short.refreshToken()]);
    pass(700_000);
    assert.deepEqual([usual.tokenExpiresSoon, short.tokenExpiresSoon], [true, false]);
    pass(150_000);
    assert.deepEqual([short.tokenExpiresSoon, short.isExpired], [true, false]);
  });

  test("each is overridden in a subclass, and an option beats that", async (t) => {
    class Ours extends OAuth2Client {
      static override readonly MAX_RETRIES = 1;
      static override readonly RETRY_BACKOFF = 0.02;
      static override readonly TOKEN_EXPIRY_BUFFER = 0;
    }
    assert.deepEqual(await triesOf(t, Ours), { tries: 2, waits: [20] });
    assert.deepEqual(await triesOf(t, Ours, { maxRetries: 0 }), { tries: 1, waits: [] });
    const { request } = await scm(t);
    const { clock, age } = makeMovedClock();
    const client = new Ours(request, { clock, random: () => 0 });
    await client.refreshToken();
    assert.ok((await Ours.connect(request)) instanceof Ours);
    age(890_000);
    assert.deepEqual([client.tokenExpiresSoon, client.isExpired], [false, false]);
  });
});

describe("attributes auth_request, session, signing_key", () => {
  test("authRequest, session and signingKey are there, and none prints a secret", async (t) => {
    const { server, request } = await scm(t);
    const client = await OAuth2Client.connect(request);
    assert.equal(client.authRequest, request);
    assert.deepEqual([typeof client.session.request, typeof client.session.list], ["function", "function"]);
    const { kty, n, e, kid } = client.signingKey ?? assert.fail("no key");
    const header = Buffer.from((server.issued[0] ?? "").split(".")[0] ?? "", "base64url").toString();
    assert.deepEqual([kty, e, typeof n], ["RSA", "AQAB", "string"]);
    assert.equal(kid, (JSON.parse(header) as { kid?: string }).kid);
    assert.deepEqual(Object.keys(client.signingKey ?? {}).sort(), ["e", "kid", "kty", "n"], "no private part");
    for (const part of [client.authRequest, client.session, client.signingKey])
      assertNoCanary([server.clientSecret, ...tokenCanaries(server.issued[0] ?? "")], {
        inspected: inspect(part, { depth: Infinity, showHidden: true }),
        json: JSON.stringify(part),
      });
  });
});

describe("session creation: client credentials, retry strategy, first token, adapters with retry", () => {
  test("each step is an event, and what is sent are the four fields of the grant, no junk", async (t) => {
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
    assert.equal(told.at(-1), "debug token ");
    assert.deepEqual(told.sort(), [
      "debug answer request for the signing keys",
      "debug answer token request",
      "debug token ",
    ]);
  });

  test("the session's calls are repeated by the same policy as the sign-in", async (t) => {
    const { server, request } = await scripted(t, minted(), { other: [{ status: 502 }, { body: { id: 1 } }] });
    const waits: string[] = [];
    const client = new OAuth2Client(request, {
      apiUrl: server.origin,
      retryBackoff: 0.001,
      onEvent: (event) => event.type === "wait" && waits.push(event.request),
    });
    assert.deepEqual(await client.session.request("GET", TAGS_PATH), { id: 1 });
    assert.deepEqual(waits, ["call to the SCM API"]);
  });
});

describe("retry: total 3, backoff factor 0.3, 408 429 500 502 503 504, POST and GET, exponential, configurable", () => {
  for (const status of [408, 429, 500, 502, 503, 504]) {
    test(`a ${status} is repeated, of the token request (POST) and of the key request (GET)`, async (t) => {
      const broken = { status };
      const keys = [broken, { body: { keys: [signer.jwk] } }];
      const { server, request } = await scripted(t, [broken, minted()], { keys });
      await OAuth2Client.connect(request, { retryBackoff: 0.001 });
      assert.deepEqual(server.requests.map(({ method, route }) => `${method} ${route}`).sort(), [
        "GET keys",
        "GET keys",
        "POST token",
        "POST token",
      ]);
    });
  }

  test("waits grow exponentially and are drawn at random", async (t) => {
    const { request } = await scripted(t, { status: 500 });
    const { clock, skipWaits } = makeMovedClock();
    for (const draw of [0, 0.5]) {
      const waits: number[] = [];
      const client = new OAuth2Client(request, {
        clock,
        random: () => draw,
        onEvent: (event) => {
          skipWaits(event);
          if (event.type === "wait") waits.push(Math.round(event.wait));
        },
      });
      await failureOf(client.refreshToken());
      assert.deepEqual(waits, [300 * draw, 600 * draw, 1200 * draw]);
    }
  });

  test("Retry-After is a floor, and one that ends after the deadline fails at once and says how long", async (t) => {
    const { clock, skipWaits } = makeMovedClock();
    const waits: number[] = [];
    const limited = await scripted(t, [{ status: 429, headers: { "retry-after": "7" } }, minted()]);
    await new OAuth2Client(limited.request, {
      clock,
      random: () => 0,
      onEvent: (event) => {
        skipWaits(event);
        if (event.type === "wait") waits.push(event.wait);
      },
    }).refreshToken();
    assert.deepEqual(waits, [7000]);
    const late = await scripted(t, { status: 429, headers: { "retry-after": "100" } });
    const error = await failureOf(OAuth2Client.connect(late.request));
    assert.deepEqual([error.kind, error.retryAfterMs, error.attempts], ["rate_limited", 100_000, 1]);
  });

  test("one deadline covers all tries", async (t) => {
    const { server, request } = await scripted(t, { hang: true });
    const started = performance.now();
    const error = await failureOf(OAuth2Client.connect(request, { timeout: 0.4, maxRetries: 3, retryBackoff: 0 }));
    assert.deepEqual([error.kind, error.retryable], ["timeout", true]);
    assert.ok(performance.now() - started < 2000);
    assert.equal(server.requestsTo("token").length, error.attempts);
    assert.ok(error.attempts > 1, "every permitted try has its share of the time");
  });

  test("a refusal is never repeated", async (t) => {
    const { server, request } = await scripted(t, { status: 401, body: { error: "invalid_client" } });
    assert.equal((await failureOf(OAuth2Client.connect(request))).attempts, 1);
    assert.equal(server.requestsTo("token").length, 1);
  });
});

describe("token_expires_soon → refresh_token()", () => {
  test("tokenExpiresSoon follows the life, its window capped at a third of it, and refreshToken puts it right", async (t) => {
    const { server, request } = await scm(t, { ttl: 90 });
    const { clock, age } = makeMovedClock();
    const client = new OAuth2Client(request, { clock, random: () => 0 });
    await client.refreshToken();
    assert.equal(client.tokenExpiresSoon, false);
    age(50_000);
    assert.equal(client.tokenExpiresSoon, false, "300 s would be more than its whole life");
    age(15_000);
    assert.deepEqual([client.tokenExpiresSoon, client.isExpired], [true, false]);
    await client.refreshToken();
    assert.deepEqual([client.tokenExpiresSoon, tokenRequests(server)], [false, 2]);
  });
});

describe("is_expired", () => {
  test("it is so from the token's end on, and looking asks for nothing", async (t) => {
    const { server, request } = await scm(t, { ttl: 90 });
    const { clock, pass } = makeMovedClock();
    const client = new OAuth2Client(request, { clock });
    assert.equal(client.isExpired, true);
    await client.refreshToken();
    assert.equal(client.isExpired, false);
    for (const time of [95_000, 1e12]) {
      pass(time);
      assert.deepEqual([client.isExpired, client.tokenExpiresSoon], [true, true]);
    }
    assert.equal(tokenRequests(server), 1);
  });

  test("it never throws, whatever the wall clock shows", async (t) => {
    const { request } = await scm(t);
    const { clock, moved } = makeMovedClock();
    const client = new OAuth2Client(request, { clock });
    await client.refreshToken();
    for (const wall of [-1e15, -5 * HOUR, -31_000, 31_000, 5 * HOUR, 1e15, Number.NaN]) {
      moved.wall = wall;
      assert.deepEqual([client.isExpired, client.tokenExpiresSoon], [false, false], String(wall));
    }
  });
});

describe("decode_token(), ExpiredSignatureError", () => {
  test("decodeToken gives the claims, proved anew; TokenExpiredError once the token has ended", async (t) => {
    const { server, request } = await scm(t);
    const { clock, pass } = makeMovedClock();
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

  test("the signature is proved each time: by keys that are loaded anew, a token of other keys is refused", async (t) => {
    const stranger = await makeSigner({ kid: signer.kid });
    const keys = [{ body: { keys: [signer.jwk] } }, { body: { keys: [stranger.jwk] } }];
    const { request } = await scripted(t, minted(), { keys });
    const { clock, age } = makeMovedClock();
    const client = new OAuth2Client(request, { clock });
    await client.refreshToken();
    age(601_000);
    assert.equal((await failureOf(client.decodeToken())).code, "bad_signature");
  });
});

describe("refresh_token(): new session, retries, updates the signing key, errors", () => {
  test("a refresh brings a new token and its key, and a failed one leaves the current token serving", async (t) => {
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

  test("a refresh is repeated as the first sign-in is", async (t) => {
    const { server, request } = await scripted(t, [minted(), { status: 503 }, minted()]);
    const client = await OAuth2Client.connect(request, { retryBackoff: 0.001 });
    await client.refreshToken();
    assert.equal(server.requestsTo("token").length, 3);
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
});

describe('network errors: connection, timeout, request exceptions → "Network error"', () => {
  test("a refused connection, silence and a cut answer begin with Network error and may pass", async (t) => {
    const gone = await scm(t);
    await gone.server.close();
    const silent = await scripted(t, { hang: true });
    const cut = await scripted(t, { ...minted(), destroyAfterBytes: 40 });
    for (const [{ request }, kind] of [
      [gone, "network"],
      [silent, "timeout"],
      [cut, "network"],
    ] as const) {
      const error = await failureOf(OAuth2Client.connect(request, { maxRetries: 0, timeout: 0.3 }));
      assert.deepEqual([error.kind, error.retryable], [kind, true]);
      assert.match(error.message, /^Network error: ./);
      assert.ok(String(error).includes("Network error"));
    }
  });
});

describe('HTTP errors: 4xx, 5xx, gateway timeouts → "HTTP error"', () => {
  const statuses: readonly (readonly [status: number, kind: string])[] = [
    [400, "rejected"],
    [403, "rejected"],
    [404, "rejected"],
    [408, "server"],
    [429, "rate_limited"],
    [500, "server"],
    [502, "server"],
    [503, "server"],
    [504, "server"],
  ];
  for (const [status, kind] of statuses) {
    test(`a ${status} begins with HTTP error, and tells status, tries and what to do`, async (t) => {
      const { request } = await scripted(t, { status });
      const error = await failureOf(OAuth2Client.connect(request, { maxRetries: 1, retryBackoff: 0 }));
      assert.deepEqual([error.kind, error.status], [kind, status]);
      assert.match(error.message, /^HTTP error: /);
      assert.ok(error.message.includes(String(status)));
      assert.equal(error.attempts, kind === "rejected" ? 1 : 2);
      assert.notEqual(error.hint, "");
    });
  }
});

const now = Math.floor(Date.now() / 1000);
const stranger = await makeSigner({ kid: signer.kid });

describe("authentication errors: expiry, invalid credentials, decode errors, signing key failures", () => {
  const lies: readonly (readonly [what: string, token: string, code: string])[] = [
    ["a token that has ended", signer.sign({ ...honest, iat: now - 99, nbf: now - 99, exp: now - 9 }), "token_expired"],
    ["a token that can't be decoded", signer.sign("no JSON at all"), "malformed_token"],
    ["an opaque token", "opaque-token-0123456789", "opaque_token"],
    ["a token of an unknown key", signer.sign(honest, { kid: "other" }), "unknown_key"],
    ["a token with a foreign signature", stranger.sign(honest), "bad_signature"],
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

  const refusals = ["invalid_client", "invalid_scope", "unauthorized_client", "access_denied"] as const;
  for (const refusal of refusals) {
    test(`the refusal ${refusal} is an authentication error with that code`, async (t) => {
      const { request } = await scripted(t, { status: 400, body: { error: refusal } });
      const error = await failureOf(OAuth2Client.connect(request));
      assert.deepEqual([error.kind, error.code, error.oauthError, error.status], ["rejected", refusal, refusal, 400]);
      assert.match(error.message, /^Authentication error: /);
    });
  }

  test("invalid credentials at the real server are told as such", async (t) => {
    const { server } = await scm(t);
    const { clientId, tokenUrl, ca } = server;
    const error = await failureOf(OAuth2Client.connect({ clientId, clientSecret: "wrong-secret-1", tokenUrl, ca }));
    assert.deepEqual([error.code, error.oauthError, tokenRequests(server)], ["invalid_client", "invalid_client", 1]);
    assert.match(error.message, /^Authentication error: /);
  });

  test("a key set that is none is an authentication error; keys that can't be had keep their cause's kind", async (t) => {
    const odd = await scripted(t, minted(), { keys: { body: { keys: "none" } } });
    const error = await failureOf(OAuth2Client.connect(odd.request, { maxRetries: 0 }));
    assert.deepEqual([error.kind, error.code], ["protocol", "bad_key_set"]);
    assert.match(error.message, /^Authentication error: .*signing keys/);
    const away = await scripted(t, minted(), { keys: { status: 500 } });
    const broken = await failureOf(OAuth2Client.connect(away.request, { maxRetries: 0 }));
    assert.equal(broken.kind, "server");
    assert.match(broken.message, /^HTTP error: .*signing keys/);
  });
});

/** The same bytes in base64url, written in a way that no encoder writes them: a bit set that counts for nothing. */
function loosely(token: string): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const last = letters[letters.indexOf(token.at(-1) ?? "") ^ 1] ?? "";
  const loose = token.slice(0, -1) + last;
  const bytes = (text: string) => Buffer.from(text.split(".")[2] ?? "", "base64url");
  assert.ok(bytes(loose).equals(bytes(token)) && loose !== token);
  return loose;
}

describe("RS256, audience, signature by JWK", () => {
  const hs256 = [encodeSegment({ alg: "HS256", kid: signer.kid }), encodeSegment(honest), "c2ln"].join(".");
  const none = [encodeSegment({ alg: "none", kid: signer.kid }), encodeSegment(honest), "c2ln"].join(".");
  const lies: readonly (readonly [what: string, token: string, code: string])[] = [
    ["RS512 in place of RS256", signer.sign(honest, { alg: "RS512" }), "forbidden_algorithm"],
    ["HS256 in place of RS256", hs256, "forbidden_algorithm"],
    ["no algorithm", none, "forbidden_algorithm"],
    ["another audience", signer.sign({ ...honest, aud: "other" }), "wrong_audience"],
    ["a key of that name that did not sign it", stranger.sign(honest), "bad_signature"],
    ["another tenant", signer.sign({ ...honest, scope: ["tsg_id:2"] }), "wrong_tenant"],
    ["no exp", signer.sign({ ...honest, exp: undefined }), "missing_claim"],
    ["no iat", signer.sign({ ...honest, iat: undefined }), "missing_claim"],
    ["base64url that is not canonical", loosely(signer.sign(honest)), "malformed_token"],
  ];
  for (const [what, token, code] of lies) {
    test(`a token with ${what} is refused`, async (t) => {
      const { request } = await scripted(t, minted({ access_token: token }));
      const client = new OAuth2Client(request, { maxRetries: 0 });
      const error = await failureOf(client.refreshToken());
      assert.deepEqual([error.kind, error.code, client.isExpired], ["verification", code, true]);
    });
  }

  test("the issuer is proved when given", async (t) => {
    const { server, request } = await scm(t);
    const { clientId, clientSecret, tokenUrl, ca } = server;
    const fields = { clientId, clientSecret, tokenUrl, ca };
    const { iss } = await (await OAuth2Client.connect(request)).decodeToken();
    assert.ok(iss);
    assert.equal((await OAuth2Client.connect({ ...fields, issuer: iss })).isExpired, false);
    assert.equal((await failureOf(OAuth2Client.connect({ ...fields, issuer: server.origin }))).code, "wrong_issuer");
  });
});

describe("TLS verification enforced, secure endpoints", () => {
  test("an unknown authority gets no secret, whatever options and environment say", async (t) => {
    const { server, request } = await scm(t);
    const { clientId, clientSecret, tokenUrl } = server;
    const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    t.after(() => {
      if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
    });
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    for (const verify of [true, false]) {
      const error = await failureOf(OAuth2Client.connect({ clientId, clientSecret, tokenUrl }, { verify }));
      assert.deepEqual([error.kind, error.code, error.retryable], ["network", "untrusted_certificate", false]);
    }
    assert.equal(server.requests.length, 0);
    assert.equal((await OAuth2Client.connect(request)).isExpired, false, "with its private CA given it is trusted");
  });

  test("addresses without TLS are refused, but for loopback", () => {
    const fields = { clientId: CLIENT_ID, clientSecret: SECRET };
    for (const change of [{ tokenUrl: "http://auth.scm.test/access_token" }, { jwksUrl: "http://auth.scm.test/keys" }])
      assert.throws(() => AuthRequest.parse({ ...fields, ...change }), AuthError);
    assert.throws(() => new OAuth2Client(fields, { apiUrl: "http://api.scm.test" }), AuthError);
    assert.equal(AuthRequest.parse({ ...fields, tokenUrl: "http://127.0.0.1:1/access_token" }).tokenUrl.port, "1");
  });
});

describe("debug logs of token operations, error logs of failures", () => {
  test("token operations are events of level debug, failures of level error, and none holds a secret", async (t) => {
    const echo = ({ body }: ScriptedRequest) => ({
      status: 401,
      body: { error: "invalid_client", error_description: body },
    });
    const { request } = await scripted(t, [minted(), echo]);
    const { clock, pass } = makeMovedClock();
    const events: AuthEvent[] = [];
    const failure = gate();
    const client = new OAuth2Client(request, {
      clock,
      random: () => 0,
      onEvent: (event) => {
        events.push(event);
        if (event.type === "failure") failure.open();
      },
    });
    const first = await client.accessToken();
    pass(700_000);
    assert.equal(await client.accessToken(), first, "behind the caller's back");
    await failure.opened;
    const [last] = events.slice(-1);
    assert.ok(last?.type === "failure");
    assert.deepEqual([last.level, last.error.code], ["error", "invalid_client"]);
    assert.ok(events.some(({ type }) => type === "token"));
    assert.ok(events.every(({ type, level }) => level === (type === "failure" ? "error" : "debug")));
    assertNoCanary([SECRET, ...tokenCanaries(first)], {
      inspected: inspect(events, { depth: Infinity, showHidden: true }),
      json: JSON.stringify(events),
    });
  });
});

describe("session makes authenticated calls, token refreshed", () => {
  test("calls bear the token, lists give their items, and a token that the API refuses is replaced once", async (t) => {
    const { server, request } = await scm(t);
    const client = new OAuth2Client(request, { apiUrl: server.apiUrl });
    const { data } = await client.session.request<{ data: unknown[] }>("GET", TAGS_PATH, tags);
    assert.equal(data.length, 2);
    const names: unknown[] = [];
    for await (const { name } of client.session.list<{ name: string }>(TAGS_PATH, tags)) names.push(name);
    assert.deepEqual(names, ["production", "staging"]);
    assert.equal(tokenRequests(server), 1);
    // The server forgets the token, as when it was revoked.
    (server.issued as string[]).length = 0;
    await client.session.request("GET", TAGS_PATH, tags);
    assert.equal(tokenRequests(server), 2);
    const error = await client.session.request("GET", TAGS_PATH).catch((reason: unknown) => reason);
    assert.ok(error instanceof ApiError);
    assert.deepEqual([error.status, error.code], [400, "E003"]);
  });

  test("a second refusal is the API's last word", async (t) => {
    const { server, request } = await scripted(t, minted(), { other: { status: 401 } });
    const client = new OAuth2Client(request, { apiUrl: server.origin });
    const error = await client.session.request("GET", TAGS_PATH).catch((reason: unknown) => reason);
    assert.ok(error instanceof ApiError);
    assert.deepEqual([error.status, server.requestsTo("other").length, server.requestsTo("token").length], [401, 2, 2]);
  });
});

describe("secrets in the environment", () => {
  test("fromEnv signs in with what stands there, and tells what is missing by the variable's name", async (t) => {
    const { server, request } = await scm(t);
    const variables = {
      SCM_CLIENT_ID: server.clientId,
      SCM_CLIENT_SECRET: server.clientSecret,
      SCM_TSG_ID: server.tsgId,
      SCM_TOKEN_URL: server.tokenUrl,
    };
    const { clientId, scope, tokenUrl, clientSecret } = AuthRequest.fromEnv(variables);
    assert.deepEqual(
      [clientId, scope, tokenUrl.href, clientSecret],
      [request.clientId, request.scope, server.tokenUrl, server.clientSecret],
    );
    assert.throws(
      () => AuthRequest.fromEnv({ ...variables, SCM_CLIENT_SECRET: "" }),
      (error) => AuthError.isAuthError(error) && error.message.includes("SCM_CLIENT_SECRET is missing"),
    );
  });
});

describe("best practice: check expiry before each call, handle refresh errors, use the buffer", () => {
  test("accessToken looks at the expiry, renews within the buffer and waits near the end, all by itself", async (t) => {
    const { server, request } = await scm(t);
    const { clock, age } = makeMovedClock();
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
    assert.equal(await client.accessToken(), server.issued[1]);
    assert.equal(await client.accessToken({ minTtl: 890 }), server.issued[1]);
    age(885_000);
    assert.equal(await client.accessToken(), server.issued[2]);
    assert.equal(tokenRequests(server), 3);
  });

  test("a refresh that fails within the buffer does not hurt the caller, and the next try comes later", async (t) => {
    const { server, request } = await scripted(t, [minted(), { status: 500 }, minted()]);
    const { clock, age } = makeMovedClock();
    const told: string[] = [];
    const heard = [gate(), gate()];
    const client = new OAuth2Client(request, {
      clock,
      random: () => 0,
      maxRetries: 0,
      onEvent: ({ type }) => {
        if (type === "token" || type === "failure") told.push(type);
        if (told.length > 1) heard[told.length - 2]?.open();
      },
    });
    const first = await client.accessToken();
    age(650_000);
    assert.equal(await client.accessToken(), first);
    await heard[0]?.opened;
    assert.equal(await client.accessToken(), first);
    assert.equal(server.requestsTo("token").length, 2, "not again at once");
    age(10_001);
    assert.equal(await client.accessToken(), first);
    await heard[1]?.opened;
    assert.deepEqual(told, ["token", "failure", "token"]);
    assert.notEqual(await client.accessToken(), first);
  });
});

describe("the page's examples", () => {
  test("1: build a request with the five fields and sign in", async (t) => {
    const { server } = await scm(t);
    const client = await OAuth2Client.connect(requestOf(server));
    assert.equal(await client.accessToken(), server.issued[0]);
  });

  test("2: if the token expires soon, or has expired, refresh it", async (t) => {
    const { server, request } = await scm(t);
    const { clock, age } = makeMovedClock();
    const client = new OAuth2Client(request, { clock, random: () => 0 });
    for (const time of [0, 0, 650_000, 0, 900_000, 0]) {
      age(time);
      if (client.tokenExpiresSoon || client.isExpired) await client.refreshToken();
      assert.equal(client.isExpired, false);
    }
    assert.equal(tokenRequests(server), 3);
  });

  test("3: decode, on expiry refresh", async (t) => {
    const { clock, pass } = makeMovedClock();
    // Its clock goes with ours: hours pass for both.
    const { request } = await scripted(t, () =>
      minted({
        access_token: signer.sign(honestClaims({ clientId: CLIENT_ID, tsgId: TSG_ID, now: clock.wall() / 1000 })),
      }),
    );
    const client = new OAuth2Client(request, { clock });
    await client.refreshToken();
    pass(901_000);
    let refreshed = false;
    try {
      await client.decodeToken();
    } catch (error) {
      if (!(error instanceof TokenExpiredError)) throw error;
      await client.refreshToken();
      refreshed = true;
    }
    assert.ok(refreshed);
    assert.equal((await client.decodeToken()).aud, CLIENT_ID);
  });

  test("4: sign in, and tell network, HTTP and other errors apart by the message", async (t) => {
    const { server, request } = await scm(t);
    const { clientId, tokenUrl, ca } = server;
    const broken = await scripted(t, { status: 502 });
    const gone = await startScmServer({ tls });
    await gone.close();
    const away = { clientId, clientSecret: SECRET, tokenUrl: gone.tokenUrl, ca };
    const tell = async (attempt: Parameters<typeof OAuth2Client.connect>[0]): Promise<string> => {
      try {
        await OAuth2Client.connect(attempt, { maxRetries: 0 });
        return "signed in";
      } catch (error) {
        const text = String(error);
        if (text.includes("Network error")) return "network";
        return text.includes("HTTP error") ? "HTTP" : text.includes("Authentication error") ? "other" : text;
      }
    };
    assert.deepEqual(
      [
        await tell(request),
        await tell(away),
        await tell(broken.request),
        await tell({ clientId, clientSecret: "not-the-secret", tokenUrl, ca }),
      ],
      ["signed in", "network", "HTTP", "other"],
    );
    assert.equal(server.issued.length, 1);
  });
});
