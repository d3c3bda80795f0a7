// The package twice in one process, as when a program imports it and one of its dependencies requires it.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import * as imported from "scm-auth";

const required = createRequire(import.meta.url)("scm-auth");
assert.notEqual(imported.AuthError, required.AuthError);
assert.deepEqual(Object.keys(imported).sort(), Object.keys(required).sort());

const failureOf = (work) =>
  Promise.resolve()
    .then(work)
    .then(assert.fail, (error) => error);

for (const [one, other] of [
  [imported, required],
  [required, imported],
]) {
  // What one copy checked, the other signs in with.
  const request = one.AuthRequest.fromEnv();
  assert.ok(!(request instanceof other.AuthRequest) && other.AuthRequest.isAuthRequest(request));
  const client = await other.OAuth2Client.connect(request, { apiUrl: process.env.API_URL });
  assert.equal(client.authRequest, request);

  const wrong = await failureOf(() => one.AuthRequest.parse({}));
  assert.ok(!(wrong instanceof other.AuthError) && other.AuthError.isAuthError(wrong));
  assert.equal(wrong.code, "invalid_config");

  const refused = await failureOf(() => client.session.request("GET", "/nowhere"));
  assert.ok(!(refused instanceof one.ApiError) && one.ApiError.isApiError(refused));
}
console.log("each knows what the other made");
