import assert from "node:assert/strict";
import { test } from "node:test";

import { getTsgIds, invalidScopeTokens, normalizeScope, parseScope, tsgScope } from "../../shared/scope.ts";
import { fc } from "../support/fuzzing.ts";
import { foreignText } from "../support/texts.ts";

/** RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ) */
const isScopeToken = (token: string): boolean =>
  token !== "" &&
  [...token].every((character) => {
    const code = character.codePointAt(0) ?? 0;
    return code === 0x21 || (code >= 0x23 && code <= 0x5b) || (code >= 0x5d && code <= 0x7e);
  });

const tsgLike = fc.constantFrom("tsg_id", "tsg_id:", "tsg_id:1", "tsg_id:1x", "tsg_id:01", "xtsg_id:1", "tsg_id:1:2");
const token = fc.oneof(foreignText, tsgLike, fc.string({ maxLength: 5 }));
const scope = fc.array(token, { maxLength: 8 }).map((tokens) => tokens.join(" "));

test("parseScope splits only at spaces and removes duplicates", () => {
  fc.assert(
    fc.property(scope, (text) => {
      const tokens = parseScope(text);
      assert.deepEqual(tokens, [...new Set(text.split(" ").filter((part) => part !== ""))]);
    }),
  );
});

test("normalizeScope returns the same string for scopes with the same scope-tokens", () => {
  assert.equal(normalizeScope("b  a b"), "a b");
  assert.equal(normalizeScope(" "), "");
});

test("invalidScopeTokens returns scope-tokens that violate RFC 6749 and tenants without a number", () => {
  fc.assert(
    fc.property(scope, (text) => {
      const tokens = parseScope(text);
      const isInvalid = (part: string): boolean =>
        !isScopeToken(part) || ((part === "tsg_id" || part.startsWith("tsg_id:")) && !/^tsg_id:[0-9]+$/.test(part));
      assert.deepEqual(invalidScopeTokens(tokens), tokens.filter(isInvalid));
    }),
  );
});

test("getTsgIds returns only tenants that are whole scope-tokens", () => {
  assert.deepEqual(getTsgIds(["a", tsgScope("1"), tsgScope("2"), tsgScope("1")]), ["1", "2"]);
  for (const near of ["xtsg_id:1", "tsg_id:1x", "TSG_ID:1", "tsg_id:", "tsg_id: 1"])
    assert.deepEqual(getTsgIds([near]), [], near);
});
