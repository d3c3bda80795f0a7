import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError } from "../../../shared/client/api-error.ts";
import * as fc from "../../support/fuzzing.ts";

test("an error of the API tells what it was made of", () => {
  const facts = { status: 404, code: "E005", requestId: "1", details: ["x"] };
  const error = new ApiError("the API answered 404.", facts);
  assert.deepEqual([error.name, error.message], ["ApiError", "the API answered 404."]);
  assert.deepEqual(
    { status: error.status, code: error.code, requestId: error.requestId, details: error.details },
    facts,
  );
});

test("an error of another copy of the package is recognised, and nothing else is", async () => {
  const url = new URL("../../../shared/client/api-error.ts?copy", import.meta.url);
  const copy = (await import(url.href)) as { readonly ApiError: typeof ApiError };
  const foreign = new copy.ApiError("it broke.", { status: 500 });
  assert.ok(!(foreign instanceof ApiError));
  assert.ok(ApiError.isApiError(foreign));
  // Copies of other versions know each other by this.
  assert.ok(Symbol.for("scm-auth.ApiError") in foreign);
  for (const value of [null, undefined, "text", 1, () => undefined]) assert.ok(!ApiError.isApiError(value));
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true }), (value) => {
      assert.ok(!ApiError.isApiError(value));
    }),
  );
});
