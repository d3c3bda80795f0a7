import assert from "node:assert/strict";
import { test } from "node:test";

import { sleep } from "../../shared/clock.ts";
import { AuthError } from "../../shared/errors.ts";
import { createJwksRequest, JwksCache, parseJwksResponse, type SigningKey } from "../../shared/jwks.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { fc } from "../support/fuzzing.ts";

const parse = (body: unknown) =>
  parseJwksResponse({ status: 200, headers: {}, body: JSON.stringify(body), clockOffset: undefined }, (text) => text);

test("sends the JWKS request with headers that bypass caches", () => {
  const url = new URL("https://auth.scm.test/keys");
  const headers = { accept: "application/json", "cache-control": "no-cache" };
  assert.deepEqual(createJwksRequest(url), { method: "GET", url, headers });
});

/** Returns a modulus of the given number of bytes. */
const modulus = (bytes: number): string => Buffer.alloc(bytes, 0x81).toString("base64url");
const rsa = { kty: "RSA", n: modulus(256), e: "AQAB", kid: "1" };
const USABLE: readonly object[] = [
  rsa,
  { ...rsa, kid: undefined },
  { ...rsa, kid: "a/b=" },
  { ...rsa, use: "sig", alg: "RS256", key_ops: ["verify"] },
  { ...rsa, key_ops: ["sign", "verify"] },
  { ...rsa, n: modulus(1024) },
  { ...rsa, e: "Aw" },
];
const IGNORED: readonly unknown[] = [
  { ...rsa, use: "enc" },
  { ...rsa, alg: "RS512" },
  { ...rsa, alg: "none" },
  { ...rsa, key_ops: ["encrypt"] },
  { ...rsa, key_ops: [] },
  { ...rsa, kid: 1 },
  { ...rsa, n: undefined },
  { ...rsa, n: modulus(255) },
  { ...rsa, n: modulus(1025) },
  { ...rsa, e: 65537 },
  { ...rsa, e: "" },
  { ...rsa, e: "AA" },
  { ...rsa, e: "AQ" },
  { ...rsa, e: "AAE" },
  { ...rsa, e: "Ag" },
  { ...rsa, e: modulus(9) },
  { kty: "EC", crv: "P-256", x: "AQ", y: "AQ", kid: "1" },
  { kty: "oct", k: "AQ", kid: "1", alg: "HS256" },
  { kty: "rsa", n: "AQ", e: "AQAB" },
  null,
  "RSA",
  [],
];

test("returns the usable keys of a JWKS in order and ignores all others", () => {
  const keys = fc.shuffledSubarray([
    ...USABLE.map((key) => [key, true] as const),
    ...IGNORED.map((key) => [key, false] as const),
  ]);
  fc.assert(
    fc.property(keys, (mixed) => {
      const outcome = parse({ keys: mixed.map(([key]) => key), other: 1 });
      const usable = mixed.filter(([, isUsable]) => isUsable).map(([key]) => key as typeof rsa);
      if (usable.length === 0) assert.equal(outcome.type, "permanent");
      else
        assert.deepEqual(outcome, {
          type: "success",
          value: usable.map(({ kty, n, e, kid }) => ({ kty, n, e, kid })),
        });
    }),
  );
});

test("removes all members of a key that are not needed", () => {
  const outcome = parse({ keys: [{ ...rsa, d: "private", x5u: "https://evil.test", x5c: ["x"] }] });
  assert.ok(outcome.type === "success");
  assert.deepEqual(Object.keys(outcome.value[0] ?? {}), ["kty", "n", "e", "kid"]);
});

for (const body of [[], {}, { keys: {} }, { keys: "RSA" }, null, { keys: [] }, { keys: IGNORED }]) {
  test(`rejects ${JSON.stringify(body).slice(0, 30)} as invalid_jwks`, () => {
    const outcome = parse(body);
    assert.ok(outcome.type === "permanent");
    assert.deepEqual([outcome.error.code, outcome.error.kind], ["invalid_jwks", "protocol"]);
  });
}

const key = (kid: string): SigningKey => ({ kty: "RSA", n: "AQAB", e: "AQAB", kid });
const FAILURES = {
  network: new AuthError("no keys.", { kind: "network", code: "connection_refused" }),
  server: new AuthError("no keys.", { kind: "server", code: "server_error" }),
  protocol: new AuthError("no keys.", { kind: "protocol", code: "invalid_jwks" }),
  rejected: new AuthError("no keys.", { kind: "rejected", code: "http_error" }),
} as const;
const MINUTE = 60_000;

/** Creates a cache and a server that returns keys or fails. */
function createCache() {
  const clock = createFakeClock();
  const cache = new JwksCache(clock);
  const server: { keys: readonly SigningKey[] | Error; requests: number } = { keys: [key("a")], requests: 0 };
  const load = async (): Promise<readonly SigningKey[]> => {
    server.requests++;
    await Promise.resolve();
    if (server.keys instanceof Error) throw server.keys;
    return server.keys;
  };
  const toKids = (keys: readonly SigningKey[]) => keys.map(({ kid }) => kid);
  return {
    clock,
    server,
    lookup: () => cache.lookup(load),
    find: async (kid: string | undefined) => toKids(await cache.lookup(load).find(kid)),
    /** Finds the key of a newly issued token. */
    findNew: (kid: string, timeout: number, signal?: AbortSignal) =>
      clock.runUntil(
        cache
          .lookup(load, { deadline: clock.monotonic() + timeout, signal })
          .find(kid)
          .then(toKids),
      ),
  };
}

test("starts to load the keys before the kid is known", async () => {
  const { server, lookup } = createCache();
  const { ready } = lookup();
  assert.equal(server.requests, 1);
  await ready;
});

test("uses keys for ten minutes without a request, including time while suspended", async () => {
  const { clock, server, find } = createCache();
  await find("a");
  await clock.advance(5 * MINUTE);
  clock.suspend(5 * MINUTE - 1);
  assert.deepEqual(await find("a"), ["a"]);
  assert.equal(server.requests, 1);
  await clock.advance(1);
  await find("a");
  assert.equal(server.requests, 2);
});

test("returns all keys for a token without a kid", async () => {
  const { server, find } = createCache();
  server.keys = [key("a"), key("b")];
  assert.deepEqual(await find(undefined), ["a", "b"]);
});

test("reloads once for an unknown kid, even immediately after the first load", async () => {
  const { server, lookup, find } = createCache();
  const { ready, find: findInLookup } = lookup();
  await ready;
  server.keys = [key("b")];
  assert.deepEqual(await findInLookup("b"), [key("b")]);
  assert.deepEqual(await find("b"), ["b"]);
  assert.equal(server.requests, 2);
});

test("reloads for unknown kids at most every 30 seconds, including failed reloads", async () => {
  const { clock, server, find } = createCache();
  await find("a");
  server.keys = FAILURES.network;
  await assert.rejects(find("unknown"), FAILURES.network);
  for (let id = 0; id < 100; id++) assert.deepEqual(await find(`unknown ${id}`), []);
  await clock.advance(29_999);
  await find("unknown");
  assert.equal(server.requests, 2);
  await clock.advance(1);
  await assert.rejects(find("unknown"), FAILURES.network);
  assert.equal(server.requests, 3);
});

test("reloads a JWKS that lags several seconds behind the signer until it contains a new token's key", async () => {
  for (const delay of [0, 900, 2900, 6900]) {
    const { clock, server, findNew } = createCache();
    await findNew("a", 60_000);
    clock.setTimeout(() => {
      server.keys = [key("a"), key("b")];
    }, delay);
    assert.deepEqual(await findNew("b", 60_000), ["b"], `${delay} ms`);
    assert.ok(server.requests <= 5);
  }
});

test("stops searching for a new token's key after 7 seconds or just before the deadline, and starts no cooldown", async () => {
  const { clock, server, findNew } = createCache();
  assert.deepEqual(await findNew("b", 60_000), []);
  assert.deepEqual([server.requests, clock.passed()], [5, 7000]);
  server.requests = 0;
  assert.deepEqual(await findNew("b", 2500), []);
  assert.deepEqual([server.requests, clock.passed()], [2, 8000]);
});

test("stops searching for a new token's key when it is aborted", async () => {
  const { clock, server, findNew } = createCache();
  const abort = new AbortController();
  clock.setTimeout(() => {
    abort.abort();
  }, 500);
  await assert.rejects(findNew("b", 60_000, abort.signal), { code: "aborted" });
  assert.equal(server.requests, 2);
});

for (const kind of ["network", "server"] as const) {
  test(`uses stale keys for up to an hour after a ${kind} error, but not for an unknown kid`, async () => {
    const { clock, server, find } = createCache();
    await find("a");
    server.keys = FAILURES[kind];
    await clock.advance(60 * MINUTE - 1);
    assert.deepEqual(await find("a"), ["a"]);
    assert.equal(server.requests, 2);
    await assert.rejects(find("b"), { kind });
    await clock.advance(1);
    await assert.rejects(find("a"), { kind });
  });
}

for (const failure of [FAILURES.protocol, FAILURES.rejected, new TypeError("bug")]) {
  test(`does not use stale keys after ${failure.message} (${failure.name})`, async () => {
    const { clock, server, find } = createCache();
    await find("a");
    server.keys = failure;
    await clock.advance(10 * MINUTE);
    await assert.rejects(find("a"), failure);
  });
}

test("replaces the keys on reload", async () => {
  const { clock, server, find } = createCache();
  await find("a");
  server.keys = [key("b")];
  await clock.advance(10 * MINUTE);
  await find("b");
  await clock.advance(10 * MINUTE - 1);
  assert.deepEqual(await find("b"), ["b"]);
  assert.equal(server.requests, 2);
  assert.deepEqual(await find("a"), []);
});

test("causes no unhandled rejection if an unused lookup fails", async () => {
  const { clock, server, lookup } = createCache();
  server.keys = FAILURES.network;
  const unhandled: unknown[] = [];
  const onRejection = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", onRejection);
  lookup();
  await clock.runUntil(sleep(clock, 1));
  process.off("unhandledRejection", onRejection);
  assert.deepEqual(unhandled, []);
});
