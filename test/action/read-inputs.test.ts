import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { rootCertificates } from "node:tls";
import { inspect } from "node:util";

import { inputNames, inputs, type InputName } from "../../action/inputs.ts";
import { readInputs, type Order } from "../../action/read-inputs.ts";
import { Runner } from "../../action/runner.ts";
import { AuthError } from "../../shared/report/errors.ts";
import { nameOf } from "../../shared/report/fields.ts";
import * as fc from "../support/fuzzing.ts";
import { inputVariables } from "../support/runner-environment.ts";
import { setVariables } from "../support/variables.ts";

const folder = await mkdtemp(join(tmpdir(), "scm-auth-inputs-"));
after(() => rm(folder, { recursive: true }));
/** Any certificate will do. */
const ca = rootCertificates[0] ?? "";
const caFile = join(folder, "ca.pem");
await writeFile(caFile, `# ours\n${ca}`);

type Given = Readonly<Partial<Record<InputName, string>>>;

const SECRET = "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10";
const good: Given = { "client-id": "ci@1.iam.panserviceaccount.com", "client-secret": SECRET, "tsg-id": "1" };

/** Reads inputs as a step finds them in its environment. */
function read(given: Given): Order {
  const names = Object.values(inputNames) as InputName[];
  const usual = (name: InputName): string => (inputs[name] as { readonly default?: string }).default ?? "";
  const variables = inputVariables(Object.fromEntries(names.map((name) => [name, given[name] ?? usual(name)])));
  Object.assign(process.env, variables);
  try {
    return readInputs(new Runner(), given["client-secret"] ?? "");
  } finally {
    // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- only deleting takes a variable away
    for (const name of Object.keys(variables)) delete process.env[name];
  }
}

function refusalOf(given: Given): AuthError {
  try {
    read(given);
  } catch (error) {
    assert.ok(AuthError.isAuthError(error), String(error));
    assert.equal(error.kind, "config");
    return error;
  }
  throw new assert.AssertionError({ message: "the inputs were taken" });
}

const namesOf = ({ problems }: AuthError): readonly string[] => problems.map(({ field }) => nameOf(field, inputNames));

test("what stands in the environment is the order", () => {
  const { request, options } = read({ ...good, verify: "false", timeout: "7", "ca-cert": caFile });
  assert.deepEqual([request.clientId, request.clientSecret, request.scope], [good["client-id"], SECRET, "tsg_id:1"]);
  assert.deepEqual([options.verify, options.timeout], [false, 7]);
  assert.ok(request.ca?.includes(ca.trim()));
});

/** Wrong values of each input, each alone a problem of that input. What another job sealed is judged when it is opened. */
const BAD: Readonly<Record<InputName, readonly string[]>> = {
  "client-id": ["", "a b"],
  "client-secret": ["", " ", `${SECRET}\n${SECRET}`],
  "tsg-id": ["abc", "1.5"],
  scope: ["tsg_id:1 \\", "é"],
  "token-url": ["http://auth.scm.test/", "auth.scm.test"],
  "jwks-url": ["https://u:p@auth.scm.test/"],
  verify: ["yes"],
  "ca-cert": ["no/such/file.pem", folder, "-----BEGIN CERTIFICATE-----"],
  "max-retries": ["-1", "1e9"],
  timeout: ["0", "3601"],
  "auth-file": ["yes", "Off", "a\nb"],
  "keep-fresh": ["maybe"],
  "min-ttl": ["-1", "86401", "5m"],
  seal: ["yes"],
  "sealed-token": [],
  check: ["on"],
};
for (const [name, values] of Object.entries(BAD) as [InputName, string[]][]) {
  test(`a wrong ${name} is one problem of that name`, () => {
    for (const value of values) assert.deepEqual(namesOf(refusalOf({ ...good, [name]: value })), [name], value);
  });
}

test("all problems are told at once, whichever inputs are wrong, and none shows the secret", () => {
  const names = (Object.keys(BAD) as InputName[]).filter((name) => BAD[name].length > 0);
  const some = fc.subarray(names, { minLength: 1 });
  fc.assert(
    fc.property(
      some.chain((names) => fc.record(Object.fromEntries(names.map((name) => [name, fc.constantFrom(...BAD[name])])))),
      (bad) => {
        const error = refusalOf({ ...good, ...bad });
        assert.deepEqual(new Set(namesOf(error)), new Set(Object.keys(bad)));
        assert.equal(namesOf(error).length, Object.keys(bad).length);
        assert.ok(!inspect(error, { showHidden: true, depth: 9 }).includes(SECRET));
      },
    ),
  );
});

/** Why a secret is missing, by what the run is. */
const runs: readonly (readonly [what: string, event: string, actor: string, payload: unknown, hint: RegExp])[] = [
  ["a push", "push", "octocat", {}, /spelt/],
  ["a run by Dependabot", "push", "dependabot[bot]", {}, /Dependabot too/],
  ["a pull request from a fork", "pull_request", "octocat", { pull_request: { head: { repo: { full_name: "me/fork" } } }, repository: { full_name: "org/repo" } }, /Skip this job for forks/],
]; // prettier-ignore
for (const [what, event, actor, payload, hint] of runs) {
  test(`a secret that is missing in ${what} is told with the reason`, async (t: TestContext) => {
    const path = join(folder, "event.json");
    await writeFile(path, JSON.stringify(payload));
    setVariables(t, { GITHUB_EVENT_NAME: event, GITHUB_ACTOR: actor, GITHUB_EVENT_PATH: path });
    const { problems } = refusalOf({ ...good, "client-secret": "" });
    assert.equal(problems.length, 1);
    assert.match(problems[0]?.hint ?? "", hint);
    assert.match(problems[0]?.reason ?? "", /^is missing/);
  });
}

test("another input that is missing is not explained by who runs the workflow", (t) => {
  setVariables(t, { GITHUB_ACTOR: "dependabot[bot]" });
  const { problems } = refusalOf({ ...good, "client-id": "" });
  assert.doesNotMatch(`${problems[0]?.reason ?? ""}${problems[0]?.hint ?? ""}`, /Dependabot/);
});

test("a secret that is wrong is not said to be missing, also where none is given", (t) => {
  setVariables(t, { GITHUB_ACTOR: "dependabot[bot]" });
  const { problems } = refusalOf({ ...good, "client-secret": "a\nb" });
  assert.doesNotMatch(`${problems[0]?.reason ?? ""}${problems[0]?.hint ?? ""}`, /Dependabot|missing/);
});
