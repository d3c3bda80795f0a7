import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test, type TestContext } from "node:test";

import { AuthError } from "../../../shared/report/errors.ts";
import type { AuthEvent } from "../../../shared/report/events.ts";
import { Redactor } from "../../../shared/report/redactor.ts";
import { secretForms } from "../../../shared/report/secrets.ts";
import type { AccessToken } from "../../../shared/token/access-token.ts";
import { AuthRequest } from "../../../shared/token/auth-request.ts";
import { mint, prove, type MintOptions } from "../../../shared/token/prove-token.ts";
import { startScriptedServer, type Script, type ScriptedServer } from "../../support/scripted-server.ts";
import { honestClaims, makeSigner } from "../../support/tokens.ts";

const clientId = "ci@1.iam.panserviceaccount.com";
const clientSecret = "3f0d8ab2/5b1c+4c7e=9d35 6f1f3f8d8a10";
const signer = await makeSigner();
const next = await makeSigner();
const token = signer.sign(honestClaims({ clientId, tsgId: "1" }));

const answer = (accessToken: string, change: object = {}) => ({
  body: { access_token: accessToken, token_type: "Bearer", expires_in: 899, ...change },
});
const keys = { body: { keys: [signer.jwk] } };

async function serve(t: TestContext, scripts: { readonly token?: Script; readonly keys?: Script } = {}) {
  const server = await startScriptedServer({ token: answer(token), keys, ...scripts });
  t.after(server.close);
  return server;
}

function signIn({ tokenUrl, jwksUrl }: ScriptedServer, options: Partial<MintOptions> = {}): Promise<AccessToken> {
  return mint(AuthRequest.parse({ clientId, clientSecret, tokenUrl, jwksUrl }), {
    policy: { maxRetries: 1, backoff: 0.01, spreadOverload: false },
    ...{ timeout: 5, verify: true, userAgent: "test/1" },
    ...options,
  });
}

async function failureOf(work: Promise<unknown>): Promise<AuthError> {
  const outcome = await work.then(
    () => "a token",
    (error: unknown) => error,
  );
  assert.ok(AuthError.isAuthError(outcome), String(outcome));
  return outcome;
}

const countsOf = (server: ScriptedServer): readonly number[] =>
  (["token", "keys"] as const).map((route) => server.requestsTo(route).length);

test("one request for the token and one for the keys are in flight at once", async (t) => {
  const arrived: (() => void)[] = [];
  const together = async (): Promise<void> => {
    await new Promise<void>((resolve) => {
      arrived.push(resolve);
      if (arrived.length === 2) for (const go of arrived) go();
    });
  };
  const server = await serve(t, {
    token: () => together().then(() => answer(token)),
    keys: () => together().then(() => keys),
  });
  const proved = await signIn(server);
  assert.deepEqual([proved.value, proved.tsgId, countsOf(server)], [token, "1", [1, 1]]);
});

test("the life of a token counts from before it was asked for", async (t) => {
  const server = await serve(t, { token: { ...answer(token, { expires_in: 10 }), delayMs: 300 } });
  const { lifetime = 0, expiresAt } = await signIn(server);
  assert.ok(lifetime > 5000 && lifetime <= 9700, String(lifetime));
  assert.ok((expiresAt?.getTime() ?? 0) > Date.now() + 800_000);
});

test("a key that was changed between the two requests is looked for once more", async (t) => {
  const moved = next.sign(honestClaims({ clientId, tsgId: "1" }));
  const server = await serve(t, { token: answer(moved), keys: [keys, { body: { keys: [signer.jwk, next.jwk] } }] });
  assert.equal((await signIn(server)).value, moved);
  assert.deepEqual(countsOf(server), [1, 2]);
});

test("a key that nobody has is looked for twice and no more", async (t) => {
  const server = await serve(t, { token: answer(next.sign(honestClaims({ clientId, tsgId: "1" }))) });
  assert.equal((await failureOf(signIn(server))).code, "unknown_key");
  assert.deepEqual(countsOf(server), [1, 2]);
});

test("an opaque token is refused, and its keys were asked for all the same", async (t) => {
  const server = await serve(t, { token: answer("opaque-token") });
  const error = await failureOf(signIn(server));
  assert.deepEqual([error.code, error.kind], ["opaque_token", "verification"]);
  assert.match(error.hintWith({ verify: "VERIFY" } as never), /VERIFY/);
});

/** What `verify: false` still holds a token to. */
const unproved: readonly (readonly [what: string, script: Script, outcome: string])[] = [
  ["an opaque token is handed out", answer("opaque-token"), "opaque-token"],
  ["an opaque token for the scope granted", answer("opaque-token", { scope: "a tsg_id:1" }), "opaque-token"],
  ["an opaque token for another tenant is not", answer("opaque-token", { scope: "tsg_id:2" }), "wrong_tenant"],
  [
    "a token for another client is not",
    answer(signer.sign(honestClaims({ clientId: "x", tsgId: "1" }))),
    "wrong_audience",
  ],
  ["a token for another tenant is not", answer(signer.sign(honestClaims({ clientId, tsgId: "2" }))), "wrong_tenant"],
  [
    "a token that has ended is not",
    answer(signer.sign(honestClaims({ clientId, tsgId: "1", now: 0 }))),
    "token_expired",
  ],
  ["a token without its signature is not", answer(token.replace(/[^.]*$/, "")), "malformed_token"],
  ["a token by a stranger is handed out", answer(next.sign(honestClaims({ clientId, tsgId: "1" }))), "a JWT"],
];
for (const [what, script, outcome] of unproved) {
  test(`without verification no keys are asked for, and ${what}`, async (t) => {
    const server = await serve(t, { token: script });
    const came = await signIn(server, { verify: false }).then(
      ({ value }) => (value.includes(".") ? "a JWT" : value),
      (error: unknown) => (AuthError.isAuthError(error) ? error.code : String(error)),
    );
    assert.equal(came, outcome);
    assert.deepEqual(countsOf(server), [1, 0]);
  });
}

test("every token that comes is told to be masked, also with a failure", async (t) => {
  const told: string[] = [];
  const onToken = (raw: string): void => void told.push(raw);
  const server = await serve(t, { token: [{ ...answer("first-token"), status: 500 }, answer(token)] });
  await signIn(server, { onToken });
  assert.deepEqual(told, ["first-token", token]);
});

test("a server that says the secret and the token in every form shows neither", async (t) => {
  const said = [...secretForms(clientSecret), ...secretForms(token).filter(({ length }) => length < 4000)];
  for (const form of said) {
    const body = { access_token: token, error: `x ${form}`, error_description: `The secret ${form} is wrong` };
    const server = await serve(t, { token: { status: 400, body }, keys: { status: 302, headers: { location: "/" } } });
    const { tokenUrl, jwksUrl } = server;
    const error = await failureOf(
      mint(AuthRequest.parse({ clientId, clientSecret, tokenUrl, jwksUrl }), {
        policy: { maxRetries: 0, backoff: 0, spreadOverload: false },
        ...{ timeout: 5, verify: false, userAgent: "test/1" },
      }),
    );
    assert.equal(error.code, "oauth_error");
    const shown = [error.message, error.hint, error.oauthError, error.stack, JSON.stringify(error)].join("\n");
    assert.equal(new Redactor([clientSecret, token]).redact(shown), shown);
  }
});

test("a secret on the edge of what is shown of a text is not shown in part", async (t) => {
  const lengths = [0, 12, 24].flatMap((back) => [300 - back, 1200 - back, 2000 - back]);
  const server = await serve(t, {
    token: lengths.map((length) => ({
      status: 400,
      body: { error: "oh", error_description: `${"x".repeat(length)}${clientSecret}` },
    })),
  });
  for (const length of lengths) {
    const { message } = await failureOf(signIn(server, { verify: false }));
    assert.ok(!message.includes(clientSecret.slice(0, 8)), `${length}: ${message}`);
  }
});

test("the caller's redactor learns the secret and each token", async (t) => {
  const redactor = new Redactor();
  await signIn(await serve(t), { redactor });
  assert.equal(redactor.redact(`${clientSecret}, ${token}`), "***, ***");
});

test("every wait is told, with the request that waits", async (t) => {
  const events: AuthEvent[] = [];
  const server = await serve(t, { token: [{ status: 503 }, answer(token)], keys: [{ status: 500 }, keys] });
  await signIn(server, { onEvent: (event) => void events.push(event) });
  const waits = events.filter((event) => event.type === "wait").map(({ request, tries, of }) => [request, tries, of]);
  assert.deepEqual(waits.sort(), [
    ["request for the signing keys", 1, 2],
    ["token request", 1, 2],
  ]);
  const statuses = events.flatMap((event) => (event.type === "answer" ? [event.status] : []));
  assert.deepEqual(statuses.sort(), [200, 200, 500, 503]);
});

for (const [failing, other] of [
  ["token", "keys"],
  ["keys", "token"],
] as const) {
  test(`when the request for the ${failing} fails for good the other one is not waited for`, async (t) => {
    const start = performance.now();
    const error = await failureOf(signIn(await serve(t, { [failing]: { status: 404 }, [other]: { hang: true } })));
    assert.deepEqual([error.code, error.status], ["http_rejected", 404]);
    assert.ok(error.message.includes(failing), error.message);
    assert.ok(performance.now() - start < 3000);
    const connections = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
    for (let n = 0; n < 100 && connections() > 0; n++) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(connections(), 0);
  });
}

test("all ends at the deadline, with what failed", async (t) => {
  const start = performance.now();
  const error = await failureOf(signIn(await serve(t, { token: { hang: true } }), { timeout: 0.4 }));
  const took = performance.now() - start;
  assert.deepEqual([error.code, error.kind, error.attempts], ["no_answer", "timeout", 2]);
  assert.ok(took > 150 && took < 2000, String(took));
});

test("an abort ends all at once and leaves no listener", async (t) => {
  const abort = new AbortController();
  const server = await serve(t, { token: { hang: true }, keys: { hang: true } });
  const work = failureOf(signIn(server, { signal: abort.signal }));
  setTimeout(() => {
    abort.abort();
  }, 60);
  const start = performance.now();
  assert.equal((await work).code, "aborted");
  assert.ok(performance.now() - start < 3000);
  assert.equal(getEventListeners(abort.signal, "abort").length, 0);
  assert.equal((await failureOf(signIn(server, { signal: abort.signal }))).code, "aborted");
  assert.deepEqual(countsOf(server), [1, 1]);
});

/** Proves a token that was found. */
function find({ tokenUrl, jwksUrl }: ScriptedServer, raw: string, options: Partial<MintOptions> = {}) {
  return prove(AuthRequest.parse({ clientId, clientSecret, tokenUrl, jwksUrl }), raw, {
    policy: { maxRetries: 0, backoff: 0.01, spreadOverload: false },
    ...{ timeout: 5, verify: true, userAgent: "test/1" },
    ...options,
  });
}

for (const verify of [true, false]) {
  test(`a token that was found is proved by the keys alone, with verify: ${verify}`, async (t) => {
    const server = await serve(t);
    const masked: string[] = [];
    const proved = await find(server, token, { verify, onToken: (raw) => masked.push(raw) });
    assert.deepEqual([proved.value, proved.tsgId, proved.life, masked], [token, "1", 900_000, [token]]);
    assert.ok((proved.lifetime ?? 0) > 880_000 && (proved.lifetime ?? 0) <= 900_000, String(proved.lifetime));
    assert.equal(proved.key?.kid, signer.kid);
    assert.deepEqual(countsOf(server), [0, 1]);
  });
}

/** Found tokens that are not believed, by the error's code and the requests for keys that it takes to know. */
const unbelieved: readonly (readonly [what: string, raw: string, code: string, keyRequests: number])[] = [
  ["has ended", signer.sign(honestClaims({ clientId, tsgId: "1", now: 0 })), "token_expired", 0],
  ["is for another client", signer.sign(honestClaims({ clientId: "x", tsgId: "1" })), "wrong_audience", 0],
  ["is for another tenant", signer.sign(honestClaims({ clientId, tsgId: "2" })), "wrong_tenant", 0],
  ["is opaque", "opaque-token", "opaque_token", 0],
  ["is no token at all", "a.b.c", "opaque_token", 0],
  ["has lost its signature", token.replace(/[^.]*$/, ""), "malformed_token", 0],
  ["is signed by a stranger's key of the same name", forged(), "bad_signature", 1],
];
for (const [what, raw, code, keyRequests] of unbelieved) {
  test(`a found token that ${what} is not believed`, async (t) => {
    const server = await serve(t);
    for (const verify of [true, false]) {
      const error = await failureOf(find(server, raw, { verify }));
      assert.deepEqual([error.kind, error.code], ["verification", code]);
    }
    assert.deepEqual(countsOf(server), [0, 2 * keyRequests]);
  });
}

test("keys that can't be had are no proof of a found token", async (t) => {
  const server = await serve(t, { keys: { status: 503 } });
  assert.equal((await failureOf(find(server, token))).kind, "server");
});

function forged(): string {
  return next.sign(honestClaims({ clientId, tsgId: "1" }), { kid: signer.kid });
}
