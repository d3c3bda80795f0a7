import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError } from "../../../shared/client/api-error.ts";
import { walkPages } from "../../../shared/client/pages.ts";

/** Walks over bodies that are given one after the other: the items, the offsets asked for, and how it failed. */
async function walk(bodies: readonly unknown[], start = 0) {
  const asked: (number | undefined)[] = [];
  const items: unknown[] = [];
  let failure: unknown;
  try {
    const pages = walkPages<unknown>(start, (offset) => {
      assert.ok(asked.length < bodies.length, "one page too many is asked for");
      return Promise.resolve(bodies[asked.push(offset) - 1]);
    });
    for await (const item of pages) items.push(item);
  } catch (error) {
    failure = error;
  }
  return { asked, items, failure };
}

const WALKS: readonly (readonly [what: string, bodies: readonly unknown[], asked: readonly unknown[], items: string, start?: number])[] = [
  ["a bare array", [["a", "b"]], [undefined], "ab"],
  ["one page of all", [{ data: ["a", "b"], total: 2 }], [undefined], "ab"],
  ["pages up to the total", [{ data: ["a", "b"], total: 3 }, { data: ["c"], total: 3 }], [undefined, 2], "abc"],
  ["pages up to a total that is exceeded", [{ data: ["a", "b"], total: 1 }], [undefined], "ab"],
  ["pages up to an empty one", [{ data: ["a"] }, { data: ["b"] }, { data: [] }], [undefined, 1, 2], "ab"],
  ["pages with a total that is no number", [{ data: ["a"], total: "1" }, { data: [] }], [undefined, 1], "a"],
  ["an empty page short of the total", [{ data: ["a"], total: 9 }, { data: [], total: 9 }], [undefined, 1], "a"],
  ["pages from an offset on", [{ data: ["c"], total: 4 }, { data: ["d"], total: 4 }], [undefined, 3], "cd", 2],
  ["no page at all", [{ data: [], total: 0 }], [undefined], ""],
]; // prettier-ignore
for (const [what, bodies, asked, items, start] of WALKS) {
  test(`the list of ${what} is walked to its end`, async () => {
    const walked = await walk(bodies, start);
    assert.equal(walked.failure, undefined);
    assert.deepEqual([walked.asked, walked.items.join("")], [asked, items]);
  });
}

test("a page that came before ends the walk with an error, and is not given twice", async () => {
  for (const total of [undefined, 100]) {
    const { items, failure } = await walk([
      { data: ["a"], total },
      { data: ["b"], total },
      { data: ["a"], total },
    ]);
    assert.deepEqual(items, ["a", "b"]);
    assert.ok(ApiError.isApiError(failure));
    assert.equal(failure.status, 200);
    assert.match(failure.message, /^the API gave a page of the list that it had given before: .* has no end\.$/);
  }
});

test("what is no list is an error", async () => {
  for (const body of [null, undefined, 1, "text", {}, { data: {} }, { data: "text" }]) {
    const { items, failure } = await walk([body]);
    assert.deepEqual(items, []);
    assert.ok(ApiError.isApiError(failure), String(failure));
    assert.deepEqual([failure.status, failure.message], [200, "the API's answer is no list: it has no data."]);
  }
});
