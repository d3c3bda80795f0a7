import assert from "node:assert/strict";
import { test } from "node:test";

import { inputNames } from "../../../action/inputs.ts";
import { FIELD_NAMES, nameFields, nameProblem, type Field } from "../../../shared/report/fields.ts";
import * as fc from "../../support/fuzzing.ts";

test("each field in braces is called by the reader's name for it", () => {
  for (const [field, name] of Object.entries(inputNames) as [Field, string][])
    assert.equal(nameFields(`Set {${field}}, not {{${field}}}.`, inputNames), `Set ${name}, not {${name}}.`);
});

test("the library's options are called as the fields are, but for two", () => {
  for (const field of Object.keys(inputNames) as Field[])
    assert.equal(FIELD_NAMES[field], { authFile: "path", sealedToken: "sealed" }[field as string] ?? field);
});

test("a problem is told in the reader's names throughout", () => {
  assert.deepEqual(
    nameProblem(
      { field: "scope", reason: "is for another tenant than {tsgId}", hint: "Leave {scope} out." },
      inputNames,
    ),
    { field: "scope", reason: "is for another tenant than tsg-id", hint: "Leave scope out." },
  );
  const problem = { field: "SCM_SCOPE", reason: "is wrong", hint: "Set it." };
  assert.deepEqual(nameProblem(problem, inputNames), problem);
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
