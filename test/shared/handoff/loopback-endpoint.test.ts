import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { sleep } from "../../../shared/clock.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import { assertNoCanary } from "../../support/canaries.ts";
import { makeFakeClock } from "../../support/fake-clock.ts";
import * as fc from "../../support/fuzzing.ts";
import { basic, openLoopbackStage, type Change, type LoopbackStage } from "../../support/loopback-stage.ts";
import { askRaw, openRaw, type RawAnswer } from "../../support/raw-http.ts";

const never = new AbortController().signal;
const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
process.on("unhandledRejection", note).on("uncaughtException", note);

let stage: LoopbackStage;
before(async () => {
  stage = await openLoopbackStage();
});
after(async () => {
  await stage.close();
  process.off("unhandledRejection", note).off("uncaughtException", note);
  assert.deepEqual(unhandled, [], "nothing was thrown where nobody listens");
});

interface Said {
  readonly access_token?: string;
  readonly error?: string;
  readonly error_description?: string;
}
const said = ({ body }: RawAnswer): Said => JSON.parse(body) as Said;
const error = (answer: RawAnswer): readonly [number, string | undefined] => [answer.status, said(answer).error];

/** Opens another stage for one test. */
async function withStage(
  options: Parameters<typeof openLoopbackStage>[0],
  play: (stage: LoopbackStage) => Promise<void>,
): Promise<void> {
  const opened = await openLoopbackStage(options);
  try {
    await play(opened);
  } finally {
    await opened.close();
  }
}

const TOKEN_FORM = "grant_type=client_credentials&scope=tsg_id%3A1234567890+email+profile";

test("a right request gets the token, what is left of it, its scope and the job, and nothing may keep the answer", async () => {
  const answer = await stage.ask();
  assert.equal(answer.status, 200);
  assert.deepEqual(JSON.parse(answer.body), {
    access_token: stage.token.value,
    token_type: "Bearer",
    expires_in: 600,
    scope: stage.scope,
    job: stage.job,
  });
  assert.equal(answer.headers["content-type"], "application/json");
  assert.equal(answer.headers["cache-control"], "no-store");
  assert.equal(answer.headers["connection"], "close");
  assert.equal(Number(answer.headers["content-length"]), answer.body.length);
});

test("each kind of right credentials is taken: by header and form, the job's secret and the client's own", async () => {
  const { clientId, jobSecret, clientSecret } = stage;
  for (const secret of [jobSecret, clientSecret]) {
    const form = `${TOKEN_FORM}&client_id=${encodeURIComponent(clientId)}&client_secret=${encodeURIComponent(secret)}`;
    const right: readonly Change[] = [
      { headers: { Authorization: basic(clientId, secret) } },
      { headers: { Authorization: basic(encodeURIComponent(clientId), encodeURIComponent(secret)) } },
      { headers: { Authorization: basic(clientId, secret).replace("Basic", "bAsIc") } },
      { headers: { Authorization: basic(clientId, secret) }, body: `${TOKEN_FORM}&client_id=${clientId}` },
      { headers: { Authorization: undefined }, body: form },
    ];
    for (const change of right) assert.equal((await stage.ask(change)).status, 200, JSON.stringify(change.headers));
  }
});

test("ids and secrets with any characters are taken, as Go writes them and as RFC 6749 does", async () => {
  const clientId = "a:b+c %41&=é";
  const clientSecret = 's:e+c r%2Bt&x=y;ü€ \\"';
  await withStage({ clientId, clientSecret }, async ({ ask }) => {
    const encoded = (text: string): string => new URLSearchParams({ v: text }).toString().slice(2);
    const right: readonly Change[] = [
      { headers: { Authorization: basic(clientId, clientSecret) } },
      { headers: { Authorization: basic(encoded(clientId), encoded(clientSecret)) } },
      { headers: { Authorization: basic(encodeURIComponent(clientId), encodeURIComponent(clientSecret)) } },
      {
        headers: { Authorization: undefined },
        body: `${TOKEN_FORM}&client_id=${encoded(clientId)}&client_secret=${encoded(clientSecret)}`,
      },
    ];
    for (const [n, change] of right.entries()) assert.equal((await ask(change)).status, 200, `${n}`);
  });
});

test("wrong credentials of every kind get 401 invalid_client and a challenge", async () => {
  const { clientId, jobSecret, clientSecret } = stage;
  const none = { Authorization: undefined };
  const wrong: readonly Change[] = [
    { headers: { Authorization: basic(clientId, "wrong") } },
    { headers: { Authorization: basic("wrong", jobSecret) } },
    { headers: { Authorization: basic(clientId, "") } },
    { headers: { Authorization: basic("", jobSecret) } },
    { headers: { Authorization: basic(clientId, jobSecret.slice(0, -1)) } },
    { headers: { Authorization: basic(clientId, `${jobSecret}x`) } },
    { headers: { Authorization: basic(clientId, jobSecret.toUpperCase()) } },
    { headers: { Authorization: basic(jobSecret, clientId) } },
    { headers: { Authorization: "Basic" } },
    { headers: { Authorization: "Basic !!!" } },
    { headers: { Authorization: `Basic ${Buffer.from("no colon").toString("base64")}` } },
    { headers: { Authorization: `Bearer ${jobSecret}` } },
    { headers: { Authorization: `Digest ${jobSecret}` } },
    { headers: none },
    { headers: none, body: `${TOKEN_FORM}&client_id=${clientId}` },
    { headers: none, body: `${TOKEN_FORM}&client_id=${clientId}&client_secret=` },
    { headers: none, body: `${TOKEN_FORM}&client_id=${clientId}&client_secret=wrong` },
    { headers: none, body: `${TOKEN_FORM}&client_secret=${clientSecret}` },
    { headers: none, body: "" },
    // Nobody without the secret learns which grant and scope are right.
    { headers: none, body: "grant_type=password&scope=other" },
  ];
  for (const change of wrong) {
    const answer = await stage.ask(change);
    assert.deepEqual(error(answer), [401, "invalid_client"], JSON.stringify(change));
    assert.match(answer.headers["www-authenticate"] ?? "", /^Basic realm="scm-auth"/);
  }
});

test("another grant and another scope are refused", async () => {
  const grants = [
    "grant_type=password",
    "grant_type=",
    "",
    "grant_type=CLIENT_CREDENTIALS",
    "grant_type=refresh_token",
  ];
  for (const body of grants) assert.deepEqual(error(await stage.ask({ body })), [400, "unsupported_grant_type"], body);
  const scopes = [
    "tsg_id:1",
    "tsg_id:1234567890",
    `${stage.scope} more`,
    stage.scope.toUpperCase(),
    "email email profile",
  ];
  for (const scope of scopes) {
    const body = `grant_type=client_credentials&scope=${encodeURIComponent(scope)}`;
    assert.deepEqual(error(await stage.ask({ body })), [400, "invalid_scope"], scope);
  }
});

test("a scope is a set: order and repeats mean nothing, and none means the file's own", async () => {
  const scopes = ["profile tsg_id:1234567890 email", "email  email profile tsg_id:1234567890 profile"];
  const bodies = scopes.map((scope) => `scope=${encodeURIComponent(scope)}&grant_type=client_credentials`);
  for (const body of [...bodies, "grant_type=client_credentials", "grant_type=client_credentials&scope="])
    assert.equal((await stage.ask({ body })).status, 200, body);
});

test("what is said twice is refused, since nobody knows which one holds", async () => {
  const { clientId, jobSecret } = stage;
  const twice: readonly Change[] = [
    { body: `${TOKEN_FORM}&grant_type=client_credentials` },
    { body: `${TOKEN_FORM}&scope=email` },
    { body: `${TOKEN_FORM}&client_secret=${jobSecret}&client_id=${clientId}` },
    { headers: { "X-A": `b\r\nAuthorization: ${basic(clientId, jobSecret)}` } },
    { headers: { "X-A": `b\r\nHost: 127.0.0.1:${stage.port}` } },
    { headers: { "X-A": "b\r\nContent-Type: text/plain" } },
  ];
  for (const change of twice)
    assert.deepEqual(error(await stage.ask(change)), [400, "invalid_request"], JSON.stringify(change));
});

test("only our own Host, no web page and no proxy, one method, one path and one content type are answered", async () => {
  const { port } = stage;
  const cases: readonly (readonly [number, Change])[] = [
    ...[
      `localhost:${port}`,
      "127.0.0.1",
      `127.0.0.1:${port + 1}`,
      `127.0.0.1:${port}.`,
      `127.1:${port}`,
      "evil.test",
      "",
    ].map((host) => [421, { headers: { Host: host } }] as const),
    [403, { headers: { Origin: "https://evil.test" } }],
    [403, { headers: { Origin: "null" } }],
    [403, { headers: { Via: "1.1 proxy" } }],
    [403, { headers: { Forwarded: "for=10.0.0.1" } }],
    [403, { headers: { "X-Forwarded-For": "10.0.0.1" } }],
    ...["GET", "PUT", "DELETE", "OPTIONS", "PATCH"].map(
      (method) => [405, { line: `${method} /am/oauth2/access_token HTTP/1.1` }] as const,
    ),
    ...[
      "/", "/am/oauth2/access_token/", "/am/oauth2/access_token?a=b", "//am/oauth2/access_token", "/am/oauth2//access_token",
      "/AM/oauth2/access_token", "/am/oauth2/%61ccess_token", "/x/../am/oauth2/access_token", "/end/", "*",
      `http://127.0.0.1:${port}/am/oauth2/access_token`, "/__proto__", "/constructor",
    ].map((path) => [404, { line: `POST ${path} HTTP/1.1` }] as const), // prettier-ignore
    ...[
      "application/json",
      "text/plain",
      "multipart/form-data; boundary=x",
      "application/x-www-form-urlencodedx",
      undefined,
    ].map((type) => [415, { headers: { "Content-Type": type } }] as const),
    [415, { headers: { "Content-Encoding": "gzip" } }],
    [200, { headers: { "Content-Type": "Application/X-WWW-Form-URLencoded; charset=UTF-8" } }],
  ];
  for (const [status, change] of cases) {
    const answer = await stage.ask(change);
    assert.equal(answer.status, status, `${JSON.stringify(change)}: ${answer.text.slice(0, 60)}`);
    if (answer.body === "") continue;
    assert.equal(answer.headers["cache-control"], "no-store");
    assert.equal(answer.headers["connection"], "close");
    assert.equal(answer.headers["access-control-allow-origin"], undefined);
  }
});

test("a large body is refused and its connection closed, whether its length was told before or not", async () => {
  const announced = await stage.ask({ headers: { "Content-Length": String(1024 * 1024) }, body: "x".repeat(100_000) });
  assert.deepEqual(error(announced), [413, "invalid_request"]);
  const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`;
  const headers = { "Content-Length": undefined, "Transfer-Encoding": "chunked" };
  const streamed = await stage.ask({ headers, body: chunk.repeat(2) });
  assert.deepEqual(error(streamed), [413, "invalid_request"]);
  assert.ok(streamed.took < 1000);
  const small = await stage.ask({ headers, body: `${TOKEN_FORM.length.toString(16)}\r\n${TOKEN_FORM}\r\n0\r\n\r\n` });
  assert.equal(small.status, 200);
});

test("what is no HTTP gets an error and the door, and nothing crashes", async () => {
  const garbage = [
    "\r\n\r\n\r\n", "hello\r\n\r\n", "\u0016\u0003\u0001\u0002\u0000", "POST / HTTP/9.9\r\n\r\n", "GET\r\n\r\n",
    "POST /am/oauth2/access_token HTTP/1.1\r\n\r\n", "CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test\r\n\r\n",
    `POST /am/oauth2/access_token HTTP/1.1\r\nHost: 127.0.0.1:${stage.port}\r\nContent-Length: -5\r\n\r\n`,
    `POST /am/oauth2/access_token HTTP/1.1\r\nHost: 127.0.0.1:${stage.port}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`,
    `POST /am/oauth2/access_token HTTP/1.1\r\nHost: 127.0.0.1:${stage.port}\r\nX: ${"y".repeat(40_000)}\r\n\r\n`,
    `POST /am/oauth2/access_token HTTP/1.1\r\nHost : 127.0.0.1:${stage.port}\r\n\r\n`,
    `POST /am/oauth2/access_token HTTP/1.1\r\nHost: 127.0.0.1:${stage.port}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
  ]; // prettier-ignore
  for (const text of garbage) {
    const { write, socket, answer } = openRaw(stage.port);
    write(text);
    socket.end();
    const { status } = await answer;
    assert.ok(status === 0 || (status >= 400 && status < 500), `${JSON.stringify(text.slice(0, 80))}: ${status}`);
  }
  assert.equal((await stage.ask()).status, 200);
});

test("a request that is broken somewhere is refused or served, and shows no secret", async () => {
  const whole = stage.request();
  const anyBreak = fc.record({
    at: fc.nat(whole.length),
    cut: fc.oneof(fc.constant(0), fc.constant(1), fc.nat(60)),
    put: fc.oneof(
      fc.constantFrom("", "\r\n", "\r\n\r\n", "\n", ":", " ", "\u0000", "%", "\u00ff"),
      fc.string({ maxLength: 20 }),
    ),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(anyBreak, { minLength: 1, maxLength: 3 }), async (breaks) => {
      const text = breaks.reduce(
        (broken, { at, cut, put }) => broken.slice(0, at) + put + broken.slice(at + cut),
        whole,
      );
      const { write, socket, answer } = openRaw(stage.port);
      write(text);
      // Says that no more comes, so that nobody waits for the rest of a half.
      socket.end();
      const { status, text: got } = await answer;
      assert.ok(status === 0 || status === 200 || (status >= 400 && status < 500), `${status}`);
      assertNoCanary([stage.jobSecret, stage.clientSecret, ...(status === 200 ? [] : [stage.token.value])], { got });
    }),
    { numRuns: 300 },
  );
  assert.equal((await stage.ask()).status, 200);
});

test("one connection gets one answer, whatever else is sent on it", async () => {
  const more: readonly (readonly [number, string])[] = [
    [200, stage.request()],
    [200, stage.request({ line: "GET / HTTP/1.1" })],
    [400, "garbage\r\n\r\n"],
    [400, "\u0000".repeat(5000)],
  ];
  for (const [status, rest] of more) {
    const answer = await askRaw(stage.port, stage.request() + rest);
    assert.equal(answer.status, status);
    assert.equal(answer.text.split("HTTP/1.1 ").length, 2);
  }
});

test("half-sent requests and silent connections are cut after five seconds; meanwhile others are served", async () => {
  const head = `POST /am/oauth2/access_token HTTP/1.1\r\nHost: 127.0.0.1:${stage.port}\r\n`;
  const whole = stage.request();
  const halves = [
    "",
    "P",
    head,
    `${head}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\n12345`,
    whole.slice(0, -1),
  ];
  const waiting = halves.map((half) => {
    const connection = openRaw(stage.port);
    connection.write(half);
    return connection;
  });
  // A byte a second, for ever: the whole request has five seconds, not each byte.
  const slow = openRaw(stage.port);
  slow.write(head);
  const drip = setInterval(() => slow.socket.writable && slow.socket.write("X"), 500);
  assert.equal((await stage.ask()).status, 200);
  const answers = await Promise.all([...waiting, slow].map(({ answer }) => answer));
  clearInterval(drip);
  for (const [n, { status, took }] of answers.entries()) {
    assert.ok(took > 4000 && took < 8000, `${n}: ${Math.round(took)} ms`);
    assert.ok(status === 408 || status === 0, `${n}: ${status}`);
  }
});

test("a thousand connections at once are served or closed, and after them all is as before", async () => {
  const answers = await Promise.all(Array.from({ length: 1000 }, () => stage.ask()));
  const served = answers.filter(({ status }) => status === 200).length;
  assert.ok(answers.every(({ status }) => status === 200 || status === 0));
  assert.ok(served > 900, `${served} served`);
  const idle = Array.from({ length: 1200 }, () => openRaw(stage.port));
  await Promise.all(
    idle.map(({ socket }) => new Promise((resolve) => socket.once("connect", resolve).once("close", resolve))),
  );
  for (const { socket } of idle) socket.destroy();
  await delay(100);
  assert.equal((await stage.ask()).status, 200);
});

test("a token with too little left is renewed first: 90 s, or half of a short life", async () => {
  const cases: readonly (readonly [life: number, left: number, renewed: boolean])[] = [
    [900_000, 90_000, false],
    [900_000, 89_999, true],
    [100_000, 50_000, false],
    [100_000, 49_999, true],
    [20_000, 10_000, false],
    [20_000, 9_999, true],
    [900_000, 0, true],
    [900_000, -5000, true],
  ];
  for (const [life, left, renewed] of cases) {
    await withStage({}, async ({ token, ask }) => {
      Object.assign(token, { life, left });
      token.renew = () => {
        Object.assign(token, { value: "the.next.one-and-a-long-one", left: life });
        return Promise.resolve();
      };
      const answer = await ask();
      assert.equal(answer.status, 200, answer.text);
      assert.equal(said(answer).access_token === "the.next.one-and-a-long-one", renewed, `${life} ${left}`);
      assert.equal(token.renewals, renewed ? 1 : 0);
    });
  }
});

test("who waits for a renewal waits 25 s, then gets a 503 that says so and asks to come again", async () => {
  const clock = makeFakeClock();
  await withStage({ clock }, async ({ token, ask }) => {
    token.left = 10_000;
    const asked = ask();
    while (clock.sleepers() === 0) await delay(5);
    assert.equal(token.renewals, 1);
    await clock.runUntil(sleep(clock, 24_999, never));
    await delay(50);
    assert.equal(clock.sleepers(), 1, "it still waits");
    await clock.runUntil(sleep(clock, 1, never));
    const answer = await asked;
    assert.deepEqual(error(answer), [503, "temporarily_unavailable"]);
    assert.equal(answer.headers["retry-after"], "1");
  });
});

test("the token that comes while they wait goes to all who wait", async () => {
  await withStage({}, async ({ token, ask }) => {
    token.left = 1000;
    let come: () => void = () => undefined;
    const coming = new Promise<void>((resolve) => (come = resolve));
    token.renew = () => coming;
    const asked = Array.from({ length: 50 }, () => ask());
    while (token.renewals < 50) await delay(5);
    token.left = 900_000;
    come();
    for (const answer of await Promise.all(asked)) assert.equal(answer.status, 200);
  });
});

test("a token that is short even when new is not handed out", async () => {
  await withStage({}, async ({ token, ask }) => {
    Object.assign(token, { life: 900_000, left: 10_000, renew: () => Promise.resolve() });
    assert.deepEqual(error(await ask()), [503, "temporarily_unavailable"]);
    assert.equal(token.renewals, 1, "and not asked for again and again");
  });
});

test("wrong credentials wait for nothing", async () => {
  await withStage({}, async ({ token, ask, clientId }) => {
    token.left = 0;
    assert.equal((await ask({ headers: { Authorization: basic(clientId, "wrong") } })).status, 401);
    assert.equal((await ask({ body: "grant_type=client_credentials&scope=other" })).status, 400);
    assert.equal(token.renewals, 0);
  });
});

test("a client that leaves while it waits leaves no timer behind", async () => {
  const clock = makeFakeClock();
  await withStage({ clock }, async ({ token, port, request }) => {
    token.left = 0;
    const { socket, write, answer } = openRaw(port);
    write(request());
    while (clock.sleepers() === 0) await delay(5);
    socket.destroy();
    await answer;
    while (clock.sleepers() > 0) await delay(5);
  });
});

test("after a refusal the last token is served as long as it is long enough, then the reason with its hint", async () => {
  await withStage({}, async ({ token, ask }) => {
    token.refusal = new AuthError(
      'the server refused to sign in (status 401): invalid_client: "wrong" \\ né\n##[error]x.',
      {
        kind: "rejected",
        code: "invalid_client",
        status: 401,
        oauthError: "invalid_client",
        hint: "Check {clientSecret}.",
      },
    );
    assert.equal((await ask()).status, 200);
    token.left = 89_000;
    const answer = await ask();
    assert.deepEqual(error(answer), [401, "invalid_client"]);
    const { error_description: text = "" } = said(answer);
    assert.match(
      text,
      /refused to sign in .*invalid_client: 'wrong' \/ n\? # ?#? ?\[error\]x\. hint: Check clientSecret\.$/,
    );
    assert.match(text, /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/, "RFC 6749 section 5.2");
    assert.equal(token.renewals, 0, "nobody waits for what won't come");
  });
});

test("a refusal that comes while they wait ends the wait", async () => {
  await withStage({}, async ({ token, ask }) => {
    token.left = 0;
    token.renew = () => {
      token.refusal = new AuthError("no role.", {
        kind: "rejected",
        code: "invalid_scope",
        oauthError: "invalid_scope",
      });
      return Promise.resolve();
    };
    assert.deepEqual(error(await ask()), [401, "invalid_scope"]);
  });
});

/** Waits for the end, two seconds at most. */
const endedSoon = ({ closed }: LoopbackStage): Promise<void> =>
  Promise.race([closed, delay(2000).then(() => assert.fail("it has not ended after two seconds"))]);

const END = "POST /end HTTP/1.1";

test("the job's secret, and no other, ends it: counts are told, the port is given back, half-sent requests are cut", async (t) => {
  const opened = await openLoopbackStage();
  const { ask, clientId, jobSecret, clientSecret, token, port, ends } = opened;
  const wrong = [
    undefined,
    "Bearer wrong",
    `Bearer ${clientSecret}`,
    basic(clientId, jobSecret),
    `Bearer ${jobSecret}x`,
  ];
  for (const authorization of wrong) {
    const answer = await ask({ line: END, headers: { Authorization: authorization }, body: "" });
    assert.deepEqual(error(answer), [401, "invalid_token"], authorization ?? "none");
  }
  const right = { line: END, headers: { Authorization: `Bearer ${jobSecret}` }, body: "" };
  assert.equal((await ask({ ...right, headers: { ...right.headers, Host: "evil.test" } })).status, 421);
  assert.equal((await ask({ ...right, headers: { ...right.headers, Origin: "https://evil.test" } })).status, 403);
  assert.equal((await ask({ ...right, line: "GET /end HTTP/1.1" })).status, 405);
  assert.equal(ends(), 0);

  const half = openRaw(port);
  t.after(() => half.socket.destroy());
  half.write("POST /am/oauth2/access_token HTTP/1.1\r\n");
  token.left = 0;
  const waiting = ask();
  while (token.renewals === 0) await delay(5);
  const answer = await ask({ ...right, headers: { ...right.headers, "Content-Type": undefined } });
  assert.equal(answer.status, 200);
  assert.deepEqual(JSON.parse(answer.body), { renewals: 3, outages: 1, refused: false });
  await endedSoon(opened);
  assert.equal((await half.answer).status, 0);
  assert.equal((await waiting).status, 0);
  assert.equal((await askRaw(port, "x")).text, "", "the port refuses");
  assert.equal(ends(), 1);
  await opened.close();
});

test("asked to end twice at once, it ends once and tells both", async () => {
  let finish: (counts: object) => void = () => undefined;
  const opened = await openLoopbackStage({ onEnd: () => new Promise((resolve) => (finish = resolve)) });
  const right = { line: END, headers: { Authorization: `Bearer ${opened.jobSecret}` }, body: "" };
  const both = [opened.ask(right), opened.ask(right)];
  while (opened.ends() === 0) await delay(5);
  assert.equal((await opened.ask()).status, 200, "until then the token is served");
  await delay(50);
  finish({ renewals: 7, outages: 0 });
  for (const answer of await Promise.all(both)) assert.equal(answer.status, 200);
  await opened.closed;
  assert.equal(opened.ends(), 1);
});

test("whoever asks for the end and leaves at once has ended it all the same", async () => {
  let finish: (counts: object) => void = () => undefined;
  const opened = await openLoopbackStage({ onEnd: () => new Promise((resolve) => (finish = resolve)) });
  const { write, socket, answer } = openRaw(opened.port);
  write(opened.request({ line: END, headers: { Authorization: `Bearer ${opened.jobSecret}` }, body: "" }));
  while (opened.ends() === 0) await delay(5);
  socket.destroy();
  await answer;
  await delay(50);
  finish({});
  await endedSoon(opened);
});

test("an end that fails is told as an error, and it ends all the same", async () => {
  const opened = await openLoopbackStage({ onEnd: () => Promise.reject(new Error("secret inside")) });
  const answer = await opened.ask({ line: END, headers: { Authorization: `Bearer ${opened.jobSecret}` }, body: "" });
  assert.deepEqual(error(answer), [500, "server_error"]);
  assert.doesNotMatch(answer.text, /secret/);
  await opened.closed;
});

test("closed while an end is under way from inside, it still tells the counts", async () => {
  let close: () => Promise<void> = () => Promise.resolve();
  const opened = await openLoopbackStage({
    onEnd: () => {
      setImmediate(() => void close());
      return Promise.resolve({ renewals: 1, outages: 2 });
    },
  });
  ({ close } = opened);
  const answer = await opened.ask({ line: END, headers: { Authorization: `Bearer ${opened.jobSecret}` }, body: "" });
  assert.deepEqual(JSON.parse(answer.body), { renewals: 1, outages: 2 });
  await opened.closed;
});

test("it listens on 127.0.0.1 alone, and says when a port is taken", async () => {
  assert.equal(stage.endpoint.authUrl, `http://127.0.0.1:${stage.port}/am/oauth2/access_token`);
  assert.equal(stage.endpoint.clientSecret, stage.jobSecret);
  const { openLoopbackEndpoint } = await import("../../../shared/handoff/loopback-endpoint.ts");
  const { systemClock } = await import("../../../shared/clock.ts");
  const again = openLoopbackEndpoint({
    clientId: "a",
    clientSecret: "b",
    jobSecret: "c",
    scope: "d",
    job: "e",
    renewals: { current: undefined as never, refusal: undefined, renew: () => new Promise(() => undefined) },
    onEnd: () => Promise.resolve({}),
    clock: systemClock,
    port: stage.port,
  });
  await assert.rejects(again, { code: "EADDRINUSE" });
});
