import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { inputNames } from "../../../action/inputs.ts";
import {
  abortedError,
  AuthError,
  configError,
  errorCode,
  TokenExpiredError,
  type AuthErrorCode,
  type AuthErrorDetails,
  type AuthErrorKind,
} from "../../../shared/report/errors.ts";
import { FIELD_NAMES } from "../../../shared/report/fields.ts";
import { hints } from "../../../shared/report/hints.ts";
import * as fc from "../../support/fuzzing.ts";

/** What a program and a reader tell kinds of failure by (design, "Errors"). */
const KINDS: Readonly<Record<AuthErrorKind, readonly [prefix: string, retryable: boolean]>> = {
  network: ["Network error", true],
  timeout: ["Network error", true],
  rate_limited: ["HTTP error", true],
  server: ["HTTP error", true],
  rejected: ["HTTP error", false],
  config: ["Authentication error", false],
  aborted: ["Authentication error", false],
  protocol: ["Authentication error", false],
  verification: ["Authentication error", false],
};

for (const [kind, [prefix, retryable]] of Object.entries(KINDS) as [AuthErrorKind, [string, boolean]][]) {
  test(`a failure of kind ${kind} begins with "${prefix}" and ${retryable ? "may pass" : "is final"}`, () => {
    const error = new AuthError("it broke.", { kind, code: "unexpected" });
    assert.equal(error.message, `${prefix}: it broke.`);
    assert.equal(error.retryable, retryable);
  });
}

test("a refusal with an OAuth error is about who signs in", () => {
  const error = new AuthError("no.", { kind: "rejected", code: "invalid_client", oauthError: "invalid_client" });
  assert.equal(error.message, "Authentication error: no.");
  const passing = new AuthError("no.", { kind: "server", code: "server_error", oauthError: "server_error" });
  assert.equal(passing.message, "HTTP error: no.");
});

test("a failure has the name of its class, and no cause unless there is one", () => {
  const error = new AuthError("it broke.", { kind: "server", code: "server_error" });
  assert.equal(error.name, "AuthError");
  for (const told of [error, error.after(2), error.during("x")]) assert.ok(!("cause" in told));
});

test("a request counts as sent unless it is known that it was not", () => {
  const sent = (requestSent?: boolean): boolean =>
    new AuthError("", { kind: "network", code: "no_answer", ...(requestSent !== undefined && { requestSent }) })
      .requestSent;
  assert.deepEqual([sent(), sent(true), sent(false)], [true, true, false]);
});

test("a request that its caller ended is told as that", () => {
  const error = abortedError();
  assert.equal(error.message, "Authentication error: the request was ended by its caller.");
  assert.deepEqual([error.kind, error.code], ["aborted", "aborted"]);
});

test("a token that has ended is told in a class of its own, in the words of who found it out", () => {
  const found = new AuthError("the token ended (exp): an hour ago.", { kind: "verification", code: "token_expired" });
  const error = new TokenExpiredError(found);
  assert.equal(error.message, found.message);
  assert.deepEqual([error.name, error.kind, error.code], ["TokenExpiredError", "verification", "token_expired"]);
});

const exceptions: readonly (readonly [code: AuthErrorCode, kind: AuthErrorKind, retryable: boolean])[] = [
  ["unknown_host", "network", false],
  ["untrusted_certificate", "network", false],
  ["proxy_auth_required", "network", false],
  ["not_json", "protocol", true],
];
for (const [code, kind, retryable] of exceptions) {
  test(`${code} ${retryable ? "may pass" : "is final"} against the rule of its kind`, () => {
    assert.equal(new AuthError("it broke.", { kind, code }).retryable, retryable);
  });
}

const details: AuthErrorDetails = {
  kind: "rate_limited",
  code: "rate_limited",
  status: 429,
  retryAfterMs: 5000,
  hint: "Set {tsgId}.",
  cause: Object.assign(new Error("s3cret"), { code: "EPIPE" }),
};

test("the number of tries and the reason of an early end are told behind what happened", () => {
  const error = new AuthError("it broke.", details);
  assert.equal(error.after(1).message, "HTTP error: it broke.");
  assert.equal(error.after(3).message, "HTTP error: it broke (3 tries).");
  assert.equal(error.after(1, { because: "no time" }).message, "HTTP error: it broke (no time).");
  assert.equal(error.after(3, { because: "no time" }).message, "HTTP error: it broke (3 tries; no time).");
  assert.equal(error.after(4).attempts, 4);
  assert.equal(new AuthError("a.b broke", details).after(2).message, "HTTP error: a.b broke (2 tries).");
  assert.equal(new AuthError("a.b broke.", details).after(2).message, "HTTP error: a.b broke (2 tries).");
  assert.equal(error.after(4, { because: "no time", retryAfterMs: 9000 }).retryAfterMs, 9000);
});

test("what it happened to is told before what happened", () => {
  assert.equal(
    new AuthError("it broke.", details).during("token request").after(2).message,
    "HTTP error: token request: it broke (2 tries).",
  );
});

test("a failure told anew is the same failure", () => {
  const facts = ({ kind, code, status, retryable, retryAfterMs, hint, cause }: AuthError) => ({
    ...{ kind, code, status, retryable, retryAfterMs, hint, cause },
  });
  const error = new AuthError("it broke.", details);
  for (const told of [error.after(2), error.during("token request"), error.during("x").after(2).during("y")])
    assert.deepEqual(facts(told), facts(error));
});

test("the hint is that of the code unless one is given, in the reader's words", () => {
  assert.equal(new AuthError("", { kind: "server", code: "server_error" }).hint, hints.server_error);
  // Hints of the hand-off are not known here: its errors bring them along.
  assert.equal(new AuthError("", { kind: "config", code: "sealed_stale" }).hint, "");
  const error = new AuthError("", details);
  assert.equal(error.hint, "Set tsgId.");
  assert.equal(error.hintWith(inputNames), "Set tsg-id.");
});

test("an error of another copy of the package is recognised, and nothing else is", async () => {
  const url = new URL("../../../shared/report/errors.ts?copy", import.meta.url);
  const copy = (await import(url.href)) as { readonly AuthError: typeof AuthError };
  const foreign = new copy.AuthError("it broke.", details);
  assert.ok(!(foreign instanceof AuthError));
  // Copies of other versions know each other by this.
  assert.ok(Symbol.for("scm-auth.AuthError") in foreign);
  assert.ok(AuthError.isAuthError(foreign) && copy.AuthError.isAuthError(new AuthError("", details)));
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true }), (value) => {
      assert.ok(!AuthError.isAuthError(value));
    }),
  );
  assert.ok(!AuthError.isAuthError(new Error("AuthError")));
});

test("nothing that a cause says of itself is shown, but its name and code", () => {
  const inner = new Error("s3cret inside");
  const causes = [
    details.cause,
    new AggregateError([Object.assign(new Error("s3cret"), { code: "ECONNREFUSED" })], "s3cret"),
    Object.assign(new TypeError("s3cret", { cause: inner }), { stack: "s3cret", options: { body: "s3cret" } }),
    { message: "s3cret", toString: () => "s3cret" },
    "s3cret",
    42,
  ];
  for (const cause of causes) {
    const error = new AuthError("it broke.", { kind: "network", code: "connection_failed", cause })
      .during("x")
      .after(2);
    for (const options of [
      {},
      { showHidden: true, depth: 9 },
      { showHidden: true, customInspect: false, getters: true },
    ])
      assert.doesNotMatch(inspect(error, options), /s3cret/);
    assert.doesNotMatch(JSON.stringify([error, error.cause]), /s3cret/);
    assert.doesNotMatch(`${String(error)} ${error.stack ?? ""}`, /s3cret/);
  }
});

const causes: readonly (readonly [what: string, cause: unknown, name: string, code: string | undefined])[] = [
  ["a system error", Object.assign(new Error(""), { code: "EPIPE" }), "Error", "EPIPE"],
  ["an error without a code", new TypeError(""), "TypeError", undefined],
  ["several at once", new AggregateError([Object.assign(new Error(""), { code: "EPERM" })]), "AggregateError", "EPERM"],
  ["none at all, gathered", new AggregateError([]), "AggregateError", undefined],
  ["a code that is no text", Object.assign(new Error(""), { code: 7 }), "Error", undefined],
  ["an object whose name is no text", { name: 7 }, "object", undefined],
  ["text", "text", "string", undefined],
  ["null", null, "object", undefined],
];
for (const [what, cause, name, code] of causes) {
  test(`of a cause that is ${what} stays "${name}" and ${code ?? "no code"}`, () => {
    assert.deepEqual(new AuthError("", { ...details, cause }).cause, { name, code });
    assert.equal(errorCode(cause), code);
  });
}

test("a config error tells all problems, each with its field", () => {
  const error = configError([
    { field: "clientId", reason: "is missing", hint: "Give it." },
    { field: "scope", reason: "is for another tenant than {tsgId}", hint: "Leave it." },
  ]);
  assert.equal(error.message, "Authentication error: clientId is missing; scope is for another tenant than tsgId.");
  assert.deepEqual([error.kind, error.code, error.problems.length], ["config", "invalid_config", 2]);
});

test("problems are told in the names that they were made for, or in those that are asked for", () => {
  const raw = [{ field: "scope", reason: "is for another tenant than {tsgId}", hint: "Leave {scope} out." }];
  const variables = { ...FIELD_NAMES, scope: "SCM_SCOPE", tsgId: "SCM_TSG_ID" };
  const ours = { field: "scope", reason: "is for another tenant than tsgId", hint: "Leave scope out." };
  const theirs = { field: "SCM_SCOPE", reason: "is for another tenant than SCM_TSG_ID", hint: "Leave SCM_SCOPE out." };
  assert.deepEqual(configError(raw).problems, [ours]);
  const error = configError(raw, variables);
  assert.equal(error.message, "Authentication error: SCM_SCOPE is for another tenant than SCM_TSG_ID.");
  for (const told of [error, error.during("x").after(2)]) assert.deepEqual(told.problems, [theirs]);
  assert.equal(error.problemsWith(inputNames)[0]?.reason, "is for another tenant than tsg-id");
  assert.deepEqual(new AuthError("", details).problemsWith(inputNames), []);
  const hinted = new AuthError("", { ...details, names: variables });
  assert.deepEqual(
    [hinted.hint, hinted.after(2).hint, hinted.hintWith(inputNames)],
    ["Set SCM_TSG_ID.", "Set SCM_TSG_ID.", "Set tsg-id."],
  );
});
