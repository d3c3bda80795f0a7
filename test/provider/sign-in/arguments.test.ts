import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { hasSecret, KNOWN, signInOf, type Arguments } from "../../../provider/sign-in/arguments.ts";
import { failureText } from "../../../provider/sign-in/failure-text.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import { folderFor } from "../../support/bundled.ts";
import { assertNoCanary } from "../../support/canaries.ts";
import { makeCertificates } from "../../support/certificate.ts";

const SECRET = "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10";
const GOOD: Arguments = { path: "a.json", clientId: "me@1.iam.panserviceaccount.com", clientSecret: SECRET };

const fieldsOf = (args: Arguments, known: readonly string[] = KNOWN.AuthFile): readonly string[] => {
  try {
    signInOf(args, known, {});
    return [];
  } catch (error) {
    assert.ok(AuthError.isAuthError(error));
    assertNoCanary([SECRET], { text: failureText(error) });
    return error.problems.map(({ field }) => field);
  }
};

test("what is left out has its default, and undefined and null are left out", () => {
  const { request, ...options } = signInOf({ ...GOOD, scope: undefined, ca: null, timeout: null }, KNOWN.AuthFile, {});
  assert.deepEqual(options, { timeout: 60, maxRetries: 3, minTtl: undefined });
  assert.equal(request.scope, "tsg_id:1");
});

test("each bad argument is told, and all at once", () => {
  const bad = {
    path: " ",
    timeout: 0,
    maxRetries: 1.5,
    minTtl: "5",
    tsgId: 12,
    ca: "no such file",
    tokenUrl: "http://a",
  };
  assert.deepEqual([...fieldsOf({ ...GOOD, ...bad })].sort(), Object.keys(bad).sort());
  assert.deepEqual(fieldsOf({ ...GOOD, path: undefined }), ["path"]);
  assert.deepEqual(fieldsOf(GOOD), []);
});

test("each part of the interface knows its own arguments", () => {
  assert.deepEqual(fieldsOf(GOOD, KNOWN.AccessToken), ["path"]);
  assert.deepEqual(fieldsOf({ ...GOOD, path: undefined, authFile: "a.json" }, KNOWN.getAccessToken), []);
  assert.deepEqual(fieldsOf({ ...GOOD, [`x\n${"y".repeat(200)}`]: 1, client_secret: SECRET }).length, 2);
});

test("names of the Python SDK and of Terraform are told with ours", () => {
  assert.throws(
    () => signInOf({ ...GOOD, max_retries: 3 }, KNOWN.AuthFile, {}),
    ({ message }: Error) => message.includes("max_retries is called maxRetries here"),
  );
});

test("certificates are given as text, or by the path of a file", async (t) => {
  const { ca } = await makeCertificates();
  const file = join(await folderFor(t, tmpdir()), "ca.pem");
  await writeFile(file, ca);
  for (const given of [ca, file])
    assert.equal(signInOf({ ...GOOD, ca: given }, KNOWN.AuthFile, {}).request.ca, ca.trim());
});

test("a secret is one that is given, or stands in the environment, and is not blank", () => {
  assert.deepEqual(
    [
      hasSecret({}, {}),
      hasSecret({ clientSecret: "" }, { SCM_CLIENT_SECRET: " " }),
      hasSecret({ clientSecret: "a" }, {}),
      hasSecret({}, { SCM_CLIENT_SECRET: "a" }),
    ],
    [false, false, true, true],
  );
});

test("a failure is two lines, and an error of anybody else's is told without its words", () => {
  const ours = new AuthError("it did not work.", { kind: "network", code: "connection_refused" });
  assert.match(failureText(ours), /^Network error: it did not work\.\n[^\n]+$/);
  const text = failureText(new TypeError(`cannot read ${SECRET}`));
  assert.match(text, /^Authentication error: something unexpected happened \(TypeError\)\.\n[^\n]+$/);
  assertNoCanary([SECRET], { text });
});
