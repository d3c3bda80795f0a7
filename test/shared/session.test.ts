import assert from "node:assert/strict";
import { test } from "node:test";

import { STATUS_HINTS } from "../../shared/api-error.ts";
import { ApiError, type HttpMethod } from "../../shared/index.ts";
import {
  createClient,
  createMovableClock,
  forbidUnhandledRejections,
  getAuthError,
  startScripted,
} from "../support/client-fixtures.ts";
import { startChaosProxy } from "../support/chaos-proxy.ts";
import {
  startScriptedServer,
  type Script,
  type ScriptedResponse,
  type ScriptedServer,
} from "../support/scripted-server.ts";
import { calls, getApiError, PATH, setUp } from "../support/session-fixtures.ts";

forbidUnhandledRejections();

const ok: ScriptedResponse = { body: { id: 1 } };
const METHODS: readonly HttpMethod[] = ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"];
const failure = (status: number, headers = {}): ScriptedResponse => ({
  status,
  headers,
  body: { _errors: [{ code: "E003", message: "It is so.", details: { why: ["a"] } }], _request_id: "r-1" },
});
const countTokens = (server: ScriptedServer): number => server.requestsTo("token").length;

test("sends a request to the API with the client's token, and returns the JSON response", async (t) => {
  const { server, client, session } = await setUp(t, ok);
  assert.deepEqual(await session.request("GET", PATH), { id: 1 });
  const { method, path, body, headers } = calls(server)[0] ?? assert.fail();
  assert.deepEqual([method, path, body], ["GET", PATH, ""]);
  assert.equal(headers.authorization, `Bearer ${await client.accessToken()}`);
  assert.deepEqual([headers.accept, headers["content-type"]], ["application/json", undefined]);
  assert.match(headers["user-agent"] ?? "", /^scm-auth\/\d/);
  assert.equal(countTokens(server), 1);
});

test("sends a body as JSON with the caller's headers", async (t) => {
  const { server, session } = await setUp(t, ok);
  const bodies = [{ name: "é" }, [], null, false, ""];
  for (const body of bodies) await session.request("POST", PATH, { body });
  await session.request("PATCH", PATH, {
    body: {},
    headers: { "X-Own": "1", "Content-Type": "application/merge-patch+json", "User-Agent": "own/1" },
  });
  const sent = calls(server).map(({ headers, body }) => [headers["content-type"], JSON.parse(body)] as const);
  assert.deepEqual(sent, [...bodies.map((body) => ["application/json", body]), ["application/merge-patch+json", {}]]);
  const { headers } = calls(server).at(-1) ?? assert.fail();
  assert.deepEqual([headers["x-own"], headers["user-agent"]], ["1", "own/1"]);
});

test("encodes query parameters, repeats those that are lists, omits undefined ones, and keeps those in the path", async (t) => {
  const { server, session } = await setUp(t, ok);
  const query = { folder: "All & more", name: ["a", "b"], limit: 5, exact: false, none: undefined, empty: [] };
  await session.request("GET", `${PATH}?own=1`, { query });
  await session.request("GET", PATH, { query: new URLSearchParams("a=1&a=2") });
  assert.deepEqual(
    calls(server).map(({ path }) => path),
    [`${PATH}?own=1&folder=All+%26+more&name=a&name=b&limit=5&exact=false`, `${PATH}?a=1&a=2`],
  );
});

const INVALID_OPTIONS: readonly (readonly [options: object, field: string, hint: RegExp])[] = [
  [{ params: { a: 1 } }, "params", /Use query/],
  [{ json: { a: 1 } }, "json", /Use body/],
  [{ timeout: 5 }, "timeout", /Valid names: body, query, headers, signal/],
  [{ query: "a=1" }, "query", /object/],
  [{ query: { a: { b: 1 } } }, "query", /object/],
  [{ body: new FormData() }, "body", /JSON/],
  [{ body: new URLSearchParams() }, "body", /JSON/],
  [{ body: Buffer.from("a") }, "body", /JSON/],
  [{ body: () => 1 }, "body", /JSON/],
  [{ headers: new Headers({ a: "1" }) }, "headers", /object/],
  [{ headers: { a: 1 } }, "headers", /object/],
  [{ headers: { "a b": "1" } }, "headers", /HTTP/],
  [{ headers: { a: "1\n2" } }, "headers", /HTTP/],
  [{ headers: { Host: "evil.test" } }, "headers", /Remove Host/],
  [{ headers: { "transfer-encoding": "chunked" } }, "headers", /Remove transfer-encoding/],
  [{ headers: { "Content-Length": "1" } }, "headers", /Remove Content-Length/],
  [{ headers: { "accept-encoding": "gzip" } }, "headers", /Remove accept-encoding/],
  [{ headers: { connection: "close" } }, "headers", /Remove connection/],
  [{ headers: { Authorization: "Bearer other" } }, "headers", /Remove Authorization/],
  [{ signal: {} }, "signal", /AbortSignal/],
];
test("reports invalid options as config errors that suggest the correct option, and sends no request", async (t) => {
  const { server, session } = await setUp(t, ok);
  for (const [options, field, hint] of INVALID_OPTIONS)
    for (const work of [session.request("POST", PATH, options), session.list(PATH, options).next()]) {
      const error = await getAuthError(work);
      assert.deepEqual([error.kind, error.issues.map((issue) => issue.field)], ["config", [field]]);
      assert.match(error.hint, hint);
    }
  assert.equal(server.requests.length, 0);
});

const OTHER_ORIGINS: readonly ((port: number) => string)[] = [
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
test("reports a method or a path that is not valid, for example in the order of fetch, as config errors", async (t) => {
  const { server, session } = await setUp(t, ok);
  const fields = async (...args: readonly unknown[]) =>
    (await getAuthError(session.send(...(args as Parameters<typeof session.send>)))).issues.map(({ field }) => field);
  assert.deepEqual(await fields(PATH), ["method", "path"]);
  assert.deepEqual(await fields("get", PATH, { json: 1 }), ["method", "json"]);
  assert.equal(server.requests.length, 0);
});

test("sends the token only to the origin of the API", async (t) => {
  const { server, session } = await setUp(t, ok);
  for (const getPath of OTHER_ORIGINS) {
    const error = await getAuthError(session.request("GET", getPath(server.port)));
    assert.deepEqual([error.kind, error.issues.map(({ field }) => field)], ["config", ["path"]]);
  }
  assert.equal(server.requests.length, 0);
  for (const path of [`${server.origin}${PATH}?a=1`, PATH.slice(1), "@evil.test"]) await session.request("GET", path);
  assert.deepEqual(
    calls(server).map(({ path }) => path),
    [`${PATH}?a=1`, PATH, "/@evil.test"],
  );
});

test("does not follow a redirect", async (t) => {
  const { server, session } = await setUp(t, { status: 302, headers: { location: "https://evil.test/" } });
  assert.equal((await getApiError(session.request("GET", PATH))).status, 302);
  assert.equal(calls(server).length, 1);
});

for (const method of ["GET", "POST"] as const)
  test(`refreshes the token and repeats a ${method} request once after a 401`, async (t) => {
    const { clock, age } = createMovableClock();
    const { server, client, session } = await setUp(t, [failure(401), ok, failure(401)], { clock });
    await client.accessToken();
    age(60_000);
    assert.deepEqual(await session.request(method, PATH, method === "POST" ? { body: { a: 1 } } : {}), { id: 1 });
    const [first, second] = calls(server);
    assert.equal(second?.body, first?.body);
    assert.notEqual(second?.headers.authorization, first?.headers.authorization);
    age(60_000);
    assert.equal((await getApiError(session.request(method, PATH))).status, 401);
    assert.deepEqual([calls(server).length, countTokens(server)], [4, 3]);
  });

test("does not request a token for every call if the API rejects every token with 401", async (t) => {
  const { clock, age } = createMovableClock();
  const { server, session } = await setUp(t, failure(401), { clock });
  for (let call = 0; call < 12; call++) {
    assert.equal((await getApiError(session.request("GET", PATH))).status, 401);
    age(1000);
  }
  assert.equal(countTokens(server), 2);
});

test("repeats a request without a refresh if its token was replaced before the 401", async (t) => {
  let refresh: () => Promise<void> = () => Promise.resolve();
  const { server, client, session } = await setUp(t, [
    async () => {
      await refresh();
      return failure(401);
    },
    ok,
  ]);
  refresh = () => client.refreshToken();
  assert.deepEqual(await session.request("GET", PATH), { id: 1 });
  assert.equal(countTokens(server), 2);
  assert.equal(calls(server)[1]?.headers.authorization, `Bearer ${await client.accessToken()}`);
});

test("shares one refresh among concurrent requests that receive a 401", async (t) => {
  const { clock, age } = createMovableClock();
  const { server, client, session } = await setUp(
    t,
    ({ headers }) => (headers.authorization === `Bearer ${first}` ? failure(401) : ok),
    { clock },
  );
  const first = await client.accessToken();
  age(60_000);
  await Promise.all(Array.from({ length: 20 }, () => session.request("GET", PATH)));
  assert.deepEqual([calls(server).length, countTokens(server)], [40, 2]);
});

type RetryRow = readonly [status: number, headers: Record<string, string>, idempotent: boolean, others: boolean];
const RETRIES: readonly RetryRow[] = [
  [408, {}, true, false],
  [429, {}, true, true],
  [500, {}, true, false],
  [502, {}, true, false],
  [503, {}, true, false],
  [503, { "retry-after": "0" }, true, true],
  [504, {}, true, false],
  [400, {}, false, false],
  [404, {}, false, false],
  [501, {}, false, false],
];
for (const [status, headers, idempotent, others] of RETRIES)
  test(`retries ${idempotent ? (others ? "all" : "only idempotent") : "no"} methods after a ${[status, ...Object.keys(headers)].join(" with ")}`, async (t) => {
    for (const method of METHODS) {
      const { server, session } = await setUp(t, [failure(status, headers), ok]);
      const isRetried = method === "POST" || method === "PATCH" ? others : idempotent;
      if (isRetried) await session.request(method, PATH);
      else assert.equal((await getApiError(session.request(method, PATH))).status, status);
      assert.equal(calls(server).length, isRetried ? 2 : 1, method);
    }
  });

test("reports the API's last response as the error after the last attempt", async (t) => {
  const { server, session } = await setUp(t, failure(500), { maxRetries: 2 });
  const { status, code, requestId, retryable, retryAfterMs } = await getApiError(session.request("GET", PATH));
  assert.deepEqual([status, code, requestId, calls(server).length], [500, "E003", "r-1", 3]);
  assert.deepEqual([retryable, retryAfterMs], [true, undefined]);
  const limited = await setUp(t, failure(429, { "retry-after": "3600" }));
  const error = await getApiError(limited.session.request("GET", PATH));
  assert.deepEqual([error.status, error.retryable, error.retryAfterMs], [429, true, 3_600_000]);
  assert.equal(calls(limited.server).length, 1);
});

test("emits retry events with the number of the attempt, and with the hint and the link for the API's status", async (t) => {
  const failures: unknown[] = [];
  const { session } = await setUp(t, [failure(429), failure(503), ok], {
    onEvent: (event) => {
      if (event.type !== "retry") return;
      const { code, attempts, hint, docs } = event.error;
      failures.push([code, attempts, hint, docs.split("#")[1]]);
    },
  });
  await session.request("GET", PATH);
  assert.deepEqual(failures, [
    ["rate_limited", 1, STATUS_HINTS[429], "api_429"],
    ["server_error", 2, STATUS_HINTS["5xx"], "api_5xx"],
  ]);
});

test("retries a truncated response only for idempotent methods", async (t) => {
  for (const method of ["GET", "PUT", "POST"] as const) {
    const { server, session } = await setUp(t, [{ ...ok, destroyAfterBytes: 3 }, ok]);
    const work = session.request(method, PATH);
    if (method !== "POST") assert.deepEqual(await work, { id: 1 });
    else assert.deepEqual((await getAuthError(work)).requestSent, true);
    assert.equal(calls(server).length, method === "POST" ? 1 : 2);
  }
});

test("retries a POST request if it was not sent, but not if its connection was reset", async (t) => {
  const closed = await startScriptedServer({ token: ok, jwks: ok });
  await closed.close();
  const retried: string[] = [];
  const { server, session, client } = await setUp(t, ok, {
    apiUrl: closed.origin,
    maxRetries: 2,
    onEvent: (event) => {
      if (event.type === "retry") retried.push(event.request);
    },
  });
  const { code, attempts, requestSent } = await getAuthError(session.request("POST", PATH));
  assert.deepEqual([code, attempts, requestSent, retried], ["connection_refused", 3, false, ["api", "api"]]);
  const proxy = await startChaosProxy(server.port, { resetAfter: 0 });
  t.after(proxy.close);
  const reset = createClient(client.authRequest, { apiUrl: `http://127.0.0.1:${proxy.port}`, retryBackoff: 0.001 });
  const error = await getAuthError(reset.session.request("POST", PATH));
  assert.deepEqual([error.kind, error.requestSent, proxy.connections.length], ["network", true, 1]);
});

const one = { code: "A1", message: "One." };
type ErrorRow = readonly [body: string | object, message: string, facts?: object];
const ERRORS: readonly ErrorRow[] = [
  [failure(1).body ?? "", ": E003: It is so", { code: "E003", requestId: "r-1", details: { why: ["a"] } }],
  [
    { _errors: [one, { code: "B2" }, {}], _request_id: "r-2" },
    ": A1: One (and 2 more)",
    { code: "A1", requestId: "r-2" },
  ],
  [{ _errors: [{ message: "Bad a.b." }] }, ": Bad a.b"],
  [{ _errors: [{ code: "x\ny", message: "a\n::error::b\u001b[31m" }] }, ": x y: a : :error: :b [31m", { code: "x y" }],
  ["<html>::error::no</html>", ""],
  ["", ""],
  [{ error: "x" }, ""],
  [{ _errors: [] }, ""],
  [{ _errors: [1] }, ""],
  [`{"_errors":[{"code":"D4","details":${"[".repeat(100_000)}${"]".repeat(100_000)}}]}`, ": D4", { code: "D4" }],
  ["null", ""],
];
for (const [body, message, facts = {}] of ERRORS)
  test(`reports an error response ${JSON.stringify(body).slice(0, 50)} as an ApiError`, async (t) => {
    const { session } = await setUp(t, { status: 422, body });
    const error = await getApiError(session.request("GET", PATH));
    const { code, requestId, details } = error;
    assert.match(error.hint, /Fix the request/);
    assert.equal(error.message, `the API responded with status 422${message}.`);
    assert.deepEqual(
      { status: error.status, code, requestId, details },
      { status: 422, code: undefined, requestId: undefined, details: undefined, ...facts },
    );
  });

test("has a hint for each status, which the constructor can override", () => {
  const hints = [302, 401, 403, 404, 409, 418, 429, 500].map((status) => new ApiError("no.", { status }).hint);
  for (const hint of hints) assert.match(hint, /^[A-Z].*\.$/);
  assert.equal(new Set(hints).size, hints.length);
  assert.equal(new ApiError("no.", { status: 400, hint: "Do this." }).hint, "Do this.");
});

test("recognizes an ApiError created by another copy of the package", async () => {
  const url = new URL("../../shared/api-error.ts?copy", import.meta.url);
  const copy = (await import(url.href)) as { readonly ApiError: typeof ApiError };
  const error = new copy.ApiError("no.", { status: 400 });
  assert.ok(!(error instanceof ApiError) && ApiError.isApiError(error) && !ApiError.isApiError(new Error("no.")));
});

const BODIES: readonly (readonly [response: ScriptedResponse, value: unknown])[] = [
  [{ status: 204 }, undefined],
  [{ status: 200, body: "" }, undefined],
  [{ body: "null" }, null],
  [{ body: "false" }, false],
  [{ status: 299, body: "0" }, 0],
];
test("returns undefined for a successful response without a body, and throws an ApiError for other non-JSON bodies", async (t) => {
  for (const [response, value] of BODIES) {
    const { session } = await setUp(t, response);
    assert.equal(await session.request("DELETE", PATH), value);
  }
  const html = await setUp(t, { headers: { "content-type": "text/html" } });
  assert.equal(await html.session.request("HEAD", PATH), undefined);
  for (const body of ["<html></html>", '{"a":', "OK"]) {
    const { session } = await setUp(t, { body });
    const error = await getApiError(session.request("GET", PATH));
    assert.equal(error.message, "the API responded with status 200 and a body that is not JSON.");
    assert.match(error.hint, /session\.send\(\)/);
  }
});

test("returns the status, headers, and bytes or text of any response from send", async (t) => {
  const bytes = Buffer.from([0xef, 0xbb, 0xbf, 0, 255]);
  const headers = { "content-type": "text/plain", etag: '"1"', "set-cookie": ["a=1", "b=2"] };
  const { server, session } = await setUp(t, [
    { status: 503 },
    { headers, body: "-----BEGIN é" },
    { status: 206, body: bytes },
    { status: 204 },
    failure(409),
    failure(401),
    { status: 304, headers: { etag: '"1"' } },
    { status: 999, body: "x" },
    { status: 101 },
  ]);
  const text = await session.send("GET", PATH, { query: { a: 1 } });
  assert.ok(text instanceof Response && text.ok);
  assert.deepEqual([text.status, text.headers.get("etag"), await text.text()], [200, '"1"', "-----BEGIN é"]);
  assert.deepEqual(text.headers.getSetCookie(), ["a=1", "b=2"]);
  const [{ path, headers: sent } = assert.fail()] = calls(server);
  assert.deepEqual([path, sent.accept], [`${PATH}?a=1`, "*/*"]);
  const partial = await session.send("GET", PATH);
  assert.deepEqual([partial.status, Buffer.from(await partial.arrayBuffer())], [206, bytes]);
  const empty = await session.send("DELETE", PATH);
  assert.deepEqual([empty.status, await empty.text()], [204, ""]);
  const conflict = await session.send("POST", PATH, { body: { a: 1 } });
  assert.deepEqual([conflict.ok, await conflict.json()], [false, failure(409).body]);
  assert.equal((await session.send("GET", PATH)).status, 401);
  assert.equal((await session.send("GET", PATH, { headers: { "if-none-match": '"1"' } })).status, 304);
  for (const status of [999, 101]) assert.equal((await getApiError(session.send("GET", PATH))).status, status);
});

test("accepts responses of several MiB up to maxResponseBytes", async (t) => {
  const data = Array.from({ length: 2500 }, (_, id) => ({ id, description: "x".repeat(1000) }));
  const { session, client, server } = await setUp(t, { body: { data, total: 2500 } });
  let count = 0;
  for await (const item of session.list<{ id: number }>(PATH)) assert.equal(item.id, count++);
  assert.equal(count, 2500);
  const small = createClient(client.authRequest, { apiUrl: server.origin, maxResponseBytes: 1_000_000 });
  const { code, hint } = await getAuthError(small.session.request("GET", PATH));
  assert.equal(code, "response_too_large");
  assert.match(hint, /smaller pages/);
});

test("aborts a request that hangs or waits for a token, and does not send one that has not started", async (t) => {
  const abort = new AbortController();
  const { server, session } = await setUp(t, () => {
    abort.abort("enough");
    return { hang: true };
  });
  for (let call = 0; call < 2; call++) {
    const error = await getAuthError(session.request("GET", PATH, { signal: abort.signal }));
    assert.deepEqual([error.code, error.cause], ["aborted", "enough"]);
  }
  assert.equal(calls(server).length, 1);

  const waiting = new AbortController();
  const hang: Script = () => {
    waiting.abort();
    return { hang: true };
  };
  const { server: silent, request } = await startScripted(t, { token: hang, other: ok });
  const client = createClient(request, { apiUrl: silent.origin });
  assert.equal((await getAuthError(client.session.request("GET", PATH, { signal: waiting.signal }))).code, "aborted");
  assert.equal(calls(silent).length, 0);
});

test("does not sign in if the signal is aborted between a 401 and the next token", async (t) => {
  const abort = new AbortController();
  const { clock, age } = createMovableClock();
  const { server, client, session } = await setUp(t, failure(401), {
    clock,
    onEvent: (event) => {
      if (event.type === "response" && event.status === 401) abort.abort();
    },
  });
  await client.accessToken();
  age(60_000);
  assert.equal((await getAuthError(session.request("GET", PATH, { signal: abort.signal }))).code, "aborted");
  assert.deepEqual([countTokens(server), calls(server).length], [1, 1]);
});
