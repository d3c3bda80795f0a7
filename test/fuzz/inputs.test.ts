import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { rootCertificates } from "node:tls";
import { inspect } from "node:util";

import { inputNames, inputs, type InputName } from "../../action/inputs.ts";
import { readInputs, type Order } from "../../action/read-inputs.ts";
import { Runner } from "../../action/runner.ts";
import { AuthError } from "../../shared/report/errors.ts";
import { nameOf } from "../../shared/report/fields.ts";
import { assertNoCanary, canBeCanary } from "../support/canaries.ts";
import * as fc from "../support/fuzzing.ts";
import { nearlyText } from "../support/nearly.ts";
import { inputVariables } from "../support/runner-environment.ts";

/** Inputs of a step that are nearly right, as they stand in its environment. */

const folder = await mkdtemp(join(tmpdir(), "scm-auth-fuzz-"));
after(() => rm(folder, { recursive: true }));
const caFile = join(folder, "ca.pem");
await writeFile(caFile, rootCertificates[0] ?? "");

const SECRET = "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10";
const NAMES = Object.keys(inputs) as InputName[];
const BOOLEANS = ["true", "false", "True", "FALSE", " true\n", "yes", "on", ""];

/** What people write into each input, what is right first. */
const USUAL: Readonly<Record<InputName, readonly string[]>> = {
  "client-id": ["ci@1.iam.panserviceaccount.com", "someone"],
  "client-secret": [SECRET, ` ${SECRET}\n`],
  "tsg-id": ["1", "tsg_id:1", ""],
  scope: ["", "tsg_id:1", "tsg_id:1 profile", "tsg_id:2", "profile"],
  "token-url": ["https://auth.test/", inputs["token-url"].default, "http://127.0.0.1:80/a", ""],
  "jwks-url": ["", "https://auth.test/keys"],
  verify: ["true", ...BOOLEANS],
  "ca-cert": ["", caFile, rootCertificates[1] ?? "", folder],
  "max-retries": ["9", "0", "20", "21", ""],
  timeout: ["240", "1", "3600", "0", ""],
  "auth-file": ["false", "true", "auth.json", "no", ""],
  "keep-fresh": ["true", ...BOOLEANS],
  "min-ttl": ["", "0", "86400", "86401"],
  seal: ["false", ...BOOLEANS],
  "sealed-token": ["false", "", "eyJhbGciOiJkaXIifQ..a.b.c"],
  check: ["false", ...BOOLEANS],
};
const anyInputs = fc.subarray(NAMES, { maxLength: 4 }).chain((changed) =>
  fc.record(
    Object.fromEntries(
      NAMES.map((name) => {
        const [right = ""] = USUAL[name];
        const usual = fc.constantFrom(...USUAL[name]);
        return [name, changed.includes(name) ? fc.oneof(usual, nearlyText(usual, 2)) : fc.constant(right)];
      }),
    ),
  ),
);

/** Reads inputs as a step finds them. Variables can't hold NUL: what is behind it is cut off, as for any process. */
function read(given: Readonly<Record<string, string>>): Order {
  const variables = inputVariables(given);
  Object.assign(process.env, variables);
  try {
    return readInputs(new Runner(), given["client-secret"] ?? "");
  } finally {
    // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- only deleting takes a variable away
    for (const name of Object.keys(variables)) delete process.env[name];
  }
}

/** What is written into an input, or what stands for it when that is blank. */
function writtenIn(given: string, usual: string): string {
  const text = given.split("\0", 1)[0]?.trim();
  return text === undefined || text === "" ? usual : text;
}

/** An option's number as it must be read; undefined: it is to be refused. */
function wholeByHand(given: string, usual: string, least: number, most: number): number | undefined {
  const text = writtenIn(given, usual);
  const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
}

/** A boolean of YAML 1.2 as it must be read; undefined: it is to be refused. */
function boolByHand(given: string, usual: string): boolean | undefined {
  const text = writtenIn(given, usual);
  if (["true", "True", "TRUE"].includes(text)) return true;
  return ["false", "False", "FALSE"].includes(text) ? false : undefined;
}

test("inputs that are nearly right are an order to the letter, or one failure that names inputs and shows no secret", () => {
  const seen: Record<string, number> = {};
  fc.assert(
    fc.property(anyInputs, (given) => {
      const secret = (given["client-secret"] ?? "").trim();
      const canaries = [SECRET, secret].filter((text) => canBeCanary(text) && text.includes(SECRET.slice(0, 12)));
      const texts = Object.fromEntries(NAMES.map((name) => [name, given[name] ?? ""])) as Record<InputName, string>;
      try {
        const order = read(texts);
        const { request, options, check, authFile, sealing } = order;
        assertNoCanary(canaries, { order: inspect(order, { showHidden: true, depth: 9 }) });
        assert.equal(request.clientSecret, secret);
        assert.equal(options.verify, boolByHand(texts.verify, "true"));
        assert.equal(options.policy.maxRetries, wholeByHand(texts["max-retries"], "9", 0, 20));
        assert.equal(options.timeout, wholeByHand(texts.timeout, "240", 1, 3600));
        assert.equal(options.minTtl, wholeByHand(texts["min-ttl"], "", 0, 86_400));
        assert.equal(check, boolByHand(texts.check, "false"));
        if (check) assert.ok(authFile === undefined && sealing === undefined);
        if (sealing?.seal) assert.ok(options.verify);
        const { protocol, hostname } = request.tokenUrl;
        assert.ok(protocol === "https:" || /^(127(\.\d+){3}|localhost|\[::1\])$/.test(hostname), hostname);
        seen["taken"] = (seen["taken"] ?? 0) + 1;
      } catch (error) {
        if (!AuthError.isAuthError(error)) throw error;
        assert.deepEqual([error.kind, error.code], ["config", "invalid_config"]);
        const named = error.problems.map(({ field }) => nameOf(field, inputNames));
        assert.ok(named.length > 0 && named.every((name) => name in inputs), named.join());
        assertNoCanary(canaries, { error: `${inspect(error, { showHidden: true, depth: 9 })}${error.hint}` });
        for (const name of named) seen[name] = (seen[name] ?? 0) + 1;
      }
    }),
    { numRuns: 1000 },
  );
  assert.ok((seen["taken"] ?? 0) > 100, JSON.stringify(seen));
  // Whether what another job sealed is right shows when it is opened.
  const judged = NAMES.filter((name) => name !== "sealed-token");
  assert.deepEqual(
    judged.filter((name) => seen[name] === undefined),
    [],
  );
});
