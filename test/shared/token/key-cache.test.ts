import assert from "node:assert/strict";
import { after, test } from "node:test";

import { sleep } from "../../../shared/clock.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import { KeyCache } from "../../../shared/token/key-cache.ts";
import type { SigningKey } from "../../../shared/token/signing-keys.ts";
import { makeFakeClock } from "../../support/fake-clock.ts";

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
process.on("unhandledRejection", note);
after(() => process.off("unhandledRejection", note));

const key = (kid: string): SigningKey => ({ kty: "RSA", n: "AQAB", e: "AQAB", kid });
const failure = (kind: "network" | "server" | "protocol" | "rejected"): AuthError =>
  new AuthError("no keys.", {
    kind,
    code: (
      {
        network: "connection_refused",
        server: "server_error",
        protocol: "bad_key_set",
        rejected: "invalid_client",
      } as const
    )[kind],
  });

const MINUTES = 60_000;

/** A cache whose server shows what `shown` holds at the time: keys, or a failure. */
function scene() {
  const clock = makeFakeClock();
  const cache = new KeyCache(clock);
  const server: { shown: readonly SigningKey[] | Error; loads: number } = { shown: [key("a")], loads: 0 };
  const load = async (): Promise<readonly SigningKey[]> => {
    server.loads++;
    await Promise.resolve();
    if (server.shown instanceof Error) throw server.shown;
    return server.shown;
  };
  return {
    server,
    pass: (time: number) => clock.runUntil(sleep(clock, time, new AbortController().signal)),
    search: () => cache.search(load),
    /** Ids of the keys that a whole search finds. */
    find: async (kid: string | undefined) => (await cache.search(load).find(kid)).map((found) => found.kid),
  };
}

test("keys are asked for when a search begins, before it is known which one is wanted", async () => {
  const { server, search } = scene();
  const { ready } = search();
  assert.equal(server.loads, 1);
  await ready;
});

test("keys serve for ten minutes without a request, and not a moment longer", async () => {
  const { server, find, pass } = scene();
  await find("a");
  await pass(10 * MINUTES - 1);
  assert.deepEqual(await find("a"), ["a"]);
  assert.equal(server.loads, 1);
  await pass(1);
  await find("a");
  assert.equal(server.loads, 2);
});

test("a token that names no key may be by any of them", async () => {
  const { server, find } = scene();
  server.shown = [key("a"), key("b")];
  assert.deepEqual(await find(undefined), ["a", "b"]);
  assert.equal(server.loads, 1);
});

test("an unknown key id causes one reload, which finds a key that is new", async () => {
  const { server, find } = scene();
  await find("a");
  server.shown = [key("a"), key("b")];
  assert.deepEqual(await find("b"), ["b"]);
  assert.deepEqual(await find("b"), ["b"]);
  assert.equal(server.loads, 2);
});

test("the first load starts no cooldown: a key that changed meanwhile is found by a second request at once", async () => {
  const { server, search } = scene();
  const { ready, find } = search();
  await ready;
  server.shown = [key("b")];
  assert.deepEqual(
    (await find("b")).map(({ kid }) => kid),
    ["b"],
  );
  assert.equal(server.loads, 2);
});

test("made-up key ids cause a request every thirty seconds at most", async () => {
  const { server, find, pass } = scene();
  await find("a");
  for (let id = 0; id < 100; id++) assert.deepEqual(await find(`made up ${id}`), []);
  assert.equal(server.loads, 2);
  await pass(29_999);
  await find("made up");
  assert.equal(server.loads, 2);
  await pass(1);
  await find("made up");
  assert.equal(server.loads, 3);
});

test("a reload that fails counts for the cooldown too", async () => {
  const { server, find } = scene();
  await find("a");
  server.shown = failure("network");
  await assert.rejects(find("b"), { code: "connection_refused" });
  assert.deepEqual(await find("b"), []);
  assert.equal(server.loads, 2);
});

for (const kind of ["network", "server"] as const) {
  test(`the last good keys serve for up to an hour while the server is away: ${kind}`, async () => {
    const { server, find, pass } = scene();
    await find("a");
    server.shown = failure(kind);
    await pass(60 * MINUTES - 1);
    assert.deepEqual(await find("a"), ["a"]);
    assert.equal(server.loads, 2, "they are asked for all the same");
    await pass(1);
    await assert.rejects(find("a"), { kind });
  });
}

for (const kind of ["protocol", "rejected"] as const) {
  test(`the last good keys don't serve when the server is there and shows none: ${kind}`, async () => {
    const { server, find, pass } = scene();
    await find("a");
    server.shown = failure(kind);
    await pass(10 * MINUTES);
    await assert.rejects(find("a"), { kind });
  });
}

test("the last good keys never serve for a key id that they don't hold", async () => {
  const { server, find, pass } = scene();
  await find("a");
  server.shown = failure("network");
  await pass(10 * MINUTES);
  await assert.rejects(find("b"), { kind: "network" });
});

test("keys that a reload brought are fresh again, and those it did not bring are gone", async () => {
  const { server, find, pass } = scene();
  await find("a");
  await pass(10 * MINUTES);
  server.shown = [key("b")];
  await find("b");
  await pass(10 * MINUTES - 1);
  assert.deepEqual(await find("b"), ["b"]);
  assert.equal(server.loads, 2);
  assert.deepEqual(await find("a"), []);
});

test("a fault of our own is no reason to use old keys", async () => {
  const { server, find, pass } = scene();
  await find("a");
  server.shown = new TypeError("our own fault");
  await pass(10 * MINUTES);
  await assert.rejects(find("a"), TypeError);
});

test("a search that never begins ends no process when its keys can't be had", async () => {
  const { server, search, pass } = scene();
  server.shown = failure("network");
  search();
  await pass(0);
  await pass(0);
  assert.deepEqual(unhandled, []);
});
