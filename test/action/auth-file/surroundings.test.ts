import assert from "node:assert/strict";
import { test } from "node:test";

import { warningsOf } from "../../../action/auth-file/surroundings.ts";
import { AuthRequest } from "../../../shared/token/auth-request.ts";

const clientId = "ci@1.iam.panserviceaccount.com";
const request = AuthRequest.parse({ clientId, clientSecret: "s3cret-value", scope: "tsg_id:1 email" });

const harmful: Readonly<Record<string, readonly string[]>> = {
  TF_LOG: ["DEBUG", "trace", "JSON"],
  TF_LOG_PROVIDER: ["INFO"],
  SCM_LOGGING: ["quiet-not", "basic"],
  SCM_AUTH_URL: ["https://auth.apps.paloaltonetworks.com/am/oauth2/access_token"],
  SCM_CLIENT_ID: ["cd@1.iam.panserviceaccount.com"],
  SCM_CLIENT_SECRET: ["an0ther-s3cret-value"],
  SCM_SCOPE: ["tsg_id:2", "tsg_id:1"],
  SCM_HEADERS: ['{"x-planted":"1"}'],
  SCM_SKIP_VERIFY_CERTIFICATE: ["true", "1", "T"],
};
for (const [name, values] of Object.entries(harmful)) {
  for (const value of values) {
    test(`${name}=${value} is warned of by name, with what it does and without its value`, () => {
      const warnings = warningsOf({ [name]: value }, request);
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? "", new RegExp(`^${name} is set in this job\\. It \\w.{30,}\\.$`));
      assert.ok(!warnings[0]?.includes(value) || value.length < 6);
    });
  }
}

const harmless: readonly (readonly [name: string, value: string])[] = [
  ["TF_LOG", "off"],
  ["TF_LOG", ""],
  ["SCM_LOGGING", " "],
  ["SCM_CLIENT_ID", clientId],
  ["SCM_SCOPE", "email  tsg_id:1"],
  ["SCM_SKIP_VERIFY_CERTIFICATE", "false"],
  ["SCM_SKIP_VERIFY_CERTIFICATE", "0"],
  ["SCM_HOST", "api.example"],
];
for (const [name, value] of harmless) {
  test(`${name}=${JSON.stringify(value)} does no harm`, () => {
    assert.deepEqual(warningsOf({ [name]: value }, request), []);
  });
}

test("each variable gets its own warning", () => {
  const all = Object.fromEntries(Object.entries(harmful).map(([name, [value]]) => [name, value]));
  assert.equal(warningsOf(all, request).length, Object.keys(harmful).length);
});
