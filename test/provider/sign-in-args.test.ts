import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { formatError } from "../../provider/error-message.ts";
import {
  collectIssues,
  findMissingVariables,
  parseSignInArgs,
  type Args,
  type ArgsOwner,
} from "../../provider/sign-in-args.ts";
import { AuthError, configError } from "../../shared/errors.ts";
import { createCertificates } from "../support/certificates.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { createTempDir } from "../support/temp-dir.ts";

const SECRET = "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10";
const VALID: Args = { path: "a.json", clientId: "me@1.iam.panserviceaccount.com", clientSecret: SECRET };

const findFields = (args: Args, owner: ArgsOwner = "AuthFile"): readonly string[] => {
  const { issues } = collectIssues(() => parseSignInArgs(args, owner, {}));
  assertNoSecret({ error: formatError(configError(issues)) }, [SECRET]);
  return issues.map(({ field }) => field);
};

test("parseSignInArgs uses defaults for arguments that are undefined or null", () => {
  const args = { ...VALID, scope: undefined, ca: null, timeout: null };
  const { authRequest, ...options } = parseSignInArgs(args, "AuthFile", {});
  assert.deepEqual(options, { timeout: 60, maxRetries: 3, minTtl: undefined });
  assert.equal(authRequest.scope, "tsg_id:1");
});

test("parseSignInArgs reports every invalid argument", () => {
  const invalid = {
    path: " ",
    timeout: 0,
    maxRetries: 1.5,
    minTtl: "5",
    tsgId: 12,
    ca: "none.pem",
    tokenUrl: "http://a",
  };
  assert.deepEqual([...findFields({ ...VALID, ...invalid })].sort(), Object.keys(invalid).sort());
  assert.deepEqual(findFields({ ...VALID, path: undefined }), ["path"]);
  assert.deepEqual(findFields(VALID), []);
});

test("parseSignInArgs accepts only the arguments that its owner supports", () => {
  const { path, ...args } = VALID;
  assert.deepEqual(findFields(VALID, "AccessToken"), ["path"]);
  assert.deepEqual(findFields({ ...args, authFile: "a.json" }, "getAccessToken"), []);
  assert.deepEqual(findFields({ ...VALID, client_secret: SECRET, [`x\n${"y".repeat(200)}`]: 1 }).length, 2);
});

test("parseSignInArgs accepts certificates as PEM text or as a path", async (t) => {
  const { ca } = createCertificates();
  const path = join(await createTempDir(t), "ca.pem");
  await writeFile(path, ca);
  for (const given of [ca, path])
    assert.equal(parseSignInArgs({ ...VALID, ca: given }, "AuthFile", {}).authRequest.ca, ca.trim());
});

test("findMissingVariables accepts an argument or a variable, and ignores blank ones", () => {
  assert.deepEqual(findMissingVariables({}, {}), ["SCM_CLIENT_ID", "SCM_CLIENT_SECRET"]);
  assert.deepEqual(findMissingVariables({ clientSecret: "", clientId: "a" }, { SCM_CLIENT_SECRET: " " }), [
    "SCM_CLIENT_SECRET",
  ]);
  assert.deepEqual(findMissingVariables({ clientSecret: "a" }, { SCM_CLIENT_ID: "a" }), []);
});

test("formatError returns the cause, the hint, and the link of an AuthError, and hides the message of any other error", () => {
  const error = new AuthError("it failed.", { kind: "network", code: "connection_refused" });
  assert.match(formatError(error), /^Network error: it failed\.\n[^\n]+\nSee \S+#\w+$/);
  const text = formatError(new TypeError(`cannot read ${SECRET}`));
  assert.match(text, /^Authentication error: unexpected error \(TypeError\)\.\n[^\n]+\nSee \S+#internal_error$/);
  assertNoSecret({ text }, [SECRET]);
});
