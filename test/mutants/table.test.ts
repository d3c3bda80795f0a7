import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { mutants } from "./table.ts";

const read = (file: string): string => readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), "utf8");

for (const { name, file, find, replace } of mutants) {
  test(`the mutant "${name}" still applies`, () => {
    assert.notEqual(find, replace);
    assert.equal(read(file).split(find).length - 1, 1, `its text in ${file}`);
  });
}
