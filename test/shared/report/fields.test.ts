import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { inputNames } from "../../../action/inputs.ts";
import { nameFields, type Field } from "../../../shared/report/fields.ts";

test("each field in braces is called by the reader's name for it", () => {
  for (const [field, name] of Object.entries(inputNames) as [Field, string][])
    assert.equal(nameFields(`Set {${field}}, not {{${field}}}.`, inputNames), `Set ${name}, not {${name}}.`);
});

test("text in braces that is no field stays as it is", () => {
  const noField = fc
    .oneof(fc.constantFrom("constructor", "toString", "__proto__", "hasOwnProperty", ""), fc.string())
    .filter((text) => !Object.keys(inputNames).includes(text) && !/[{}]/.test(text));
  fc.assert(
    fc.property(noField, (text) => {
      assert.equal(nameFields(`a {${text}} b`, inputNames), `a {${text}} b`);
    }),
  );
});
