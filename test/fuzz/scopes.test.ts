import assert from "node:assert/strict";
import { test } from "node:test";

import { AuthError } from "../../shared/report/errors.ts";
import { AuthRequest } from "../../shared/token/auth-request.ts";
import { judgeTenants } from "../../shared/token/claims.ts";
import { badScopeWords, scopeSet, scopeWords, tenantsOf } from "../../shared/token/scope.ts";
import * as fc from "../support/fuzzing.ts";
import { nearlyText } from "../support/nearly.ts";

/** Scopes that are nearly right, as they are asked for and as they are granted. */

const words = fc.oneof(
  fc.constantFrom("tsg_id:1", "tsg_id:1", "tsg_id:2", "tsg_id:01", "tsg_id:10", "tsg_id:", "tsg_id", "TSG_ID:1"),
  fc.constantFrom("profile", "email", "a:b", "!", "~", "[]", "constructor", "__proto__"),
);
const good = fc.array(words, { minLength: 1, maxLength: 5 }).map((all) => all.join(" "));
const scopes = nearlyText(good, 2);

/** RFC 6749 section 3.3, character by character. */
const isScopeWord = (word: string): boolean =>
  [...word].every((character) => character > " " && character <= "~" && character !== '"' && character !== "\\");
const isBad = (word: string): boolean =>
  !isScopeWord(word) || ((word === "tsg_id" || word.startsWith("tsg_id:")) && !/^tsg_id:[0-9]+$/.test(word));

test("a scope that is nearly right is sent as its words, or refused by its name", () => {
  const clientSecret = "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10";
  let sent = 0;
  fc.assert(
    fc.property(scopes, (scope) => {
      const trimmed = scope.trim();
      const found = [...new Set(trimmed.split(" "))].filter((word) => word !== "");
      assert.deepEqual(badScopeWords(scopeWords(trimmed)), found.filter(isBad));
      try {
        const request = AuthRequest.parse({ clientId: "ci@7.iam.panserviceaccount.com", clientSecret, scope });
        assert.ok(!found.some(isBad), JSON.stringify(scope));
        assert.equal(request.scope, trimmed === "" ? "tsg_id:7" : found.join(" "));
        sent++;
      } catch (error) {
        if (!AuthError.isAuthError(error)) throw error;
        assert.ok(found.some(isBad), JSON.stringify(scope));
        assert.deepEqual([error.code, error.problems.map(({ field }) => field)], ["invalid_config", ["scope"]]);
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(sent > 100, `${sent} scopes were sent`);
});

test("scopes of the same words have one form, whatever their order, and no others have it", () => {
  fc.assert(
    fc.property(scopes, scopes, fc.array(fc.nat()), (one, other, order) => {
      const ordered = scopeWords(one).map((word, n) => [order[n] ?? 0, word] as const);
      const shuffled = ordered.sort(([a], [b]) => a - b).map(([, word]) => word);
      assert.equal(scopeSet(` ${shuffled.join("  ")} ${shuffled.at(0) ?? ""}`), scopeSet(one));
      const [ours, theirs] = [scopeWords(one), scopeWords(other)];
      const same = ours.length === theirs.length && ours.every((word) => theirs.includes(word));
      assert.equal(scopeSet(one) === scopeSet(other), same);
    }),
  );
});

test("a tenant is granted by a whole word of digits alone", () => {
  fc.assert(
    fc.property(scopes, fc.constantFrom("1", "2", "01", "10", "0"), (scope, tenant) => {
      const granted = scopeWords(scope);
      const isGranted = ` ${scope} `.includes(` tsg_id:${tenant} `);
      assert.equal(tenantsOf(granted).includes(tenant), isGranted);
      const judge = (): void => {
        judgeTenants(granted, [tenant]);
      };
      if (isGranted) judge();
      else assert.throws(judge, { code: "wrong_tenant" });
    }),
    { numRuns: 300 },
  );
});
