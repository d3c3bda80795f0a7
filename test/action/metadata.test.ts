import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { parse } from "yaml";

import { INPUT_NAMES } from "../../action/inputs.ts";
import { toOutputs } from "../../action/outputs.ts";
import { AccessToken } from "../../shared/access-token.ts";

const read = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), "utf8");

interface Metadata {
  readonly inputs: Readonly<Record<string, { readonly description: string; readonly default?: string }>>;
  readonly outputs: Readonly<Record<string, { readonly description: string }>>;
  readonly runs: Readonly<Record<string, string>>;
}

const metadata = parse(await read("action.yml")) as Metadata;
const unknown = { expiresAt: undefined, deadline: undefined, lifetime: undefined, scope: [], tsgIds: [] };
const OUTPUT_NAMES = Object.keys(toOutputs({ token: new AccessToken("", unknown) }));

test("action.yml declares and describes exactly the inputs and outputs that the code uses", () => {
  assert.deepEqual(Object.keys(metadata.inputs), Object.values(INPUT_NAMES));
  assert.deepEqual(Object.keys(metadata.outputs), OUTPUT_NAMES);
  for (const { description } of [...Object.values(metadata.inputs), ...Object.values(metadata.outputs)])
    assert.match(description, /^[A-Z].*\.$/);
  assert.deepEqual(metadata.runs, { using: "node24", main: "dist/action/main.cjs", post: "dist/action/post.cjs" });
});

test("the README has a row for each input and output in action.yml and for no others", async () => {
  const readme = await read("README.md");
  const rows = [...readme.matchAll(/^\| `([a-z-]+)` /gm)].map(([, name]) => name);
  assert.deepEqual(new Set(rows), new Set([...Object.values(INPUT_NAMES), ...OUTPUT_NAMES]));
});
