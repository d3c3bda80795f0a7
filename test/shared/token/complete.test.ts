import assert from "node:assert/strict";
import { test } from "node:test";

import { AuthError } from "../../../shared/report/errors.ts";
import { AuthRequest, type AuthRequestInput } from "../../../shared/token/auth-request.ts";

const ENV = {
  SCM_CLIENT_ID: "env@1.iam.panserviceaccount.com",
  SCM_CLIENT_SECRET: "secret-of-the-environment",
  SCM_TSG_ID: "42",
  SCM_AUTH_URL: "https://env.test/access_token",
};

const problemsOf = (input: AuthRequestInput, env: Readonly<Record<string, string>>): readonly string[] => {
  try {
    AuthRequest.complete(input, env);
    return [];
  } catch (error) {
    assert.ok(AuthError.isAuthError(error));
    return error.problems.map(({ field, reason }) => `${field} ${reason}`);
  }
};

test("what is not given by hand is taken from the environment", () => {
  const { clientId, clientSecret, scope, tokenUrl } = AuthRequest.complete({}, ENV);
  assert.deepEqual(
    [clientId, clientSecret, scope, tokenUrl.href],
    [ENV.SCM_CLIENT_ID, ENV.SCM_CLIENT_SECRET, "tsg_id:42", ENV.SCM_AUTH_URL],
  );
  const given = AuthRequest.complete({ clientSecret: "given", tokenUrl: "https://given.test/token" }, ENV);
  assert.deepEqual(
    [given.clientId, given.clientSecret, given.scope, given.tokenUrl.href],
    [ENV.SCM_CLIENT_ID, "given", "tsg_id:42", "https://given.test/token"],
  );
});

test("what is given empty or undefined is not given", () => {
  const fields = ["clientId", "clientSecret", "tsgId", "scope", "tokenUrl"];
  const whole = AuthRequest.complete({}, ENV);
  for (const value of ["", undefined]) {
    const empty = AuthRequest.complete(Object.fromEntries(fields.map((field) => [field, value])), ENV);
    assert.deepEqual(
      [empty.clientId, empty.clientSecret, empty.scope, empty.tokenUrl.href, empty.notices],
      [whole.clientId, whole.clientSecret, whole.scope, whole.tokenUrl.href, whole.notices],
    );
  }
  assert.deepEqual(problemsOf({ clientSecret: " " }, ENV), ["clientSecret is missing or blank"]);
});

test("the environment's tenant is about the environment's account alone", () => {
  const another = AuthRequest.complete(
    { clientId: "me@7.iam.panserviceaccount.com" },
    { ...ENV, SCM_SCOPE: "tsg_id:42" },
  );
  assert.equal(another.scope, "tsg_id:7");
  assert.equal(AuthRequest.complete({ tsgId: "8" }, { ...ENV, SCM_SCOPE: "tsg_id:42" }).scope, "tsg_id:8");
  assert.equal(AuthRequest.complete({ scope: "tsg_id:9" }, ENV).scope, "tsg_id:9");
});

test("problems name the field as it was given, or the variable, or both where neither is set", () => {
  assert.deepEqual(problemsOf({ tsgId: "x" }, { SCM_CLIENT_ID: "a b" }), [
    "SCM_CLIENT_ID holds white space or control characters",
    "clientSecret (or SCM_CLIENT_SECRET) is missing or blank",
    "tsgId is not digits alone",
  ]);
  const host = { ...ENV, SCM_AUTH_URL: "https://env.test" };
  assert.deepEqual(problemsOf({}, host), ["SCM_AUTH_URL does not end in /access_token"]);
  assert.deepEqual(problemsOf({ tokenUrl: "https://given.test/token" }, host), []);
});
