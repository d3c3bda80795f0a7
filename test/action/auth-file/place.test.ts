import assert from "node:assert/strict";
import { basename, dirname, join, resolve } from "node:path";
import { test } from "node:test";

import { placeOf } from "../../../action/auth-file/place.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import { AuthRequest, type AuthRequestInput } from "../../../shared/token/auth-request.ts";

const requestFor = (change: AuthRequestInput = {}): AuthRequest =>
  AuthRequest.parse({
    clientId: "ci@1.iam.panserviceaccount.com",
    clientSecret: "s3cret-value",
    tsgId: "1",
    ...change,
  });

const temp = resolve("/runner/_temp");

test("the usual file lies directly in the runner's temporary folder", () => {
  const { path, isTemporary } = placeOf(true, requestFor(), temp);
  assert.equal(dirname(path), temp);
  assert.match(basename(path), /^scm-auth-[0-9a-f]{12}\.json$/);
  assert.equal(isTemporary, true);
});

test("one identity has one usual file, whatever its secret", () => {
  assert.equal(
    placeOf(true, requestFor(), temp).path,
    placeOf(true, requestFor({ clientSecret: "another-s3cret" }), temp).path,
  );
});

test("two identities have two", () => {
  const others: readonly AuthRequestInput[] = [
    { clientId: "cd@1.iam.panserviceaccount.com" },
    { tsgId: "2" },
    { scope: "tsg_id:1 email" },
    { tokenUrl: "https://auth.scm.test/am/oauth2/access_token" },
  ];
  const paths = [{}, ...others].map((change) => placeOf(true, requestFor(change), temp).path);
  assert.equal(new Set(paths).size, paths.length);
});

test("a path is seen from the workspace", () => {
  assert.equal(placeOf("auth.json", requestFor(), temp).path, resolve("auth.json"));
});

const inAndOut: readonly (readonly [path: string, isTemporary: boolean])[] = [
  [join(temp, "auth.json"), true],
  [join(temp, "a", "auth.json"), true],
  [join(temp, "..", "auth.json"), false],
  [`${temp}-other/auth.json`, false],
  ["auth.json", false],
];
for (const [path, isTemporary] of inAndOut) {
  test(`${path} is ${isTemporary ? "inside" : "outside"} the runner's temporary folder`, () => {
    assert.equal(placeOf(path, requestFor(), temp).isTemporary, isTemporary);
  });
}

test("without a temporary folder every path is outside of it", () => {
  assert.equal(placeOf("auth.json", requestFor(), undefined).isTemporary, false);
});

for (const missing of [undefined, ""]) {
  test(`there is no usual place when RUNNER_TEMP is ${String(missing)}`, () => {
    assert.throws(
      () => placeOf(true, requestFor(), missing),
      (error) => AuthError.isAuthError(error) && error.kind === "config" && error.message.includes("RUNNER_TEMP"),
    );
  });
}
