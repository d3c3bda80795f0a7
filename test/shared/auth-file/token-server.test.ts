import assert from "node:assert/strict";
import { after, test, type TestContext } from "node:test";
import { AccessToken } from "../../../shared/access-token.ts";
import { SHUTDOWN_PATH, TOKEN_SERVER_PATH, toTokenServerUrl } from "../../../shared/auth-file/format.ts";
import { TokenServer, type TokenServerOptions } from "../../../shared/auth-file/token-server.ts";
import { requestServedToken, stopRefresher } from "../../../shared/auth-file/token-server-client.ts";
import { backgroundClock, type Clock, type Milliseconds } from "../../../shared/clock.ts";
import { AuthError } from "../../../shared/errors.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { openRawConnection, sendRaw, type RawResponse } from "../../support/raw-http.ts";
import { startSilentPort } from "../../support/silent-port.ts";
import { startScriptedServer, type ScriptedResponse } from "../../support/scripted-server.ts";

const CLIENT_ID = "ci@1234567890.iam.panserviceaccount.com";
const JOB_SECRET = "j".repeat(43);
const CLIENT_SECRET = "2e1c7f6b-8a56-4d6c-b2d5-client-secret";
const SCOPE = "tsg_id:1234567890 email";
const FORM = "grant_type=client_credentials&scope=email+tsg_id%3A1234567890";

interface SetupOptions extends Partial<Omit<TokenServerOptions, "refresher">> {
  readonly lifetime?: Milliseconds;
  readonly remaining?: Milliseconds;
  readonly rejection?: AuthError;
}

interface Fixture {
  readonly server: TokenServer;
  readonly refresher: { current: AccessToken; rejection: AuthError | undefined; requested: number };
  readonly createToken: (remaining: Milliseconds, value?: string) => AccessToken;
}

async function setUp({
  lifetime = 900_000,
  remaining = 600_500,
  rejection,
  ...options
}: SetupOptions = {}): Promise<Fixture> {
  const clock: Clock = options.clock ?? backgroundClock;
  const createToken = (left: Milliseconds, value = "access-token"): AccessToken =>
    new AccessToken(value, {
      ...{ lifetime, deadline: clock.elapsed() + left, expiresAt: new Date(clock.now() + left) },
      ...{ scope: ["tsg_id:1234567890"], tsgIds: [] },
    });
  const refresher = {
    current: createToken(remaining),
    rejection,
    requested: 0,
    requestRenewal: () => {
      refresher.requested++;
    },
  };
  const server = await TokenServer.listen({
    ...{ clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, jobSecret: JOB_SECRET, scope: SCOPE, jobId: "job-1" },
    ...{ onShutdown: () => Promise.resolve({ renewals: 3, outages: 1 }), clock, ...options, refresher },
  });
  return { server, refresher, createToken };
}

async function start(t: TestContext, options?: SetupOptions): Promise<Fixture> {
  const fixture = await setUp(options);
  t.after(() => fixture.server.close());
  return fixture;
}

const basic = (id: string, secret: string): string => `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;

interface Changes {
  readonly method?: string;
  readonly path?: string;
  readonly body?: string;
  /** A value of undefined removes the header. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

function toRequest(
  port: number,
  { method = "POST", path = TOKEN_SERVER_PATH, body = FORM, headers = {} }: Changes,
): string {
  const all: Readonly<Record<string, string | undefined>> = {
    Host: `127.0.0.1:${port}`,
    Authorization: basic(CLIENT_ID, JOB_SECRET),
    "Content-Type": "application/x-www-form-urlencoded",
    "Content-Length": String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}\r\n`]));
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${Buffer.from(body).toString("latin1")}`;
}

const send = ({ server }: Fixture, changes: Changes = {}): Promise<RawResponse> =>
  sendRaw(server.port, toRequest(server.port, changes));

interface Content {
  readonly access_token?: string;
  readonly expires_in?: number;
  readonly error?: string;
  readonly error_description?: string;
}
const parse = ({ body }: RawResponse): Content => JSON.parse(body) as Content;
const summarize = (response: RawResponse): readonly [number, string | undefined] => [
  response.status,
  parse(response).error,
];

const fixture = await setUp();
after(() => fixture.server.close());

test("responds with the token, its remaining lifetime, its scope, and the job, and forbids caching", async () => {
  const response = await send(fixture);
  assert.equal(response.status, 200);
  const { expires_in: expiresIn = 0, ...content } = parse(response);
  // Time passes between the creation of the token and the response.
  assert.ok(Number.isInteger(expiresIn) && expiresIn <= 600 && expiresIn > 570, String(expiresIn));
  assert.deepEqual(content, {
    access_token: "access-token",
    token_type: "Bearer",
    scope: "tsg_id:1234567890",
    job_id: "job-1",
  });
  assert.equal(response.headers["cache-control"], "no-store");
  assert.equal(response.headers["connection"], "close");
});

const encode = (text: string): string => new URLSearchParams({ "": text }).toString().slice(1);

test("accepts the secret from the file and the client's own secret, in the header or the form", async () => {
  for (const secret of [JOB_SECRET, CLIENT_SECRET]) {
    const form = `${FORM}&client_id=${encode(CLIENT_ID)}&client_secret=${encode(secret)}`;
    const cases: readonly Changes[] = [
      { headers: { Authorization: basic(CLIENT_ID, secret) } },
      { headers: { Authorization: basic(encode(CLIENT_ID), encode(secret)) } },
      { headers: { Authorization: basic(CLIENT_ID, secret).replace("Basic", "bAsIc") } },
      { headers: { Authorization: undefined }, body: form },
      { body: "grant_type=client_credentials" },
    ];
    for (const changes of cases) assert.equal((await send(fixture, changes)).status, 200, JSON.stringify(changes));
  }
});

test("accepts credentials with any characters, encoded as in Go or as in RFC 6749", async (t) => {
  const [clientId, clientSecret] = ["a:b+c %41&=é", 's:e+c r%2Bt&x=y;ü€ \\"'];
  const other = await start(t, { clientId, clientSecret });
  for (const authorization of [basic(clientId, clientSecret), basic(encode(clientId), encode(clientSecret))])
    // If the ID contains a colon, only the encoded form is unambiguous.
    assert.equal((await send(other, { headers: { Authorization: authorization } })).status, 200);
});

test("rejects other credentials with invalid_client and a challenge before it checks anything else", async () => {
  for (const authorization of [
    basic(CLIENT_ID, "other"),
    basic("other", JOB_SECRET),
    basic(CLIENT_ID, ""),
    basic(CLIENT_ID, JOB_SECRET.slice(1)),
    basic(CLIENT_ID, JOB_SECRET.toUpperCase()),
    "Basic !",
    "Basic bm8tY29sb24=",
    `Bearer ${JOB_SECRET}`,
    undefined,
  ]) {
    const response = await send(fixture, { headers: { Authorization: authorization }, body: "grant_type=password" });
    assert.deepEqual(summarize(response), [401, "invalid_client"], authorization);
    assert.match(response.headers["www-authenticate"] ?? "", /^Basic /);
    assert.match(parse(response).error_description ?? "", /SCM_CLIENT_SECRET/);
  }
});

for (const [name, changes, expected] of [
  ["another grant", { body: "grant_type=password" }, [400, "unsupported_grant_type"]],
  ["no grant", { body: "" }, [400, "unsupported_grant_type"]],
  ["another scope", { body: "grant_type=client_credentials&scope=tsg_id%3A2" }, [400, "invalid_scope"]],
  ["only part of the scope", { body: "grant_type=client_credentials&scope=email" }, [400, "invalid_scope"]],
  ["another path", { path: "/" }, [404, "invalid_request"]],
  ["the path with a query", { path: `${TOKEN_SERVER_PATH}?x` }, [404, "invalid_request"]],
  ["GET", { method: "GET", body: "" }, [405, "invalid_request"]],
  ["OPTIONS", { method: "OPTIONS", body: "" }, [405, "invalid_request"]],
  ["a body larger than 16 KiB", { body: "x".repeat(16_385) }, [413, "invalid_request"]],
  [
    "a body of unknown length",
    { body: "0\r\n\r\n", headers: { "Content-Length": undefined, "Transfer-Encoding": "chunked" } },
    [413, "invalid_request"],
  ],
  ["another Host", { headers: { Host: "localhost:80" } }, [421, "invalid_request"]],
  ["an Origin header", { headers: { Origin: "http://127.0.0.1" } }, [403, "invalid_request"]],
  ["a Referer header", { headers: { Referer: "http://example.com" } }, [403, "invalid_request"]],
  ["a Sec-Fetch-Site header", { headers: { "Sec-Fetch-Site": "cross-site" } }, [403, "invalid_request"]],
  ["a Via header", { headers: { Via: "1.1 proxy" } }, [403, "invalid_request"]],
  ["a Forwarded header", { headers: { Forwarded: "for=10.0.0.1" } }, [403, "invalid_request"]],
  ["an X-Forwarded-For header", { headers: { "X-Forwarded-For": "10.0.0.1" } }, [403, "invalid_request"]],
] as const)
  test(`rejects a request with ${name}`, async () => {
    const response = await send(fixture, changes);
    assert.deepEqual(summarize(response), expected);
    assert.equal(response.headers["access-control-allow-origin"], undefined);
    assert.doesNotMatch(response.text, /access-token/);
  });

test("closes the connection after malformed requests, and continues to serve other clients", async () => {
  for (const text of [
    "\0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a b\r\nContent-Length: x\r\n\r\n",
    `POST / HTTP/1.1\r\nX: ${"x".repeat(20_000)}\r\n\r\n`,
  ]) {
    const { status } = await sendRaw(fixture.server.port, text);
    assert.ok(status >= 400 && status < 500, `${status}`);
  }
  assert.equal((await send(fixture)).status, 200);
});

test("closes connections with incomplete requests after a few seconds, and serves other clients in the meantime", async () => {
  const connections = ["", "POST ", toRequest(fixture.server.port, {}).slice(0, -5)].map((text) => {
    const connection = openRawConnection(fixture.server.port);
    connection.write(text);
    return connection;
  });
  assert.equal((await send(fixture)).status, 200);
  for (const { response } of connections) {
    const { durationMs, text } = await response;
    assert.ok(durationMs < 60_000);
    assert.doesNotMatch(text, /access-token/);
  }
});

test("listens only on 127.0.0.1", () => {
  const { port, address } = fixture.server;
  assert.deepEqual(address, { authUrl: toTokenServerUrl(port), clientSecret: JOB_SECRET });
});

test("first renews a token that is valid for less than 90 s, or for less than half of its lifetime if that is shorter", async (t) => {
  for (const [lifetime, remaining, needsRenewal] of [
    [900_000, 95_000, false],
    [900_000, 85_000, true],
    [60_000, 32_000, false],
    [60_000, 28_000, true],
  ] as const) {
    const other = await start(t, { lifetime, remaining });
    const response = send(other);
    if (needsRenewal) {
      while (other.refresher.requested === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      other.refresher.current = other.createToken(lifetime, "renewed");
    }
    assert.equal(parse(await response).access_token, needsRenewal ? "renewed" : "access-token");
    assert.equal(other.refresher.requested, needsRenewal ? 1 : 0);
  }
});

test("responds with 503 and Retry-After if no new token arrives within 25 s", async (t) => {
  const clock = createFakeClock();
  const other = await start(t, { clock, remaining: 60_000 });
  const pending = send(other);
  while (other.refresher.requested === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await clock.advance(24_900);
  assert.equal(clock.pendingTimers(), 1, "the request is still waiting");
  await clock.advance(200);
  const response = await pending;
  assert.deepEqual(summarize(response), [503, "temporarily_unavailable"]);
  assert.equal(response.headers["retry-after"], "1");
});

const rejection = new AuthError('the auth server rejected "the client".', {
  ...{
    kind: "rejected",
    code: "invalid_client",
    oauthError: "invalid_client",
    status: 401,
    hint: "Paste it again\u2028.",
  },
});

test("after a rejection, serves the last token until it is no longer usable, and then the reason for the rejection with a hint", async (t) => {
  assert.equal((await send(await start(t, { rejection }))).status, 200);
  const response = await send(await start(t, { rejection, remaining: 50_000 }));
  assert.deepEqual(summarize(response), [401, "invalid_client"]);
  assert.equal(
    parse(response).error_description,
    "Authentication error: the auth server rejected 'the client'. hint: Paste it again .",
  );
});

test("responds to all waiting clients when the renewal is rejected", async (t) => {
  const other = await start(t, { remaining: 0 });
  const responses = [send(other), send(other)];
  while (other.refresher.requested < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  other.refresher.rejection = rejection;
  for (const response of responses) assert.equal((await response).status, 401);
});

test("shuts down only on a request with the secret from the file, and closes all connections", async () => {
  const other = await setUp();
  const idle = openRawConnection(other.server.port);
  for (const authorization of [`Bearer ${CLIENT_SECRET}`, basic(CLIENT_ID, JOB_SECRET), "Bearer ", undefined]) {
    const response = await send(other, { path: SHUTDOWN_PATH, body: "", headers: { Authorization: authorization } });
    assert.deepEqual(summarize(response), [401, "invalid_token"]);
  }
  const shutdown = { path: SHUTDOWN_PATH, body: "", headers: { Authorization: `Bearer ${JOB_SECRET}` } };
  assert.deepEqual(parse(await send(other, shutdown)), { renewals: 3, outages: 1 });
  await other.server.closed;
  await idle.response;
  assert.equal((await sendRaw(other.server.port, "")).status, 0);
});

test("shuts down even if the client has disconnected", async () => {
  let finish = (): void => undefined;
  const stopped = new Promise<object>((resolve) => {
    finish = () => {
      resolve({});
    };
  });
  const state = { called: false };
  const other = await setUp({
    onShutdown: () => {
      state.called = true;
      return stopped;
    },
  });
  const { port } = other.server;
  const connection = openRawConnection(port);
  connection.write(
    toRequest(port, { path: SHUTDOWN_PATH, body: "", headers: { Authorization: `Bearer ${JOB_SECRET}` } }),
  );
  while (!state.called) await new Promise((resolve) => setTimeout(resolve, 5));
  connection.socket.destroy();
  finish();
  await other.server.closed;
});

// The client

const content = (port: number, changes: object = {}) => ({
  ...{ clientId: CLIENT_ID, clientSecret: JOB_SECRET, scope: SCOPE, authUrl: toTokenServerUrl(port) },
  ...{ jwt: "x", jwtExpiresAt: 0, jwtLifetime: 0, ...changes },
});

test("the client gets the token and the job from a running server", async (t) => {
  assert.deepEqual(await requestServedToken(content(fixture.server.port)), { token: "access-token", jobId: "job-1" });
  const clientId = "a:b+c %41&=é";
  const other = await start(t, { clientId });
  assert.equal((await requestServedToken(content(other.server.port, { clientId })))?.token, "access-token");
  assert.equal(await requestServedToken(content(fixture.server.port, { clientSecret: "x".repeat(43) })), undefined);
});

test("the client sends the secret only to a valid token server URL", async (t) => {
  const scripted = await startScriptedServer({ token: {}, jwks: {}, other: {} });
  t.after(scripted.close);
  for (const authUrl of [
    `${scripted.origin}/`,
    `${scripted.tokenUrl}?x`,
    scripted.tokenUrl.replace("127.0.0.1", "localhost"),
  ])
    assert.equal(await requestServedToken(content(0, { authUrl })), undefined);
  assert.equal(scripted.requests.length, 0);
});

test("the client does not accept a response from another program", async (t) => {
  const valid = { access_token: "x", token_type: "Bearer", job_id: "y" };
  const cases: readonly ScriptedResponse[] = [
    { status: 500, body: valid },
    { status: 101, headers: { connection: "Upgrade", upgrade: "websocket" } },
    { body: "not JSON" },
    { body: { ...valid, job_id: 1 } },
    { body: { ...valid, access_token: "line\nbreak" } },
    { body: { ...valid, token_type: "mac" } },
    { body: "x".repeat(70_000) },
    { body: valid, destroyAfterBytes: 5 },
  ];
  const scripted = await startScriptedServer({ token: cases, jwks: {}, other: cases });
  t.after(scripted.close);
  for (const [n] of cases.entries()) {
    assert.equal(await requestServedToken(content(scripted.port)), undefined, `case ${n}`);
    assert.equal(await stopRefresher(content(scripted.port)), undefined, `case ${n}`);
  }
});

test("the client gives up before the deadline if nothing responds", async (t) => {
  const silent = await startSilentPort(t);
  const scripted = await startScriptedServer({ token: [{ hang: true }, { body: "{", endless: true }], jwks: {} });
  t.after(scripted.close);
  for (const port of [silent, scripted.port, scripted.port])
    assert.equal(await requestServedToken(content(port), AbortSignal.timeout(100)), undefined);
  assert.equal(await requestServedToken(content(silent)), undefined);
});

test("the client stops a refresher and returns its statistics", async () => {
  const gap = { since: 1, failedAttempts: 2, error: { message: "m", hint: "h", docs: "d" } };
  const stats = { renewals: 3, outages: 1, gap, rejection: { message: "m", hint: "h", docs: "d" } };
  const other = await setUp({ onShutdown: () => Promise.resolve(stats) });
  const address = other.server.address;
  assert.deepEqual(await stopRefresher(address), stats);
  await other.server.closed;
  assert.equal(await stopRefresher(address), undefined);
});
