import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { inputs } from "../../action/inputs.ts";
import { PACE, RETRIED_STATUS } from "../../shared/http/retry.ts";
import { markedPart, rowsIn } from "../../scripts/marked-page.ts";
import { drawChart } from "./chart.ts";
import { HERDS, SEEDS } from "./herds.ts";
import { POLICIES } from "./policies.ts";

const read = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");
const page = read("retries.md");
const rows = rowsIn(page);

test("docs/retries.md names the statuses that are retried, and what they count as", () => {
  for (const kind of ["fault", "overload"]) {
    const told = rows
      .filter(([what, is]) => what?.startsWith("status ") && is === kind)
      .flatMap(([what = ""]) => what.match(/\d+/g) ?? []);
    const known = Object.keys(RETRIED_STATUS).filter((status) => RETRIED_STATUS[Number(status)] === kind);
    assert.deepEqual(told, known);
  }
});

test("docs/retries.md shows the pace as it is", () => {
  const told = rows.filter(([what]) => /^(\d..\b|\d..\sand)/.test(what ?? ""));
  const seconds = PACE.map(({ longest, widest }) => [`${longest / 1000} s`, `${widest / 1000} s`]);
  assert.deepEqual(
    told.map(([, longest, , widest]) => [longest, widest]),
    seconds,
  );
});

test("docs/retries.md shows the policy that the action has", () => {
  assert.ok(page.includes(`Try 1 of ${Number(inputs["max-retries"].default) + 1};`));
});

test("docs/retries.md shows what was measured of every policy and every herd, and says how", () => {
  const measured = markedPart(page, "herd");
  assert.match(measured, /Measured on \d{4}-\d\d-\d\d with node v\d+\.\d+\.\d+ on \d+ cores/);
  assert.ok(measured.includes(`${SEEDS} times`));
  const tables = measured.split("### ").slice(1);
  assert.equal(tables.length, 6);
  for (const table of tables) for (const { name } of POLICIES) assert.ok(table.includes(`| ${name} `), name);
  for (const table of tables.slice(0, 4)) for (const herd of Object.keys(HERDS)) assert.ok(table.includes(herd), herd);
  const ours = measured.split("\n").filter((line) => line.startsWith("| this action"));
  assert.equal(ours.length, 6);
  // A herd that is worked on for nobody is the one case that may cost some.
  for (const [n, line] of ours.entries())
    for (const cell of line.split("|").slice(2, -1)) if (n !== 3) assert.match(cell.trim(), /^100 %/);
});

const picture = read("retries.svg");

test("the picture is small, still, and reads nothing from elsewhere", () => {
  assert.ok(Buffer.byteLength(picture) < 30 * 1024);
  assert.doesNotMatch(
    picture.replace('xmlns="http://www.w3.org/2000/svg"', ""),
    /script|https?:|url\(|@import|font-face|<a\b/i,
  );
});

test("the picture has a title, a line for every policy in each panel, and colours for dark pages", () => {
  assert.match(picture, /<title>[^<]+<\/title>/);
  assert.equal(picture.match(/<polyline /g)?.length, 2 * POLICIES.length);
  assert.match(picture, /@media\(prefers-color-scheme:dark\)/);
  for (const { name } of POLICIES) assert.ok(picture.includes(name.replaceAll("`", "")), name);
});

test("a chart shows shares as heights, later to the right, and escapes what it is called", () => {
  const run = [10_000, 60_000, undefined, undefined].map((signedInAt) => ({ signedInAt, requests: 1 }));
  const chart = drawChart("a < b & c", [{ title: "p", lines: [{ name: "<x>", ours: true, run }] }]);
  assert.match(chart, /<title>a &lt; b &amp; c<\/title>/);
  assert.ok(chart.includes("&lt;x&gt;") && !chart.includes("<x>"));
  const [, points = ""] = /points="([^"]+)"/.exec(chart) ?? [];
  // Nobody at first, a quarter at 10 s, half from 60 s to the end.
  assert.equal(points, "0,220 25,220 32,165 184,165 190,110 380,110");
});
