// Loads the package twice in one process, as when a program imports it and one of its dependencies requires it.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import * as imported from "scm-auth";

const required = createRequire(import.meta.url)("scm-auth");
assert.notEqual(imported.AuthError, required.AuthError);
assert.deepEqual(Object.keys(imported).sort(), Object.keys(required).sort());

for (const [one, other] of [
  [imported, required],
  [required, imported],
]) {
  const request = one.AuthRequest.fromEnv();
  assert.ok(!(request instanceof other.AuthRequest) && other.AuthRequest.isAuthRequest(request));
  const client = await other.OAuth2Client.connect(request);
  assert.equal(client.authRequest, request);
  assert.throws(
    () => one.AuthRequest.parse({}),
    (error) => !(error instanceof other.AuthError) && other.AuthError.isAuthError(error),
  );
  await assert.rejects(
    client.session.request("GET", "/nowhere"),
    (error) => !(error instanceof one.ApiError) && one.ApiError.isApiError(error),
  );
}
console.log("each copy recognizes the objects of the other");
