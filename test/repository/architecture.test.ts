import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { INPUT_NAMES } from "../../action/inputs.ts";
import { COMMANDS } from "../../cli/commands.ts";
import { pickArgs } from "../../provider/sign-in-args.ts";
import { FIELDS, type FieldName } from "../../shared/auth-request-schema.ts";
import { readEnvironment } from "../../shared/environment.ts";
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

test("docs/architecture.md shows where each field of a sign-in can be set", () => {
  const inputs: Partial<Record<FieldName, string>> = INPUT_NAMES;
  const variables: Partial<Record<FieldName, string>> = readEnvironment({}).names;
  const args = pickArgs(Object.fromEntries(FIELDS.map((field) => [field, field])), "AccessToken");
  const findOption = (field: FieldName): string | undefined => {
    const name = field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const option = Object.keys(COMMANDS.token.options).find((one) => one === name || one === `${name}-file`);
    return option && `--${option}`;
  };
  assert.deepEqual(
    getTableRows(page, "field").map((cells) => cells.map((cell) => cell.replaceAll("`", ""))),
    FIELDS.map((field) =>
      [field, inputs[field], findOption(field), variables[field], args[field]].map((cell) => cell ?? ""),
    ),
  );
});
