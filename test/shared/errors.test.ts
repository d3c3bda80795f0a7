import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { ApiError } from "../../shared/api-error.ts";
import {
  abortedError,
  AuthError,
  configError,
  getErrorCode,
  TokenExpiredError,
  type AuthErrorCode,
  type AuthErrorKind,
  type AuthErrorOptions,
} from "../../shared/errors.ts";
import { HINTS } from "../../shared/hints.ts";
import { fc } from "../support/fuzzing.ts";

const KINDS: readonly (readonly [AuthErrorKind, prefix: string, retryable: boolean, requestSent: boolean])[] = [
  ["network", "Network error", true, true],
  ["timeout", "Network error", true, true],
  ["rate_limited", "HTTP error", true, true],
  ["server", "HTTP error", true, true],
  ["rejected", "HTTP error", false, true],
  ["config", "Configuration error", false, false],
  ["file", "File error", false, false],
  ["aborted", "Aborted", false, true],
  ["protocol", "Authentication error", false, true],
  ["verification", "Authentication error", false, true],
];
for (const [kind, prefix, retryable, requestSent] of KINDS) {
  test(`starts an error of kind ${kind} with "${prefix}" and ${retryable ? "marks" : "does not mark"} it as retryable`, () => {
    const error = new AuthError("it broke.", { kind, code: "internal_error" });
    assert.equal(error.message, `${prefix}: it broke.`);
    assert.deepEqual([error.retryable, error.requestSent, error.attempts], [retryable, requestSent, 0]);
    assert.deepEqual([error.name, error.issues, "cause" in error], ["AuthError", [], false]);
  });
}

for (const [code, kind, retryable] of [
  ["host_not_found", "network", false],
  ["untrusted_certificate", "network", false],
  ["proxy_auth_required", "network", false],
  ["invalid_json", "protocol", true],
] as const) {
  test(`${retryable ? "marks" : "does not mark"} ${code} as retryable, unlike other errors of kind ${kind}`, () => {
    assert.equal(new AuthError("it broke.", { kind, code }).retryable, retryable);
  });
}

test("attributes an OAuth error response to the identity", () => {
  const error = new AuthError("no.", { kind: "rejected", code: "invalid_client", oauthError: "invalid_client" });
  assert.equal(error.message, "Authentication error: no.");
  const server = new AuthError("no.", { kind: "server", code: "server_error", oauthError: "server_error" });
  assert.equal(server.message, "HTTP error: no.");
});

const options: AuthErrorOptions = {
  ...{ kind: "rate_limited", code: "rate_limited", status: 429, retryAfterMs: 5000, hint: "Do this.", attempts: 2 },
  ...{ oauthError: "x", requestSent: false, cause: Object.assign(new Error("s3cret"), { code: "EPIPE" }) },
  issues: [{ field: "a", message: "b", hint: "c" }],
};

test("keeps an error's other properties when its description is replaced", () => {
  const error = new AuthError("it broke.", options);
  const copy = error.with("token request: it broke.", { attempts: 4 });
  assert.deepEqual({ ...copy }, { ...error, attempts: 4 });
  assert.deepEqual([copy.message, copy.cause], ["HTTP error: token request: it broke.", error.cause]);
  assert.equal(copy.description, "token request: it broke.");
});

test("has a hint for every code, which an error can override", () => {
  for (const [code, hint] of Object.entries(HINTS) as [AuthErrorCode, string][]) {
    assert.equal(new AuthError("", { kind: "server", code }).hint, hint);
    assert.match(hint, /^[A-Z].*[.?)]$/);
  }
  assert.equal(new AuthError("", options).hint, "Do this.");
});

test("recognizes only AuthErrors, including those created by another copy of the package", async () => {
  const url = new URL("../../shared/errors.ts?copy", import.meta.url);
  const copy = (await import(url.href)) as { readonly AuthError: typeof AuthError };
  const error = new copy.AuthError("it broke.", options);
  assert.ok(!(error instanceof AuthError));
  assert.ok(AuthError.isAuthError(error) && copy.AuthError.isAuthError(new AuthError("", options)));
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true }), (value) => {
      assert.ok(!AuthError.isAuthError(value));
    }),
  );
  assert.ok(!AuthError.isAuthError(new Error("AuthError")));
});

test("shows the class name, the message, the hint, and the link in the stack, when printed, and in JSON", () => {
  const expired = "Authentication error: the access token has expired.";
  const errors = [
    [new AuthError("it broke.", options), "AuthError", "HTTP error: it broke.", "Do this.", "rate_limited"],
    [new TokenExpiredError(), "TokenExpiredError", expired, "clock", "token_expired"],
    [new ApiError("it broke.", { status: 400, hint: "Do this." }), "ApiError", "it broke.", "Do this.", "api_400"],
  ] as const;
  for (const [error, name, message, hint, anchor] of errors) {
    assert.ok(error.stack?.startsWith(`${name}: ${message}\n`), error.stack);
    assert.ok(inspect(error).startsWith(`${name}: ${message}\n`) && inspect(error).includes("hint: "));
    const json = JSON.parse(JSON.stringify({ error })) as { readonly error: Readonly<Record<string, string>> };
    assert.deepEqual([json.error["name"], json.error["message"]], [name, message]);
    assert.ok(json.error["hint"]?.includes(hint));
    const docs = `https://github.com/OWNER/scm-auth/blob/v1/docs/troubleshooting.md#${anchor}`;
    assert.deepEqual([json.error["docs"], inspect(error).includes(docs)], [docs, true]);
  }
});

test("links an ApiError to the section about its status", () => {
  for (const [status, anchor] of [
    [200, "api_2xx"],
    [302, "api_3xx"],
    [404, "api_404"],
    [418, "api_400"],
    [408, "api_5xx"],
    [503, "api_5xx"],
  ] as const)
    assert.ok(new ApiError("it broke.", { status }).docs.endsWith(`troubleshooting.md#${anchor}`));
});

const CAUSES: readonly (readonly [cause: unknown, name: string, code: string | undefined])[] = [
  [Object.assign(new Error("s3cret"), { code: "EPIPE" }), "Error", "EPIPE"],
  [new TypeError("s3cret", { cause: new Error("s3cret") }), "TypeError", undefined],
  [new AggregateError([Object.assign(new Error("s3cret"), { code: "EPERM" })], "s3cret"), "AggregateError", "EPERM"],
  [new AggregateError([]), "AggregateError", undefined],
  [Object.assign(new Error("s3cret"), { code: 7, stack: "s3cret", body: "s3cret" }), "Error", undefined],
  [{ name: 7, message: "s3cret", toString: () => "s3cret" }, "object", undefined],
  ["s3cret", "string", undefined],
  [null, "object", undefined],
];
test("shows only the name and code of a cause", () => {
  for (const [cause, name, code] of CAUSES) {
    const error = new AuthError("it broke.", { ...options, cause }).with("it broke again.");
    assert.deepEqual([error.cause, getErrorCode(cause)], [{ name, code }, code]);
    const shown = [inspect(error, { showHidden: true, depth: 9 }), JSON.stringify([error, error.cause]), error.stack];
    assert.doesNotMatch(shown.join(), /s3cret/);
    assert.match(shown[0] ?? "", /hint: 'Do this\.'/);
  }
});

test("keeps the caller's reason when a request is aborted", () => {
  const reason = new RangeError("enough");
  const error = abortedError(reason);
  assert.equal(error.message, "Aborted: the caller's signal was aborted.");
  assert.deepEqual([error.kind, error.code, error.cause], ["aborted", "aborted", reason]);
});

test("lists all issues and each distinct hint once in a configuration error", () => {
  const error = configError([
    { field: "clientId", message: "is required", hint: "Set it." },
    { field: "clientSecret", message: "is required", hint: "Set it." },
    { field: "scope", message: "has no tenant", hint: "Omit scope." },
  ]);
  assert.equal(
    error.message,
    "Configuration error: clientId is required; clientSecret is required; scope has no tenant.",
  );
  assert.deepEqual([error.kind, error.code, error.issues.length], ["config", "invalid_config", 3]);
  assert.deepEqual([error.hint, error.requestSent], ["Set it. Omit scope.", false]);
});

test("reports an expired token as an error of a separate class", () => {
  const error = new TokenExpiredError();
  assert.ok(error instanceof AuthError && AuthError.isAuthError(error));
  assert.deepEqual([error.name, error.kind, error.code], ["TokenExpiredError", "verification", "token_expired"]);
  assert.equal(error.message, "Authentication error: the access token has expired.");
});
