import assert from "node:assert/strict";
import { test } from "node:test";

import { badScopeWords, scopeSet, scopeWords, tenantScope, tenantsOf } from "../../../shared/token/scope.ts";
import * as fc from "../../support/fuzzing.ts";
import { foreignText } from "../../support/texts.ts";

/** RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ) */
const isScopeToken = (word: string): boolean =>
  word !== "" &&
  [...word].every((character) => {
    const code = character.codePointAt(0) ?? 0;
    return code === 0x21 || (code >= 0x23 && code <= 0x5b) || (code >= 0x5d && code <= 0x7e);
  });

const tenantLike = fc.constantFrom(
  "tsg_id",
  "tsg_id:",
  "tsg_id:1",
  "tsg_id:1x",
  "tsg_id:01",
  "xtsg_id:1",
  "tsg_id:1:2",
);
const word = fc.oneof(foreignText, tenantLike, fc.string({ maxLength: 5 }));
const scope = fc.array(word, { maxLength: 8 }).map((words) => words.join(" "));

test("words are taken apart at spaces alone, each once, in order", () => {
  fc.assert(
    fc.property(scope, (text) => {
      const words = scopeWords(text);
      assert.ok(words.every((one) => one !== "" && !one.includes(" ")));
      assert.equal(new Set(words).size, words.length);
      assert.deepEqual(scopeWords(words.join(" ")), words);
      assert.deepEqual(new Set(words), new Set(text.split(" ").filter((one) => one !== "")));
    }),
  );
});

test("scopes of the same words have one form", () => {
  assert.equal(scopeSet("b  a b"), "a b");
  assert.equal(scopeSet(" "), "");
});

test("a word is bad when RFC 6749 forbids it, or when it is a tenant without a number", () => {
  fc.assert(
    fc.property(scope, (text) => {
      const words = scopeWords(text);
      const bad = words.filter(
        (one) =>
          !isScopeToken(one) || ((one === "tsg_id" || one.startsWith("tsg_id:")) && !/^tsg_id:[0-9]+$/.test(one)),
      );
      assert.deepEqual(badScopeWords(words), bad);
    }),
  );
});

test("a tenant is a whole word", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n }).map(String), scope, (id, text) => {
      const others = tenantsOf(scopeWords(text)).filter((other) => other !== id);
      assert.deepEqual(
        tenantsOf(scopeWords(`${text} ${tenantScope(id)}`)).filter((other) => other !== id),
        others,
      );
      assert.ok(tenantsOf(scopeWords(`${text} ${tenantScope(id)}`)).includes(id));
      for (const near of [`x${tenantScope(id)}`, `${tenantScope(id)}x`, `TSG_ID:${id}`, `tsg_id: ${id}`])
        assert.deepEqual(tenantsOf(scopeWords(near)), []);
    }),
  );
});
