import assert from "node:assert/strict";
import { test } from "node:test";

import { reportFailure } from "../../action/failure.ts";
import { inputNames } from "../../action/inputs.ts";
import { Runner } from "../../action/runner.ts";
import { AuthError, configError } from "../../shared/report/errors.ts";
import { nameOf, type Field, type Problem } from "../../shared/report/fields.ts";
import * as fc from "../support/fuzzing.ts";
import { makeRunnerMasks } from "../support/runner-masks.ts";
import { stdoutOf } from "../support/stdout.ts";
import { linesOf, obey, type StepLog } from "../support/workflow-commands.ts";

const reported = (error: unknown): StepLog => {
  const stdout = stdoutOf(() => {
    reportFailure(new Runner(), error);
  });
  return obey(linesOf(stdout), makeRunnerMasks());
};

test("a failure is one annotation: what happened, and what to do in the words of the action", () => {
  const error = new AuthError("it broke.", {
    kind: "timeout",
    code: "no_answer",
    hint: "Raise {timeout}, not {tsgId}.",
  });
  const { annotations, lines } = reported(error);
  assert.deepEqual(
    annotations.map(({ level, message }) => [level, message]),
    [["error", "Network error: it broke.\nHint: Raise timeout, not tsg-id."]],
  );
  assert.equal(lines.length, 2);
});

const fields = Object.keys(inputNames) as Field[];
const problemOf = (n: number): Problem => ({
  field: fields[n % fields.length] ?? "scope",
  reason: `is wrong in way ${n} against {tsgId}`,
  hint: `Do thing ${n} to {clientId}.`,
});

test("each problem is told by its input's name with what to write, and there are ten annotations at most", () => {
  for (let count = 1; count <= 30; count++) {
    const problems = Array.from({ length: count }, (_, n) => problemOf(n));
    const { annotations, lines } = reported(configError(problems));
    const log = lines.join("\n");
    for (const [n, { field }] of problems.entries()) {
      assert.ok(log.includes(`${nameOf(field, inputNames)} is wrong in way ${n} against tsg-id.`), log);
      assert.ok(log.includes(`Do thing ${n} to client-id.`), log);
    }
    assert.equal(annotations.length, Math.min(count, 10));
    // Where not all are annotations, the last one says how many are not.
    if (count > 10) assert.match(annotations.at(-1)?.message ?? "", new RegExp(`^${count - 9} more`));
    else assert.match(annotations.at(-1)?.message ?? "", new RegExp(`in way ${count - 1} `));
  }
});

test("what nobody thought of is told as such, in one annotation, without its stack", () => {
  const { annotations } = reported(new TypeError("x is not a function"));
  assert.equal(annotations.length, 1);
  assert.match(annotations[0]?.message ?? "", /unexpected failure: TypeError: x is not a function.*\nHint: .*report/s);
  assert.doesNotMatch(annotations[0]?.message ?? "", /\bat |\.ts/);
});

test("whatever was thrown, something is told and nothing is thrown", () => {
  const hostile = fc.constantFrom<unknown>(
    Object.create(null),
    Symbol("s"),
    { toString: null, valueOf: null },
    Object.assign(new Error("x"), { name: undefined, message: undefined }),
    new Error("", { cause: new Error("x") }),
    undefined,
    null,
    0n,
  );
  fc.assert(
    fc.property(
      fc.oneof(hostile, fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true })),
      (thrown) => {
        assert.equal(reported(thrown).annotations.length, 1);
      },
    ),
  );
});

test("an AuthError of another copy of the package is told as our own", async () => {
  const url = new URL("../../shared/report/errors.ts?copy", import.meta.url);
  const copy = (await import(url.href)) as { readonly AuthError: typeof AuthError };
  const { annotations } = reported(new copy.AuthError("it broke.", { kind: "server", code: "server_error" }));
  assert.match(annotations[0]?.message ?? "", /^HTTP error: it broke\./);
});
