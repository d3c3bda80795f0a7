import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthError } from "../../shared/errors.ts";
import { findOptionIssues, optionSchemas, unknownNameIssue, validateOptions } from "../../shared/options.ts";

const VALUES: Readonly<Record<keyof typeof optionSchemas, readonly [valid: unknown[], invalid: unknown[]]>> = {
  minTtl: [[0, 0.5, 86_400], [-1, 86_401, Number.NaN, Infinity, "1", null]],
  retryBackoff: [[0, 60], [-0.1, 60.1]],
  tokenExpiryBuffer: [[0, 86_400], [-1, 86_401]],
  timeout: [[0.001, 60, 3600], [0, -1, 3601, Number.NaN, "60", 60n]],
  maxRetries: [[0, 3, 20], [-1, 21, 1.5, "3"]],
  verify: [[true, false], [0, "true", null]],
  signal: [[new AbortController().signal], [{}, new AbortController()]],
  onEvent: [[() => undefined], [{}, "log"]],
  path: [["a.json", " a "], ["", " ", 1]],
}; // prettier-ignore

for (const [name, [valid, invalid]] of Object.entries(VALUES)) {
  test(`accepts valid values of the option ${name} and rejects others`, () => {
    for (const value of valid) assert.deepEqual(findOptionIssues({ [name]: value }, optionSchemas), []);
    for (const value of invalid) {
      const [issue, ...more] = findOptionIssues({ [name]: value }, optionSchemas);
      assert.deepEqual([issue?.field, more], [name, []], String(value));
      assert.match(issue?.message ?? "", /^must be (a|an|true) .+/);
      assert.equal(issue?.hint, `Set it to ${issue?.message.slice("must be ".length) ?? ""}.`);
    }
  });
}

test("ignores undefined options unless they are required, and allows test hooks", () => {
  const { timeout, path } = optionSchemas;
  assert.deepEqual(findOptionIssues({ timeout: undefined, clock: 1, random: 2, other: undefined }, { timeout }), []);
  const [issue] = findOptionIssues({}, { timeout, path }, ["path"]);
  assert.deepEqual([issue?.field, issue?.message], ["path", "must be a file path"]);
});

test("validates options that are accessors of a class", () => {
  class Options {
    get timeout() {
      return String(60);
    }
  }
  const [issue, ...more] = findOptionIssues(new Options(), { timeout: optionSchemas.timeout });
  assert.deepEqual([issue?.field, more], ["timeout", []]);
});

test("reports all issues at once, with unknown options last", () => {
  const { timeout, maxRetries } = optionSchemas;
  const given = { retries: 3, max_retries: 3, maxRetries: -1, timeout: 0 };
  assert.throws(
    () => {
      validateOptions(given, { timeout, maxRetries });
    },
    (error) => {
      assert.ok(AuthError.isAuthError(error));
      assert.equal(
        error.message,
        "Configuration error: timeout must be a number of seconds above 0, up to 3600; " +
          "maxRetries must be an integer from 0 to 20; retries is not a valid option; " +
          "max_retries is not a valid option; did you mean maxRetries?.",
      );
      return true;
    },
  );
});

test("makes an unknown option name safe for a log line", () => {
  const { field, hint } = unknownNameIssue("a\n::error::b", ["tsgId"], "field");
  assert.deepEqual([field, hint], ["a : :error: :b", "Valid names: tsgId."]);
  assert.equal(unknownNameIssue("tsg_id", ["tsgId"], "field").hint, "Use tsgId.");
});
