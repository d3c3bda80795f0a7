import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { markedPart, rowsIn } from "../../scripts/marked-page.ts";
import { cellsOf, markdown } from "./page.ts";
import { PARTS } from "./parts.ts";
import { isMet, ratiosOf, spreadOf, type Row } from "./row.ts";
import { inTurn } from "./timings.ts";

const page = readFileSync(new URL("../../docs/performance.md", import.meta.url), "utf8");
const measured = markedPart(page, "bench");

test("docs/performance.md has a table for each part, and says when and by what it was measured", () => {
  assert.match(measured, /Measured on \d{4}-\d\d-\d\d\s+with\s+node\s+v\d+\.\d+\.\d+\s+on\s+\d+\s+cores/);
  const headings = [...measured.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading);
  assert.deepEqual(
    headings,
    Object.values(PARTS).map(({ heading }) => heading),
  );
});

test("docs/performance.md says of every goal whether its figures keep it", () => {
  const goals = rowsIn(measured).filter(([, , , , , goal = ""]) => /^\d/.test(goal));
  assert.ok(goals.length >= 7);
  for (const [what, value = "", , , ratio = "", goal = ""] of goals) {
    const figure = Number.parseFloat(ratio === "" ? value : ratio);
    const kept = goal.endsWith(": met");
    // What is shown is rounded, so a figure that is shown as the goal may be on either side.
    if (figure !== Number.parseFloat(goal)) assert.equal(kept, figure < Number.parseFloat(goal), `${what}: ${goal}`);
    if (!kept) assert.ok(goal.endsWith("**not met**"), `${what}: ${goal}`);
  }
});

const row: Row = {
  what: "ours",
  unit: "ms",
  value: [12, 30, 11, 24, 10],
  against: { what: "theirs", value: [10, 20, 10, 10, 10] },
  goal: 1.3,
};

test("a spread is the median with both quartiles, whatever the order", () => {
  assert.deepEqual(spreadOf([5, 1, 4, 2, 3]), { median: 3, lower: 2, upper: 4 });
  assert.deepEqual(spreadOf([4, 1, 3, 2]), { median: 2.5, lower: 1.75, upper: 3.25 });
  assert.deepEqual(spreadOf([7]), { median: 7, lower: 7, upper: 7 });
});

test("a ratio is taken run by run, and its median is held against the goal", () => {
  assert.deepEqual(ratiosOf(row), [1.2, 1.5, 1.1, 2.4, 1]);
  assert.equal(isMet(row), true);
  assert.equal(isMet({ ...row, goal: 1.19 }), false);
  assert.equal(isMet({ what: "size", unit: "KiB", value: [97], goal: 96 }), false);
  assert.equal(isMet({ ...row, value: [] }), false);
});

test("a row shows its figures, and names a goal that was missed", () => {
  assert.deepEqual(cellsOf({ ...row, goal: 1.15 }), [
    ...["ours", "12.0 ms (11.0 to 24.0)", "theirs", "10.0 ms", "1.20 (1.10 to 1.50)"],
    "1.15: **not met**",
  ]);
  assert.deepEqual(cellsOf({ what: "size", unit: "KiB", value: [94.08], goal: 96 }), [
    ...["size", "94.1 KiB", "", "", ""],
    "96 KiB: met",
  ]);
  const table = markdown({ heading: "H", about: "A.", rows: [{ what: "Pulumi", because: "no pulumi on PATH" }] });
  assert.ok(table.includes("| Pulumi | left out: no pulumi on PATH |"));
});

test("works take turns, the warm-up is not counted, and an abort stops them", async () => {
  const order: string[] = [];
  const work = (name: string) => () => Promise.resolve(order.push(name));
  const timings = await inTurn({ a: work("a"), b: work("b") }, 2, 1);
  assert.equal(order.join(""), "ababab");
  assert.deepEqual(timings, { a: [3, 5], b: [4, 6] });
  const stop = new AbortController();
  const stopping = { a: () => Promise.resolve(0).finally(stop.abort.bind(stop)), b: work("never") };
  await assert.rejects(inTurn(stopping, 2, 0, stop.signal));
  assert.ok(!order.includes("never"));
});
