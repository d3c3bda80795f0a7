import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { AuthError, AuthRequest, OAuth2Client, TokenExpiredError, type ClientOptions } from "../../../shared/index.ts";
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
  tokenRequests,
  TSG_ID,
  watchRejections,
} from "../../support/client-stage.ts";
import { runProgram } from "../../support/library-program.ts";
import { honestClaims, makeSigner } from "../../support/tokens.ts";

// What the Python page promises is in ../parity.test.ts; here is what ours says beyond it.

const unhandled = watchRejections();
const HOUR = 3_600_000;
const plain = { plain: true };

test("connect takes the plain fields too", async (t) => {
  const { server } = await scm(t);
  const { clientId, clientSecret, tokenUrl, ca } = server;
  assert.equal((await OAuth2Client.connect({ clientId, clientSecret, tokenUrl, ca })).isExpired, false);
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
  { max_retries: 3 } as object,
];
test("a wrong option is a config error that names it, all at once", () => {
  const request = { clientId: CLIENT_ID, clientSecret: SECRET };
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

test("what a client hands out can be changed by nobody else's hand", async (t) => {
  const { request } = await scripted(t, minted(), plain);
  const client = await OAuth2Client.connect(request);
  const end = client.expiresAt?.getTime();
  client.expiresAt?.setFullYear(1970);
  assert.equal(client.expiresAt?.getTime(), end);
  assert.throws(() => Object.assign(client.signingKey ?? {}, { n: "AQAB" }), TypeError);
  Object.assign(await client.decodeToken(), { aud: "other" });
  assert.equal((await client.decodeToken()).aud, CLIENT_ID);
});

test("when the event of a new token comes, that token serves already", async (t) => {
  const { request } = await scripted(t, minted(), plain);
  const seen: unknown[] = [];
  const client = new OAuth2Client(request, {
    onEvent: ({ type }) => {
      if (type === "token") seen.push(client.isExpired, client.tsgId);
    },
  });
  await client.refreshToken();
  assert.deepEqual(seen, [false, TSG_ID]);
});

const listeners: readonly (readonly [what: string, listener: () => unknown])[] = [
  ["throws", () => assert.fail("the listener's own")],
  ["rejects", () => Promise.reject(new Error("the listener's own"))],
  ["gives a thenable that throws", () => ({ then: () => assert.fail("the listener's own") })],
];
for (const [what, listener] of listeners) {
  test(`a listener that ${what} hurts nobody`, async (t) => {
    const { request } = await scripted(t, minted(), plain);
    const client = await OAuth2Client.connect(request, { onEvent: listener });
    assert.equal(client.isExpired, false);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(unhandled, []);
  });
}

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

test("a client that is refused behind the callers' backs does not go on asking; who asks aloud still may", async (t) => {
  const refused = { status: 401, body: { error: "invalid_client" } };
  const { server, request } = await scripted(t, [minted(), refused, refused, minted()], plain);
  const { clock, age } = makeMovedClock();
  const failed = gate();
  const client = new OAuth2Client(request, {
    clock,
    random: () => 0,
    onEvent: ({ type }) => {
      if (type === "failure") failed.open();
    },
  });
  const first = await client.accessToken();
  age(620_000);
  assert.equal(await client.accessToken(), first);
  await failed.opened;
  for (let call = 0; call < 5; call++) {
    age(30_000);
    assert.equal(await client.accessToken(), first);
    // A request would have come by then.
    await delay(20);
  }
  assert.equal(server.requestsTo("token").length, 2);
  assert.equal((await failureOf(client.refreshToken())).code, "invalid_client");
  await client.refreshToken();
  assert.notEqual(await client.accessToken(), first);
});

test("a token of unknown life serves those who waited for it, and nobody after", async (t) => {
  const opaque = minted({ access_token: "opaque-token-0123456789", expires_in: undefined });
  const { server, request } = await scripted(t, opaque, plain);
  const client = new OAuth2Client(request, { verify: false });
  await Promise.all([client.accessToken(), client.accessToken()]);
  assert.deepEqual([client.isExpired, client.expiresAt], [true, undefined]);
  await client.accessToken();
  assert.equal(server.requestsTo("token").length, 2);
});

test("the life counts from when the request was sent", async (t) => {
  const { clock, age } = makeMovedClock();
  const { request } = await scripted(
    t,
    () => {
      // So long the answer took.
      age(10_000);
      return minted({ access_token: "opaque-token-0123456789", expires_in: 20 });
    },
    plain,
  );
  const client = new OAuth2Client(request, { clock, verify: false });
  await client.refreshToken();
  age(9000);
  assert.equal(client.isExpired, false);
  age(1000);
  assert.equal(client.isExpired, true);
});

const honest = honestClaims({ clientId: CLIENT_ID, tsgId: TSG_ID });

test("with verify: false no keys are asked for, claims are still judged, and the token is decoded unproved", async (t) => {
  const stranger = await makeSigner({ kid: signer.kid });
  const { server, request } = await scripted(t, minted({ access_token: stranger.sign(honest) }), plain);
  const client = await OAuth2Client.connect(request, { verify: false });
  assert.equal(client.signingKey, undefined);
  assert.equal((await client.decodeToken())["jti"], honest.jti);
  assert.equal(server.requestsTo("keys").length, 0);
  const lying = await scripted(t, minted({ access_token: signer.sign({ ...honest, aud: "other" }) }), plain);
  assert.equal((await failureOf(OAuth2Client.connect(lying.request, { verify: false }))).code, "wrong_audience");
});

test("with verify: false an opaque token is taken, and can't be decoded", async (t) => {
  const { request } = await scripted(t, minted({ access_token: "opaque-token-0123456789" }), plain);
  const client = await OAuth2Client.connect(request, { verify: false });
  assert.equal(await client.accessToken(), "opaque-token-0123456789");
  assert.deepEqual([client.isExpired, client.scope, client.tsgId], [false, `tsg_id:${TSG_ID}`, TSG_ID]);
  const error = await failureOf(client.decodeToken());
  assert.deepEqual([error.kind, error.code], ["protocol", "opaque_token"]);
});

test("with verify: false decodeToken finds a token that has ended, too", async (t) => {
  const { request } = await scripted(t, minted(), plain);
  const { clock, pass } = makeMovedClock();
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
    const { clock, moved } = makeMovedClock();
    moved.wall = wall;
    const error = await failureOf(new OAuth2Client(request, { clock }).accessToken());
    assert.equal(error.code, "clock_skew");
    // The Date header has whole seconds.
    assert.match(error.message, /(5 h|4 h 59 min).* (behind|ahead of) the server's.*clock skew/);
    assert.equal(error.message.includes("behind"), wall < 0);
  });

  test(`a wall clock ${what} by hours after the sign-in changes nothing for the callers`, async (t) => {
    const { server, request } = await scripted(t, minted(), plain);
    const { clock, moved } = makeMovedClock();
    const client = new OAuth2Client(request, { clock });
    const token = await client.accessToken();
    moved.wall = wall;
    assert.deepEqual([client.isExpired, client.tokenExpiresSoon], [false, false]);
    assert.equal(await client.accessToken(), token);
    assert.equal(server.requestsTo("token").length, 1);
  });

  test(`decodeToken under a wall clock ${what} by hours names the clock and the difference`, async (t) => {
    const { request } = await scripted(t, minted(), plain);
    const { clock, moved } = makeMovedClock();
    const client = new OAuth2Client(request, { clock });
    await client.refreshToken();
    moved.wall = wall;
    const error = await failureOf(client.decodeToken());
    assert.equal(error.code, "clock_skew");
    assert.match(error.message, /(5 h|4 h 59 min).* (behind|ahead of) the server's.*clock skew/);
  });
}

test("a request of another copy of the library is recognised", async () => {
  const url = new URL("../../../shared/token/auth-request.ts?copy", import.meta.url);
  const copy = (await import(url.href)) as { readonly AuthRequest: typeof AuthRequest };
  const foreign = copy.AuthRequest.parse({ clientId: CLIENT_ID, clientSecret: SECRET });
  assert.ok(!(foreign instanceof AuthRequest) && AuthRequest.isAuthRequest(foreign));
  assert.equal(new OAuth2Client(foreign).authRequest, foreign);
  assert.ok(!AuthRequest.isAuthRequest({ clientId: CLIENT_ID, clientSecret: SECRET }));
});

test("a program that is done ends by itself: no timer and no connection keeps it alive", async (t) => {
  const { server, request } = await scripted(t, minted(), { other: { body: { data: [], total: 0 } } });
  const program = `
    const client = await OAuth2Client.connect(JSON.parse(process.env.FIELDS), { apiUrl: process.env.API_URL });
    await client.session.request("GET", "/x");
    await client.decodeToken();
    const done = performance.now();
    process.on("exit", () => console.log("ended after", Math.round(performance.now() - done), "ms"));
  `;
  const { code, text } = await runProgram(program, {
    FIELDS: JSON.stringify({
      clientId: CLIENT_ID,
      clientSecret: SECRET,
      tokenUrl: server.tokenUrl,
      ca: request.ca,
    }),
    API_URL: server.origin,
  });
  const [, after] = /^ended after (\d+) ms\n$/.exec(text) ?? assert.fail(text);
  assert.equal(code, 0);
  assert.ok(Number(after) < 1000, `it lived on for ${after} ms`);
});
