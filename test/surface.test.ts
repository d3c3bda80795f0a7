import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { publicSurface } from "../scripts/public-surface.ts";
import { surfaceChanges, type Surface } from "../scripts/surface-changes.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const { surface: promised } = JSON.parse(await readFile(`${root}test/surface.json`, "utf8")) as {
  readonly surface: Surface;
};
const present = await publicSurface(root);

test("nothing that a major version promises is gone or changed", () => {
  const { broken } = surfaceChanges(promised, present);
  assert.deepEqual(broken, [], "This breaks users: keep it, or release a new major (docs/versioning.md).");
});

test("all that is new in the public surface is written down", () => {
  const { added } = surfaceChanges(promised, present);
  assert.deepEqual(added, [], "This grows the surface, a minor release: `npm run surface` writes it down.");
});

test("no kind of promise is empty", () => {
  for (const [kind, table] of Object.entries(present)) assert.ok(Object.keys(table).length > 0, kind);
});

test("the exports that are promised are those that a program gets", async () => {
  for (const [entry, module] of [
    ["scm-auth", await import("../shared/index.ts")],
    ["scm-auth/pulumi", await import("../provider/program/index.ts")],
  ] as const) {
    const values = Object.entries(promised[`exports of ${entry}`] ?? {}).filter(([, kind]) => kind === "value");
    assert.deepEqual(values.map(([name]) => name).toSorted(), Object.keys(module).toSorted());
  }
});

const before: Surface = { inputs: { id: "required", wait: "optional, else 5" }, codes: { no_token: "there" } };

/** What may be made of the surface above, and what becomes of it. */
const CHANGES: readonly (readonly [
  name: string,
  after: Surface,
  broken: readonly string[],
  added: readonly string[],
])[] = [
  ["the same", before, [], []],
  ["a code is gone", { ...before, codes: {} }, ["codes: no_token is gone"], []],
  ["a whole kind is gone", { inputs: before["inputs"] ?? {} }, ["codes: no_token is gone"], []],
  [
    "a default changes",
    { ...before, inputs: { id: "required", wait: "optional, else 9" } },
    ['inputs: wait was "optional, else 5" and is "optional, else 9"'],
    [],
  ],
  [
    "an input becomes required",
    { ...before, inputs: { id: "required", wait: "required" } },
    ['inputs: wait was "optional, else 5" and is "required"'],
    [],
  ],
  [
    "a required input comes",
    { ...before, inputs: { ...before["inputs"], key: "required" } },
    ["inputs: key is new and required"],
    [],
  ],
  ["an optional input comes", { ...before, inputs: { ...before["inputs"], key: "optional" } }, [], ["inputs: key"]],
  ["a code comes", { ...before, codes: { no_token: "there", other: "there" } }, [], ["codes: other"]],
];

for (const [name, after, broken, added] of CHANGES)
  test(`a surface and a later one: ${name}`, () => {
    assert.deepEqual(surfaceChanges(before, after), { broken, added });
  });
