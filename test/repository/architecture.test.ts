import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { inRepository } from "../support/runner-job.ts";
import { getTableRows } from "../support/tables.ts";

const page = await readFile(inRepository("docs/architecture.md"), "utf8");

interface ESLintConfig {
  readonly LAYERS: readonly (readonly string[])[];
}

test("docs/architecture.md shows the layers that ESLint checks", async () => {
  const { LAYERS } = (await import(pathToFileURL(inRepository("eslint.config.js")).href)) as ESLintConfig;
  const rows = getTableRows(page, "layer of `shared/`").map(([, files = ""]) => files.replaceAll("`", "").split(", "));
  assert.deepEqual(rows.slice(1).reverse(), LAYERS);
});
