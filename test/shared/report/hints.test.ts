import assert from "node:assert/strict";
import { test } from "node:test";

import { inputNames } from "../../../action/inputs.ts";
import { nameFields } from "../../../shared/report/fields.ts";
import { handoffHints } from "../../../shared/report/handoff-hints.ts";
import { hints } from "../../../shared/report/hints.ts";

test("every hint is text of one line that names only fields that exist", () => {
  for (const [code, hint] of Object.entries({ ...hints, ...handoffHints })) {
    const told = nameFields(hint, inputNames);
    assert.match(told, /^[A-Z][^{}\n]*$/, code);
    assert.match(told, /[.?]$|:port\.$/, code);
  }
});

test("the tables of hints can't be changed", () => {
  assert.ok(Object.isFrozen(hints) && Object.isFrozen(handoffHints));
});
