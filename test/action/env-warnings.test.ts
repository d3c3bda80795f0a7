import assert from "node:assert/strict";
import { test } from "node:test";

import { environmentWarnings } from "../../action/env-warnings.ts";
import { AuthRequest } from "../../shared/auth-request.ts";

const clientId = "ci@1.iam.panserviceaccount.com";
const request = AuthRequest.parse({ clientId, clientSecret: "3f0d8ab2-5b1c-4c7e", scope: "tsg_id:1 profile" });

const harmful: readonly (readonly [name: string, value: string, warning: RegExp])[] = [
  ["TF_LOG", "DEBUG", /including the token/],
  ["TF_LOG_PROVIDER", "json", /including the token/],
  ["SCM_LOGGING", "quiet", /including the token/],
  ["SCM_AUTH_URL", "https://auth.example.com", /overrides auth_url/],
  ["SCM_CLIENT_ID", "another", /overrides the client ID/],
  ["SCM_CLIENT_SECRET", "s3cret-value", /exposes the client secret/],
  ["SCM_SCOPE", "tsg_id:2", /overrides the scope/],
  ["SCM_HEADERS", '{"a":"b"}', /these headers/],
  ["SCM_SKIP_VERIFY_CERTIFICATE", "true", /disables certificate verification/],
];

test("each variable that overrides the auth file causes one warning that contains its name but not its value", () => {
  for (const [name, value, warning] of harmful) {
    const [text = "", ...others] = environmentWarnings({ [name]: value }, request);
    assert.deepEqual(others, [], name);
    assert.match(text, warning);
    assert.ok(text.startsWith(`${name} is set in this job: it `) && !text.includes(value), text);
  }
  const all = Object.fromEntries(harmful.map(([name, value]) => [name, value]));
  assert.equal(environmentWarnings(all, request).length, harmful.length);
});

test("variables that are blank, disabled, or consistent with the auth file cause no warning", () => {
  const harmless = { TF_LOG: "off", SCM_CLIENT_ID: clientId, SCM_SCOPE: "profile  tsg_id:1", SCM_SKIP_VERIFY_CERTIFICATE: "False" }; // prettier-ignore
  assert.deepEqual(environmentWarnings({ ...harmless, SCM_HEADERS: " ", PATH: "/bin" }, request), []);
});
