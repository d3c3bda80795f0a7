import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { createClient, forbidUnhandledRejections, startScm } from "../support/client-fixtures.ts";
import { ADDRESSES_PATH, type Item } from "../support/scm-api.ts";
import { type Script, type ScriptedResponse } from "../support/scripted-server.ts";
import { calls, getApiError, PATH, setUp } from "../support/session-fixtures.ts";

forbidUnhandledRejections();

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
  const { session } = await setUp(t, [page([1], 2), { status: 403 }]);
  assert.equal((await getApiError(collect(session.list(PATH)))).status, 403);
});
