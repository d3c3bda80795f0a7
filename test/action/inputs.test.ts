import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { rootCertificates } from "node:tls";
import { inspect } from "node:util";

import { INPUT_NAMES, readInputs, type Inputs } from "../../action/inputs.ts";
import { Runner } from "../../action/runner.ts";
import { AuthError, type ConfigIssue } from "../../shared/errors.ts";
import { fc } from "../support/fuzzing.ts";
import { readInputDefaults, toInputVariables } from "../support/runner-job.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { setVariables } from "../support/variables.ts";

type InputName = (typeof INPUT_NAMES)[keyof typeof INPUT_NAMES];
type Given = Readonly<Partial<Record<InputName, string>>>;

const SECRET = "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10";
const VALID: Given = { "client-id": "ci@1.iam.panserviceaccount.com", "client-secret": SECRET, "tsg-id": "1" };
const DEFAULTS = await readInputDefaults();

/** Reads inputs as a step receives them, with the defaults in action.yml. */
function read(given: Given): Inputs {
  const cleanUps: (() => void)[] = [];
  setVariables({ after: (callback) => cleanUps.push(callback) }, toInputVariables({ ...DEFAULTS, ...VALID, ...given }));
  try {
    return readInputs(new Runner(), given["client-secret"] ?? SECRET);
  } finally {
    for (const cleanUp of cleanUps) cleanUp();
  }
}

function getIssues(given: Given): readonly ConfigIssue[] {
  try {
    read(given);
    return [];
  } catch (error) {
    assert.ok(AuthError.isAuthError(error), String(error));
    assert.equal(error.kind, "config");
    assert.ok(!inspect(error, { showHidden: true, depth: 9 }).includes(SECRET));
    return error.issues;
  }
}

const getFields = (given: Given): readonly string[] => getIssues(given).map(({ field }) => field);

const OPTIONAL = (Object.values(INPUT_NAMES) as InputName[]).filter((name) => !(name in VALID));

test("blank inputs, omitted inputs, and the defaults in action.yml have the same meaning", () => {
  const { authRequest, ...options } = read({});
  assert.deepEqual(options, {
    verify: true,
    policy: { maxRetries: 9, backoff: 0.3, spreadOnOverload: true },
    timeout: 240,
    minTtl: undefined,
    authFile: undefined,
    seal: false,
    sealedToken: undefined,
    check: false,
  });
  assert.equal(authRequest.tokenUrl.href, DEFAULTS["token-url"]);
  assert.equal(read({ "auth-file": "true", "keep-fresh": " " }).authFile?.keepFresh, true);
  // A blank sealed-token means that the runner dropped another job's output.
  for (const blank of ["", " \n"]) {
    const given = Object.fromEntries(OPTIONAL.map((name) => [name, name === "sealed-token" ? "false" : blank]));
    const { authRequest: same, ...others } = read(given);
    assert.deepEqual([others, same.tokenUrl, same.scope], [options, authRequest.tokenUrl, authRequest.scope]);
  }
});

test("passes the sign-in inputs to the request", async (t) => {
  const [certificate = ""] = rootCertificates;
  const file = join(await createTempDir(t), "ca.pem");
  await writeFile(file, `# comment\n${certificate}`);
  const { authRequest } = read({
    scope: "tsg_id:1 profile",
    "token-url": "https://auth.example.com/a/token",
    "jwks-url": "https://auth.example.com/keys",
    "ca-cert": file,
  });
  assert.deepEqual(
    [
      authRequest.clientId,
      authRequest.clientSecret,
      authRequest.scope,
      authRequest.tsgIds,
      new X509Certificate(authRequest.ca ?? "").raw,
    ],
    [VALID["client-id"], SECRET, "tsg_id:1 profile", ["1"], new X509Certificate(certificate).raw],
  );
  assert.deepEqual(
    [authRequest.tokenUrl.href, authRequest.jwksUrl.href],
    ["https://auth.example.com/a/token", "https://auth.example.com/keys"],
  );
});

const booleans: readonly (readonly [text: string, value: boolean | undefined])[] = [
  ["true", true], ["True", true], ["TRUE", true], [" true\n", true],
  ["false", false], ["False", false], ["FALSE", false], ["\tfalse ", false],
  ["yes", undefined], ["on", undefined], ["1", undefined], ["0", undefined], ["tRUE", undefined], ["'true'", undefined],
  ["constructor", undefined], ["null", undefined],
]; // prettier-ignore
test("accepts the booleans of the YAML 1.2 core schema and no others", () => {
  for (const [text, value] of booleans) {
    if (value === undefined) assert.deepEqual(getFields({ verify: text }), ["verify"], text);
    else assert.equal(read({ verify: text }).verify, value, text);
  }
});

for (const [name, field, min, max] of [
  ["max-retries", "maxRetries", 0, 20],
  ["timeout", "timeout", 1, 3600],
  ["min-ttl", "minTtl", 0, 86_400],
] as const) {
  test(`accepts only decimal integers from ${min} to ${max} for ${name}`, () => {
    const valid = [String(min), String(max), ` 0${max} `];
    const values = valid
      .map((text) => read({ [name]: text }))
      .map((inputs) => ({ ...inputs, ...inputs.policy })[field]);
    assert.deepEqual(values, [min, max, max]);
    const invalid = [min - 1, max + 1, "1e1", "0x10", "1.0", "+1", "1_0", "٣", "NaN", "1 0", "12345678901", "5m"];
    for (const text of invalid) {
      const [issue, ...others] = getIssues({ [name]: String(text) });
      assert.deepEqual([issue?.field, others.length], [field, 0], String(text));
      assert.equal(issue?.message, `must be an integer between ${min} and ${max}`);
    }
  });
}

const authFiles: readonly (readonly [text: string, path: string | true | undefined])[] = [
  ["true", true], [" TRUE ", true], ["false", undefined], ["", undefined], [".scm/auth.json", ".scm/auth.json"],
  [" /t/a b.json\n", "/t/a b.json"], ["truely", "truely"], ["./yes", "./yes"],
]; // prettier-ignore
test("accepts true, false, or a path for auth-file, but no path that looks like a boolean", () => {
  for (const [text, path] of authFiles) assert.equal(read({ "auth-file": text }).authFile?.path, path, text);
  for (const text of ["yes", "No", "ON", "off", "1", "0", "y", "n", "a\nb", "a\u0001"])
    assert.deepEqual(getFields({ "auth-file": text }), ["authFile"], text);
});

test("sealed-token is trimmed, is undefined by default, and is empty if the runner dropped the output", () => {
  for (const [text, value] of [
    ["false", undefined],
    [" a.b.c.d.e\n", "a.b.c.d.e"],
    ["", ""],
  ] as const)
    // prettier-ignore
    assert.equal(read({ "sealed-token": text }).sealedToken, value);
});

test("rejects verify: false with seal or a sealed token, but accepts it with an empty sealed-token", () => {
  assert.deepEqual(getFields({ verify: "false", seal: "true" }), ["seal"]);
  assert.deepEqual(getFields({ verify: "false", "sealed-token": "a.b.c.d.e" }), ["sealedToken"]);
  assert.deepEqual(getFields({ verify: "false", "sealed-token": "" }), []);
});

test("rejects check in combination with inputs that request outputs", () => {
  assert.deepEqual(getFields({ check: "true" }), []);
  const [issue, ...others] = getIssues({ check: "true", "auth-file": "true", seal: "true", "sealed-token": "" });
  assert.deepEqual([issue?.field, others.length], ["check", 0]);
  assert.equal(issue?.message, "cannot be combined with auth-file, seal, sealed-token");
});

/** Values by input. Each value is invalid and causes exactly one issue. */
const INVALID: Readonly<Partial<Record<InputName, readonly string[]>>> = {
  "client-id": ["", "a b"],
  "client-secret": ["", " ", `${SECRET}\n${SECRET}`, '{"secret": "x"}', `"${SECRET}"`],
  "tsg-id": ["abc", "1.5"],
  scope: ["tsg_id:1 \\", "é"],
  "token-url": ["http://auth.scm.test/", "auth.scm.test"],
  "jwks-url": ["https://u:p@auth.scm.test/"],
  verify: ["yes"],
  "ca-cert": ["no/such/file.pem", "/", "-----BEGIN CERTIFICATE-----"],
  "max-retries": ["-1"],
  timeout: ["0"],
  "auth-file": ["yes"],
  "keep-fresh": ["maybe"],
  "min-ttl": ["-1"],
  seal: ["yes"],
  check: ["on"],
};
const toField = (name: string): string => Object.entries(INPUT_NAMES).find(([, input]) => input === name)?.[0] ?? name;

test("reports all invalid inputs at once, with one issue each and without the secret", () => {
  for (const [name, values] of Object.entries(INVALID))
    for (const value of values) assert.deepEqual(getFields({ [name]: value }), [toField(name)], `${name}: ${value}`);
  const some = fc
    .subarray(Object.keys(INVALID) as InputName[], { minLength: 1 })
    .chain((names) =>
      fc.record(Object.fromEntries(names.map((name) => [name, fc.constantFrom(...(INVALID[name] ?? []))]))),
    );
  fc.assert(
    fc.property(some, (given) => {
      assert.deepEqual(getFields(given).toSorted(), Object.keys(given).map(toField).toSorted());
    }),
  );
});

const events: readonly (readonly [run: string, event: string, actor: string, payload: unknown, message: RegExp, hint: RegExp])[] = [
  ["a push", "push", "octocat", {}, /^is required$/, /secret name matches.*`secrets: inherit`/],
  ["a run triggered by Dependabot", "push", "dependabot[bot]", {}, /^is required: Dependabot/, /Dependabot as well/],
  ["a pull request from a fork", "pull_request", "octocat", { pull_request: { head: { repo: { full_name: "me/fork" } } }, repository: { full_name: "org/repo" } }, /^is required: this pull request comes from a fork/, /Skip this job for forks/],
]; // prettier-ignore
for (const [run, event, actor, payload, message, hint] of events) {
  test(`explains why the secret is missing in ${run}, but not why it is invalid`, async (t) => {
    const path = join(await createTempDir(t), "event.json");
    await writeFile(path, JSON.stringify(payload));
    setVariables(t, { GITHUB_EVENT_NAME: event, GITHUB_ACTOR: actor, GITHUB_EVENT_PATH: path });
    const [issue, ...others] = getIssues({ "client-secret": "" });
    assert.equal(others.length, 0);
    assert.match(issue?.message ?? "", message);
    assert.match(issue?.hint ?? "", hint);
    const [invalid] = getIssues({ "client-secret": "a\nb" });
    assert.doesNotMatch(`${invalid?.message ?? ""} ${invalid?.hint ?? ""}`, /required|fork|Dependabot|inherit/);
  });
}

test("reports that the environment lacks the variables whose names contain a hyphen", (t) => {
  setVariables(t, { "INPUT_MAX-RETRIES": undefined, INPUT_VERIFY: "true", INPUT_TIMEOUT: "240" });
  assert.throws(
    () => readInputs(new Runner(), ""),
    (error) => {
      assert.ok(AuthError.isAuthError(error));
      assert.match(error.message, /^Configuration error: INPUT_MAX-RETRIES is not in the environment/);
      assert.match(error.hint, /hyphen/);
      return true;
    },
  );
});
