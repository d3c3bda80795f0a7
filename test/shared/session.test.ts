import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { ApiError, AuthError, OAuth2Client, type HttpMethod } from "../../shared/index.ts";
import {
  createClient,
  createMovableClock,
  forbidUnhandledRejections,
  getAuthError,
  getError,
  startScm,
  startScripted,
  tls,
  tokenResponse,
  type TestClientOptions,
} from "../support/client-fixtures.ts";
import { startChaosProxy } from "../support/chaos-proxy.ts";
import { waitUntil } from "../support/poll.ts";
import { ADDRESSES_PATH, type Item } from "../support/scm-api.ts";
import {
  startScriptedServer,
  type Script,
  type ScriptedResponse,
  type ScriptedServer,
} from "../support/scripted-server.ts";

forbidUnhandledRejections();

const PATH = "/config/objects/v1/tags";
const ok: ScriptedResponse = { body: { id: 1 } };
const METHODS: readonly HttpMethod[] = ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"];
const failure = (status: number, headers = {}): ScriptedResponse => ({
  status,
  headers,
  body: { _errors: [{ code: "E003", message: "It is so.", details: { why: ["a"] } }], _request_id: "r-1" },
});

async function setUp(t: TestContext, other: Script, options: TestClientOptions = {}) {
  const { server, request } = await startScripted(t, { other });
  const client = createClient(request, { apiUrl: server.origin, retryBackoff: 0.001, timeout: 5, ...options });
  return { server, client, session: client.session };
}
const calls = (server: ScriptedServer) => server.requestsTo("other");
const countTokens = (server: ScriptedServer): number => server.requestsTo("token").length;
const getApiError = async (work: Promise<unknown>): Promise<ApiError> => {
  const error = await getError(work);
  assert.ok(error instanceof ApiError && ApiError.isApiError(error) && !AuthError.isAuthError(error), String(error));
  return error;
};

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
  const { status, code, requestId } = await getApiError(session.request("GET", PATH));
  assert.deepEqual([status, code, requestId, calls(server).length], [500, "E003", "r-1", 3]);
  const limited = await setUp(t, failure(429, { "retry-after": "3600" }));
  assert.equal((await getApiError(limited.session.request("GET", PATH))).status, 429);
  assert.equal(calls(limited.server).length, 1);
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
  assert.equal((await getAuthError(small.session.request("GET", PATH))).code, "response_too_large");
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

/** Serves `all` in pages as the SCM API does. */
const paged =
  (all: readonly unknown[], { total = true, limit = 3 } = {}): Script =>
  ({ path }) => {
    const { searchParams } = new URL(path, "http://x");
    const offset = Number(searchParams.get("offset") ?? 0);
    const size = Number(searchParams.get("limit") ?? limit);
    return {
      body: { data: all.slice(offset, offset + size), offset, limit: size, ...(total && { total: all.length }) },
    };
  };
const collect = async (items: AsyncIterable<unknown>, into: unknown[] = []): Promise<readonly unknown[]> => {
  for await (const item of items) if (into.push(item) > 50) assert.fail("an endless list");
  return into;
};
const page = (data: readonly unknown[], total?: number): ScriptedResponse => ({ body: { data, total } });

type ListRow = readonly [
  what: string,
  script: Script,
  query: Record<string, number>,
  items: readonly unknown[],
  offsets: readonly (string | null)[],
];
const LISTS: readonly ListRow[] = [
  ["pages up to the total", paged([1, 2, 3, 4, 5, 6, 7]), {}, [1, 2, 3, 4, 5, 6, 7], [null, "3", "6"]],
  ["pages if the last page is full", paged([1, 2, 3, 4, 5, 6]), {}, [1, 2, 3, 4, 5, 6], [null, "3"]],
  ["a single page", paged([1, 2]), {}, [1, 2], [null]],
  ["an empty list", paged([]), {}, [], [null]],
  ["pages of the caller's size", paged([1, 2, 3]), { limit: 2 }, [1, 2, 3], [null, "2"]],
  ["items from the caller's offset", paged([1, 2, 3, 4, 5]), { offset: 1, limit: 2 }, [2, 3, 4, 5], ["1", "3"]],
  ["pages without a total", paged([1, 2, 3, 4], { total: false }), {}, [1, 2, 3, 4], [null, "3", "4"]],
  ["pages with identical items", paged([1, 1, 1, 1, 1]), {}, [1, 1, 1, 1, 1], [null, "3"]],
  ["a bare array", { body: [1, 2] }, {}, [1, 2], [null]],
  ["fewer items than the total", [page([1], 9), page([], 9)], {}, [1], [null, "1"]],
  ["all items in one response", page([1, 2, 3], 3), {}, [1, 2, 3], [null]],
];
for (const [what, script, query, items, offsets] of LISTS)
  test(`iterates over ${what} in a list`, async (t) => {
    const { server, session } = await setUp(t, script);
    assert.deepEqual(await collect(session.list(PATH, { query: { folder: "All", ...query } })), items);
    const sent = calls(server).map(({ path }) => new URL(path, "http://x").searchParams);
    assert.deepEqual(
      sent.map((params) => params.get("offset")),
      offsets,
    );
    assert.ok(sent.every((params) => params.getAll("folder").join() === "All"));
  });

test("fails if the server ignores the offset of a list, with or without a total", async (t) => {
  const sameOffset: Script = ({ n }) => ({ body: { data: [n], offset: 0, total: 9 } });
  for (const [script, items] of [
    [page([1, 2, 3]), [1, 2, 3]],
    [page([1, 2, 3], 7), [1, 2, 3]],
    [sameOffset, [0]],
  ] as const) {
    const { server, session } = await setUp(t, script);
    const received: unknown[] = [];
    const error = await getApiError(collect(session.list(PATH), received));
    assert.match(error.message, /same page twice/);
    assert.deepEqual([received, calls(server).length], [items, 2]);
  }
});

test("requests a page of a list only when its first item is needed", async (t) => {
  const { server, session } = await setUp(t, paged([1, 2, 3, 4]));
  const items = session.list<number>(PATH);
  assert.equal(server.requests.length, 0);
  for await (const item of items) if (item === 3) break;
  assert.equal(calls(server).length, 1);
});

test("iterates over 10,000 objects in pages of up to 5 MB, and holds only the current page in memory", async (t) => {
  const addresses = Array.from({ length: 10_000 }, (_, n) => ({
    ...{ id: randomUUID(), name: `host-${n}`, folder: "All", snippet: "default", tag: ["production", "web"] },
    ...{ ip_netmask: `10.0.${n >> 8}.${n & 255}/32`, description: "A host. ".repeat(100) },
  }));
  const { server, request } = await startScm(t, { addresses });
  const { session } = createClient(request, { apiUrl: server.apiUrl });
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  for (const limit of [200, 2500, 5000]) {
    const items: WeakRef<object>[] = [];
    for await (const item of session.list<Item>(ADDRESSES_PATH, { query: { folder: "All", limit } })) {
      if (items.length % Math.max(limit, 1000) === 0) {
        // A WeakRef keeps its object in memory until the current job ends.
        await delay(0);
        collectGarbage();
        const held = items.filter((reference) => reference.deref() !== undefined).length;
        assert.ok(held < limit / 10, `${held} of ${items.length} items of earlier pages are in memory`);
      }
      assert.equal(item.id, addresses[items.length]?.id);
      items.push(new WeakRef(item));
    }
    assert.equal(items.length, 10_000);
    const pages = server.requests.filter(({ path }) => path.includes(`limit=${limit}`));
    assert.equal(pages.length, 10_000 / limit);
  }
});

test("throws an ApiError if a response is not a list or a page fails", async (t) => {
  for (const body of [{ id: 1 }, { data: {} }, "null", "7"]) {
    const { session } = await setUp(t, { body });
    assert.match((await getApiError(collect(session.list(PATH)))).message, /is not a list/);
  }
  const { session } = await setUp(t, [page([1], 2), failure(403)]);
  assert.equal((await getApiError(collect(session.list(PATH)))).status, 403);
});

/** Starts an API over TLS that records the connection of each request. `act` decides how the n-th request ends. */
async function countConnections(t: TestContext, act: (n: number) => "respond" | "reset" | "hang" = () => "respond") {
  const sockets: Socket[] = [];
  const connections: number[] = [];
  const server = createServer({ cert: tls.cert, key: tls.key, keepAliveTimeout: 60_000 }, (request, response) => {
    const { socket } = request;
    if (!sockets.includes(socket)) sockets.push(socket);
    const action = act(connections.push(sockets.indexOf(socket)) - 1);
    request.resume().on("end", () => {
      if (action === "respond") response.setHeader("content-length", 8).end('{"id":1}');
      else if (action === "reset") socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { request } = await startScripted(t, { token: tokenResponse(), secure: true });
  const apiUrl = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { session } = await OAuth2Client.connect(request, { apiUrl, maxRetries: 0 });
  return { session, sockets, connections };
}

test("reuses one connection for idempotent requests, and opens a new one for each other request", async (t) => {
  const { session, connections } = await countConnections(t);
  for (const method of ["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"] as const) await session.request(method, "/x");
  assert.deepEqual(connections, [0, 0, 1, 0, 2, 0]);
});

test("opens a new connection, without failing the request, if the reused connection was closed in the meantime", async (t) => {
  const { session, connections } = await countConnections(t, (n) => (n === 1 ? "reset" : "respond"));
  await session.request("GET", "/x");
  assert.deepEqual(await session.request("GET", "/x"), { id: 1 });
  assert.deepEqual(connections, [0, 0, 1]);
});

test("closes an aborted request's connection and keeps other requests' connections open", async (t) => {
  const { session, connections, sockets } = await countConnections(t, (n) => (n === 1 ? "hang" : "respond"));
  await session.request("GET", "/x");
  const abort = new AbortController();
  const hanging = session.request("GET", "/x", { signal: abort.signal });
  await waitUntil("the second request arrives", () => connections.length === 2);
  await session.request("GET", "/x");
  abort.abort();
  assert.equal((await getAuthError(hanging)).code, "aborted");
  await waitUntil("the connection is closed", () => sockets[0]?.destroyed === true);
  await session.request("GET", "/x");
  assert.deepEqual([connections, sockets[1]?.destroyed], [[0, 0, 1, 1], false]);
});

test("closes an idle connection after a few seconds", async (t) => {
  const { session, sockets } = await countConnections(t);
  await session.request("GET", "/x");
  await delay(1000);
  assert.equal(sockets[0]?.destroyed, false);
  await waitUntil("the connection is closed", () => sockets[0]?.destroyed === true, 40_000);
});
