import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { inspect } from "node:util";

import { ApiError } from "../../../shared/client/api-error.ts";
import { OAuth2Client } from "../../../shared/client/oauth2-client.ts";
import type { ClientOptions } from "../../../shared/client/client-options.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import type { HttpMethod } from "../../../shared/http/send.ts";
import { assertNoCanary } from "../../support/canaries.ts";
import { startChaosProxy } from "../../support/chaos-proxy.ts";
import {
  startScriptedServer,
  type Script,
  type ScriptedAnswer,
  type ScriptedServer,
} from "../../support/scripted-server.ts";
import { honestClaims, makeSigner } from "../../support/tokens.ts";

const clientId = "ci@1.iam.panserviceaccount.com";
const clientSecret = "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10";
const signer = await makeSigner();

/** A new token for every request. */
const freshToken = (): ScriptedAnswer => ({
  body: {
    access_token: signer.sign(honestClaims({ clientId, tsgId: "1" })),
    token_type: "Bearer",
    expires_in: 899,
  },
});

const PATH = "/config/objects/v1/tags";
const fine: ScriptedAnswer = { body: { id: 1 } };
const apiFailure = (status: number, headers = {}): ScriptedAnswer => ({
  status,
  headers,
  body: { _errors: [{ code: "E003", message: "It is so.", details: { why: ["a"] } }], _request_id: "r-1" },
});

async function serve(t: TestContext, other: Script, options: ClientOptions = {}) {
  const server = await startScriptedServer({ token: freshToken, keys: { body: { keys: [signer.jwk] } }, other });
  t.after(server.close);
  const { tokenUrl, jwksUrl, origin } = server;
  const client = new OAuth2Client(
    { clientId, clientSecret, tokenUrl, jwksUrl },
    { apiUrl: origin, retryBackoff: 0.001, timeout: 5, ...options },
  );
  return { server, client, session: client.session };
}

const calls = (server: ScriptedServer) => server.requestsTo("other");
const mints = (server: ScriptedServer): number => server.requestsTo("token").length;

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => assert.fail("it succeeded"),
    (error: unknown) => error,
  );
}

test("a call goes to the API's origin with the current token, and its JSON comes back", async (t) => {
  const { server, client, session } = await serve(t, fine);
  assert.deepEqual(await session.request("GET", PATH), { id: 1 });
  const [call] = calls(server);
  assert.deepEqual([call?.method, call?.path, call?.body], ["GET", PATH, ""]);
  assert.equal(call?.headers.authorization, `Bearer ${await client.accessToken()}`);
  assert.equal(call.headers.accept, "application/json");
  assert.equal(call.headers["content-type"], undefined);
  assert.match(call.headers["user-agent"] ?? "", /^scm-auth\/\d/);
  assert.equal(mints(server), 1);
});

test("a body is sent as JSON, null and false too", async (t) => {
  const { server, session } = await serve(t, fine);
  for (const body of [{ name: "é" }, [], null, false, ""]) await session.request("POST", PATH, { body });
  assert.deepEqual(
    calls(server).map(({ headers, body }) => [headers["content-type"], JSON.parse(body) as unknown]),
    [{ name: "é" }, [], null, false, ""].map((body) => ["application/json", body]),
  );
});

test("headers of the caller's are sent, but none takes the token's place", async (t) => {
  const { server, client, session } = await serve(t, fine);
  await session.request("POST", PATH, {
    body: {},
    headers: { Authorization: "Bearer other", "X-Own": "1", "Content-Type": "application/merge-patch+json" },
  });
  const headers = calls(server)[0]?.headers;
  assert.equal(headers?.authorization, `Bearer ${await client.accessToken()}`);
  assert.deepEqual([headers["x-own"], headers["content-type"]], ["1", "application/merge-patch+json"]);
});

test("values of a query are written as URLs want them: lists repeated, undefined left out, the path's own kept", async (t) => {
  const { server, session } = await serve(t, fine);
  const query = { folder: "All & more", name: ["a", "b"], limit: 5, exact: false, none: undefined, empty: [] };
  await session.request("GET", `${PATH}?own=1`, { query });
  const sent = new URL(calls(server)[0]?.path ?? "", "http://x");
  assert.equal(sent.pathname, PATH);
  assert.deepEqual(
    [...sent.searchParams],
    [
      ["own", "1"],
      ["folder", "All & more"],
      ["name", "a"],
      ["name", "b"],
      ["limit", "5"],
      ["exact", "false"],
    ],
  );
});

const foreign: readonly ((port: number) => string)[] = [
  () => "//evil.test/",
  () => "\\\\evil.test/",
  () => "/\\evil.test/",
  () => "/\t/evil.test/",
  () => "https://evil.test/",
  (port) => `https://127.0.0.1:${port}/`,
  (port) => `http://localhost:${port}/`,
  (port) => `http://127.0.0.1:${port}0/`,
  (port) => `http://127.0.0.1:${port}@evil.test/`,
  (port) => `http://user:pass@127.0.0.1:${port}/`,
  (port) => `//user@127.0.0.1:${port}/`,
  () => "javascript:alert(1)",
  () => "file:///etc/passwd",
  () => "http://[",
];
test("the token goes to one origin only: any other is refused before a byte is sent", async (t) => {
  const { server, session } = await serve(t, fine);
  for (const write of foreign) {
    const path = write(server.port);
    const error = await failureOf(session.request("GET", path));
    assert.ok(AuthError.isAuthError(error), path);
    assert.deepEqual([error.kind, error.problems.map(({ field }) => field)], ["config", ["path"]], path);
  }
  assert.equal(server.requests.length, 0);
});

test("a whole URL on the API's origin is taken, as is a path without its slash", async (t) => {
  const { server, session } = await serve(t, fine);
  await session.request("GET", `${server.origin}${PATH}?a=1`);
  await session.request("GET", PATH.slice(1));
  // What looks like userinfo is a path here.
  await session.request("GET", "@evil.test");
  assert.deepEqual(
    calls(server).map(({ path }) => path),
    [`${PATH}?a=1`, PATH, "/@evil.test"],
  );
});

test("a redirect is not followed", async (t) => {
  const { server, session } = await serve(t, { status: 302, headers: { location: "/elsewhere" } });
  const error = await failureOf(session.request("GET", PATH));
  assert.ok(ApiError.isApiError(error));
  assert.deepEqual([error.status, calls(server).length], [302, 1]);
});

for (const method of ["GET", "POST"] as const) {
  test(`a 401 is answered with one refresh and one repeat: ${method}`, async (t) => {
    const { server, session } = await serve(t, [apiFailure(401), fine]);
    assert.deepEqual(await session.request(method, PATH, method === "POST" ? { body: { a: 1 } } : {}), { id: 1 });
    const [first, second] = calls(server);
    assert.equal(second?.body, first?.body);
    assert.notEqual(second?.headers.authorization, first?.headers.authorization);
    assert.deepEqual([calls(server).length, mints(server)], [2, 2]);
  });
}

test("a second 401 is the API's last word", async (t) => {
  const { server, session } = await serve(t, apiFailure(401));
  const error = await failureOf(session.request("GET", PATH));
  assert.ok(ApiError.isApiError(error));
  assert.deepEqual([error.status, calls(server).length, mints(server)], [401, 2, 2]);
});

test("a 401 for a token that has been replaced meanwhile is repeated without a refresh", async (t) => {
  let renew: () => Promise<void> = () => Promise.resolve();
  const { server, client, session } = await serve(t, [
    async () => {
      await renew();
      return apiFailure(401);
    },
    fine,
  ]);
  renew = () => client.refreshToken();
  assert.deepEqual(await session.request("GET", PATH), { id: 1 });
  assert.equal(mints(server), 2);
  assert.equal(calls(server)[1]?.headers.authorization, `Bearer ${await client.accessToken()}`);
});

test("many calls that get a 401 at once share one refresh", async (t) => {
  const { server, client, session } = await serve(t, ({ headers }) =>
    headers.authorization === `Bearer ${first}` ? apiFailure(401) : fine,
  );
  const first = await client.accessToken();
  await Promise.all(Array.from({ length: 20 }, () => session.request("GET", PATH)));
  assert.deepEqual([calls(server).length, mints(server)], [40, 2]);
});

/** Whether a call whose first answer is this one is repeated. */
const repeats: readonly (readonly [
  status: number,
  headers: Record<string, string>,
  idempotent: boolean,
  post: boolean,
])[] = [
  [408, {}, true, false],
  [429, {}, true, true],
  [500, {}, true, false],
  [502, {}, true, false],
  [503, {}, true, false],
  [503, { "retry-after": "0" }, true, true],
  [504, {}, true, false],
  [400, {}, false, false],
  [403, {}, false, false],
  [404, {}, false, false],
  [409, {}, false, false],
  [501, {}, false, false],
];
const METHODS: readonly HttpMethod[] = ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"];
for (const [status, headers, idempotent, post] of repeats) {
  const told = Object.keys(headers).join();
  test(`after a ${status} ${told} ${idempotent ? (post ? "every call is" : "all but POST and PATCH are") : "no call is"} repeated`, async (t) => {
    for (const method of METHODS) {
      const { server, session } = await serve(t, [apiFailure(status, headers), fine]);
      const repeated = method === "POST" || method === "PATCH" ? post : idempotent;
      const outcome = await session.request(method, PATH).then(
        () => "fine",
        (error: unknown) => (ApiError.isApiError(error) ? error.status : error),
      );
      assert.deepEqual([method, outcome, calls(server).length], [method, repeated ? "fine" : status, repeated ? 2 : 1]);
    }
  });
}

test("when all tries are used up, the API's own last answer is the error", async (t) => {
  const { server, session } = await serve(t, apiFailure(500), { maxRetries: 2 });
  const error = await failureOf(session.request("GET", PATH));
  assert.ok(error instanceof ApiError);
  assert.deepEqual([error.status, error.code, error.requestId, calls(server).length], [500, "E003", "r-1", 3]);
});

test("a Retry-After that ends after the time-out is not waited for", async (t) => {
  const { server, session } = await serve(t, apiFailure(429, { "retry-after": "3600" }));
  const error = await failureOf(session.request("GET", PATH));
  assert.ok(ApiError.isApiError(error));
  assert.deepEqual([error.status, calls(server).length], [429, 1]);
});

test("a call that broke off is repeated where it may have been carried out twice without harm", async (t) => {
  const broken: ScriptedAnswer = { ...fine, destroyAfterBytes: 3 };
  for (const method of ["GET", "PUT", "POST"] as const) {
    const { server, session } = await serve(t, [broken, fine]);
    const work = session.request(method, PATH);
    if (method !== "POST") assert.deepEqual(await work, { id: 1 });
    else await assert.rejects(work, { kind: "network", code: "body_cut", requestSent: true });
    assert.equal(calls(server).length, method === "POST" ? 1 : 2, method);
  }
});

test("a POST that got no connection was not sent, so it is repeated", async (t) => {
  const gone = await startScriptedServer({ token: fine, keys: fine });
  await gone.close();
  const waits: string[] = [];
  const { session } = await serve(t, fine, {
    apiUrl: gone.origin,
    maxRetries: 2,
    onEvent: (event) => {
      if (event.type === "wait") waits.push(event.request);
    },
  });
  await assert.rejects(session.request("POST", PATH), { code: "connection_refused", attempts: 3, requestSent: false });
  assert.deepEqual(waits, ["call to the SCM API", "call to the SCM API"]);
});

test("a POST whose connection broke before any answer may have been carried out, so it is not repeated", async (t) => {
  const { server, client } = await serve(t, fine);
  const proxy = await startChaosProxy(server.port, { resetAfter: 0 });
  t.after(proxy.close);
  const { tokenUrl, jwksUrl } = server;
  const far = new OAuth2Client(
    { clientId, clientSecret, tokenUrl, jwksUrl },
    { apiUrl: `http://127.0.0.1:${proxy.port}`, retryBackoff: 0.001 },
  );
  await assert.rejects(far.session.request("POST", PATH), { kind: "network", requestSent: true });
  assert.equal(proxy.connections.length, 1);
  assert.equal(client.isExpired, true, "the other client has nothing to do with it");
});

test("an error tells the API's own code, message, request id and details", async (t) => {
  const { session } = await serve(t, apiFailure(400));
  const error = await failureOf(session.request("GET", PATH));
  assert.ok(error instanceof ApiError && error instanceof Error && ApiError.isApiError(error));
  assert.equal(AuthError.isAuthError(error), false);
  assert.deepEqual(
    [error.name, error.status, error.code, error.requestId, error.details],
    ["ApiError", 400, "E003", "r-1", { why: ["a"] }],
  );
  assert.match(error.message, /^the API answered 400: E003: It is so\./);
});

test("an ApiError of another copy of the library is recognised", async () => {
  const url = new URL("../../../shared/client/api-error.ts?copy", import.meta.url);
  const copy = (await import(url.href)) as { readonly ApiError: typeof ApiError };
  const foreign = new copy.ApiError("no.", { status: 400 });
  assert.ok(!(foreign instanceof ApiError) && ApiError.isApiError(foreign));
  assert.ok(!ApiError.isApiError(new Error("no.")));
});

test("of several errors the first is told, and how many more there are", async (t) => {
  const one = { code: "A1", message: "One" };
  const { session } = await serve(t, { status: 400, body: { _errors: [one, { code: "B2" }, {}], _request_id: "r-2" } });
  const error = await failureOf(session.request("GET", PATH));
  assert.ok(error instanceof ApiError);
  assert.deepEqual([error.code, error.requestId], ["A1", "r-2"]);
  assert.match(error.message, /400: A1: One \(and 2 more\)/);
});

const oddFailures: readonly (readonly [what: string, body: string | object])[] = [
  ["HTML", "<html>::error::no</html>"],
  ["nothing", ""],
  ["JSON of another shape", { error: "x" }],
  ["an empty list of errors", { _errors: [] }],
  ["errors that are no objects", { _errors: [1] }],
  ["null", "null"],
];
for (const [what, body] of oddFailures) {
  test(`an error whose body is ${what} is an ApiError with the status alone`, async (t) => {
    const { session } = await serve(t, { status: 422, body });
    const error = await failureOf(session.request("GET", PATH));
    assert.ok(error instanceof ApiError);
    assert.deepEqual(
      [error.status, error.code, error.requestId, error.details],
      [422, undefined, undefined, undefined],
    );
    assert.equal(error.message, "the API answered 422.");
  });
}

test("what the API says is made printable", async (t) => {
  const message = "a\n::error::b\u001b[31m";
  const { session } = await serve(t, { status: 400, body: { _errors: [{ code: "x\ny", message }] } });
  const error = await failureOf(session.request("GET", PATH));
  assert.ok(error instanceof ApiError);

  assert.doesNotMatch(error.message, /[\u0000-\u001f]/);
});

test("an API that echoes the token does not bring it into the error", async (t) => {
  const opaque = "opaque-token-0123456789";
  const server = await startScriptedServer({
    token: { body: { access_token: opaque, token_type: "Bearer", expires_in: 899 } },
    keys: { status: 404 },
    other: ({ headers: { authorization = "" } }) => ({
      status: 400,
      body: { _errors: [{ code: "E003", message: `bad header: ${authorization}`, details: { authorization } }] },
    }),
  });
  t.after(server.close);
  const { session } = new OAuth2Client(
    { clientId, clientSecret, tokenUrl: server.tokenUrl },
    { apiUrl: server.origin, verify: false },
  );
  const error = await failureOf(session.request("GET", PATH));
  assert.ok(error instanceof ApiError);
  assertNoCanary([opaque], { error: inspect(error, { depth: Infinity, showHidden: true }) });
});

for (const body of ["<html></html>", '{"a":', "OK"]) {
  test(`a success whose body is no JSON is an ApiError with the status: ${body}`, async (t) => {
    const { session } = await serve(t, { body });
    const error = await failureOf(session.request("GET", PATH));
    assert.ok(error instanceof ApiError);
    assert.equal(error.status, 200);
    assert.match(error.message, /no JSON/);
  });
}

test("an answer without a body gives undefined; null, false and 0 are JSON", async (t) => {
  for (const [answer, body] of [
    [{ status: 204 }, undefined],
    [{ status: 200, body: "" }, undefined],
    [{ body: "null" }, null],
    [{ body: "false" }, false],
    [{ body: "0" }, 0],
  ] as const) {
    const { session } = await serve(t, answer);
    assert.equal(await session.request("DELETE", PATH), body);
  }
  const { session } = await serve(t, { status: 200, headers: { "content-type": "text/html" } });
  assert.equal(await session.request("HEAD", PATH), undefined);
});

test("a signal ends a call that hangs, and one that was given too late causes no request", async (t) => {
  const abort = new AbortController();
  const { server, session } = await serve(t, () => {
    abort.abort();
    return { hang: true };
  });
  await assert.rejects(session.request("GET", PATH, { signal: abort.signal }), { kind: "aborted", code: "aborted" });
  await assert.rejects(session.request("GET", PATH, { signal: abort.signal }), { kind: "aborted" });
  assert.equal(calls(server).length, 1);
});

test("a signal that aborts between a 401 and the new token causes no sign-in", async (t) => {
  const abort = new AbortController();
  const { server, session } = await serve(t, apiFailure(401), {
    onEvent: (event) => {
      if (event.type === "answer" && event.status === 401) abort.abort();
    },
  });
  await assert.rejects(session.request("GET", PATH, { signal: abort.signal }), { kind: "aborted" });
  assert.deepEqual([mints(server), calls(server).length], [1, 1]);
});

test("a signal ends the wait for the new token after a 401", async (t) => {
  const abort = new AbortController();
  const server = await startScriptedServer({
    token: [
      freshToken,
      () => {
        abort.abort();
        return { hang: true };
      },
    ],
    keys: { body: { keys: [signer.jwk] } },
    other: apiFailure(401),
  });
  t.after(server.close);
  const { tokenUrl, jwksUrl, origin } = server;
  const { session } = new OAuth2Client(
    { clientId, clientSecret, tokenUrl, jwksUrl },
    { apiUrl: origin, timeout: 1, maxRetries: 0 },
  );
  await assert.rejects(session.request("GET", PATH, { signal: abort.signal }), { kind: "aborted" });
});

/** Serves `all` in pages as the SCM API does. */
const paged =
  (all: readonly number[], { total = true, limit = 3 } = {}): Script =>
  ({ path }) => {
    const { searchParams } = new URL(path, "http://x");
    const offset = Number(searchParams.get("offset") ?? 0);
    const size = Number(searchParams.get("limit") ?? limit);
    const data = all.slice(offset, offset + size);
    return { body: { data, offset, limit: size, ...(total && { total: all.length }) } };
  };

const offsets = (server: ScriptedServer) =>
  calls(server).map(({ path }) => new URL(path, "http://x").searchParams.get("offset"));

async function collect(items: AsyncIterable<unknown>): Promise<readonly unknown[]> {
  const all: unknown[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const lists: readonly (readonly [
  what: string,
  script: Script,
  query: Record<string, number>,
  items: readonly unknown[],
  offsets: readonly (string | null)[],
])[] = [
  ["pages up to the total", paged([1, 2, 3, 4, 5, 6, 7]), {}, [1, 2, 3, 4, 5, 6, 7], [null, "3", "6"]],
  ["pages that end with a full one", paged([1, 2, 3, 4, 5, 6]), {}, [1, 2, 3, 4, 5, 6], [null, "3"]],
  ["one page", paged([1, 2]), {}, [1, 2], [null]],
  ["nothing", paged([]), {}, [], [null]],
  ["pages of the caller's size", paged([1, 2, 3]), { limit: 2 }, [1, 2, 3], [null, "2"]],
  ["what follows the caller's offset", paged([1, 2, 3, 4, 5]), { offset: 1, limit: 2 }, [2, 3, 4, 5], ["1", "3"]],
  ["pages without a total, up to an empty one", paged([1, 2, 3, 4], { total: false }), {}, [1, 2, 3, 4], [null, "3", "4"]],
  ["a bare array", { body: [1, 2] }, {}, [1, 2], [null]],
  ["fewer than the total says, up to an empty page", [{ body: { data: [1], total: 9 } }, { body: { data: [], total: 9 } }], {}, [1], [null, "1"]],
]; // prettier-ignore
for (const [what, script, query, items, asked] of lists) {
  test(`a list walks ${what}`, async (t) => {
    const { server, session } = await serve(t, script);
    assert.deepEqual(await collect(session.list(PATH, { query: { folder: "All", ...query } })), items);
    assert.deepEqual(offsets(server), asked);
    assert.ok(calls(server).every(({ path }) => path.includes("folder=All")));
  });
}

/** A server that gives the same page whatever is asked. */
const deaf = (data: readonly unknown[], total?: number): Script => ({ body: { data, offset: 0, limit: 3, total } });

const endless: readonly (readonly [what: string, script: Script, items: readonly unknown[], calls: number])[] = [
  ["always the same page and no total", deaf([1, 2, 3]), [1, 2, 3], 2],
  ["always the same page and a total that is more", deaf([1, 2, 3], 7), [1, 2, 3], 2],
  ["the same page with the offset asked for beside it", ({ path }) => ({
    body: { data: [1, 2], offset: Number(new URL(path, "http://x").searchParams.get("offset")), total: 9 },
  }), [1, 2], 2],
  ["pages that come round", ({ n }) => ({ body: { data: [[1], [2], [3]][n % 3] } }), [1, 2, 3], 4],
]; // prettier-ignore
for (const [what, script, items, asked] of endless) {
  test(`a list ends with an error where the server gives ${what}`, async (t) => {
    const { server, session } = await serve(t, script);
    const got: unknown[] = [];
    const error = await failureOf(
      (async () => {
        for await (const item of session.list(PATH)) {
          got.push(item);
          assert.ok(got.length < 50, "it goes on for ever");
        }
      })(),
    );
    assert.ok(error instanceof ApiError);
    assert.equal(error.status, 200);
    assert.match(error.message, /does not heed the offset/);
    assert.deepEqual([got, calls(server).length], [items, asked]);
  });
}

test("a server that gives everything at once, whatever is asked, is taken at its total", async (t) => {
  const { server, session } = await serve(t, deaf([1, 2, 3], 3));
  assert.deepEqual(await collect(session.list(PATH)), [1, 2, 3]);
  assert.equal(calls(server).length, 1);
});

test("items that are alike are no page twice, as long as the pages differ", async (t) => {
  const { session } = await serve(t, paged([1, 1, 1, 1, 1]));
  assert.deepEqual(await collect(session.list(PATH)), [1, 1, 1, 1, 1]);
});

test("a list asks for a page when its first item is wanted, not before", async (t) => {
  const { server, session } = await serve(t, paged([1, 2, 3, 4]));
  const items = session.list<number>(PATH);
  assert.equal(server.requests.length, 0);
  for await (const item of items) if (item === 3) break;
  assert.equal(calls(server).length, 1);
});

test("what is no list is an ApiError, and so is a page that fails", async (t) => {
  for (const body of [{ id: 1 }, { data: {} }, "null", "7"]) {
    const { session } = await serve(t, { body });
    assert.ok((await failureOf(collect(session.list(PATH)))) instanceof ApiError);
  }
  const { session } = await serve(t, [{ body: { data: [1], total: 2 } }, apiFailure(403)]);
  const error = await failureOf(collect(session.list(PATH)));
  assert.ok(error instanceof ApiError);
  assert.equal(error.status, 403);
});
