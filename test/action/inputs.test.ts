import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { inputDocs, inputNames, inputs, parseInputs, type InputName, type ParsedInputs } from "../../action/inputs.ts";
import type { Problem } from "../../shared/report/fields.ts";
import { DEFAULT_TOKEN_URL } from "../../shared/token/auth-request.ts";
import { foreignText, usualSecret } from "../support/texts.ts";

type Given = Readonly<Partial<Record<InputName, string>>>;

function parse(given: Given): ParsedInputs & { readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  return { ...parseInputs((name) => given[name] ?? "", problems), problems };
}

const NAMES = Object.keys(inputs) as InputName[];

test("without a word of the user's the defaults of the table hold", () => {
  const { request, options, problems } = parse({});
  assert.deepEqual(problems, []);
  assert.deepEqual(options, {
    verify: true,
    policy: { maxRetries: 3, backoff: 0.3, spreadOverload: true },
    timeout: 180,
  });
  assert.equal(request.tokenUrl, DEFAULT_TOKEN_URL);
});

const blank = fc.string({ unit: fc.constantFrom(" ", "\t", "\n", "\u00a0"), maxLength: 3 });

test("blank is as good as not given", () => {
  fc.assert(
    fc.property(fc.record(Object.fromEntries(NAMES.map((name) => [name, blank] as const))), (given) => {
      const { request, options, problems } = parse(given);
      const usual = parse({});
      assert.deepEqual([options, problems], [usual.options, usual.problems]);
      assert.deepEqual(
        (Object.values(request) as string[]).map((value) => value.trim()),
        Object.values(usual.request),
      );
    }),
  );
});

test("each input of the request comes through as it was written, white space and all", () => {
  const texts = fc.record(Object.fromEntries(NAMES.map((name) => [name, foreignText] as const)));
  fc.assert(
    fc.property(texts, (given: Given) => {
      const { request } = parse(given);
      for (const [name, { field }] of Object.entries(inputs)) {
        const value = given[name as InputName] ?? "";
        if (field in request && value.trim() !== "")
          assert.equal((request as Readonly<Record<string, string>>)[field], value);
      }
    }),
  );
});

const BOOLEANS: readonly (readonly [text: string, value: boolean | undefined])[] = [
  ["true", true], ["True", true], ["TRUE", true], [" true\n", true],
  ["false", false], ["False", false], ["FALSE", false], ["\tfalse ", false],
  ["yes", undefined], ["no", undefined], ["on", undefined], ["1", undefined], ["0", undefined], ["tRUE", undefined],
  ["ture", undefined], ["truefalse", undefined], ["'true'", undefined], ["constructor", undefined], ["null", undefined],
]; // prettier-ignore
for (const [text, value] of BOOLEANS) {
  test(`verify: ${JSON.stringify(text)} means ${value ?? "nothing"}`, () => {
    const { options, problems } = parse({ verify: text });
    // What is misspelt never switches verification off.
    assert.equal(options.verify, value ?? true);
    assert.deepEqual(
      problems.map(({ field }) => field),
      value === undefined ? ["verify"] : [],
    );
  });
}

const numbers = [
  ["max-retries", "maxRetries", 0, 20],
  ["timeout", "timeout", 1, 3600],
] as const;
for (const [name, field, least, most] of numbers) {
  const read = (text: string) => {
    const { options, problems } = parse({ [name]: text });
    return problems.length === 0 ? (field === "timeout" ? options.timeout : options.policy.maxRetries) : problems;
  };

  test(`${name} is a whole number from ${least} to ${most}, in digits alone`, () => {
    const texts = fc.oneof(
      fc.integer({ min: -5, max: most * 2 }).map(String),
      fc.constantFrom(
        "1e1",
        "0x10",
        "1.0",
        "+1",
        "1_0",
        "٣",
        "Infinity",
        "NaN",
        "1 0",
        "0b1",
        "1,0",
        "12345678901",
        "³",
      ),
      foreignText.filter((text) => text.trim() !== ""),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const trimmed = text.trim();
        const isIn = /^[0-9]{1,9}$/.test(trimmed) && Number(trimmed) >= least && Number(trimmed) <= most;
        const result = read(text);
        if (isIn) assert.equal(result, Number(trimmed));
        else {
          assert.ok(Array.isArray(result) && result.length === 1, text);
          const [problem] = result as readonly Problem[];
          assert.equal(problem?.field, field);
          for (const bound of [least, most])
            assert.match(`${problem.reason} ${problem.hint}`, new RegExp(`\\b${bound}\\b`));
        }
      }),
    );
    assert.deepEqual([read(String(least)), read(String(most)), read(` 0${most} `)], [least, most, most]);
  });
}

test("problems of several inputs are told together, in any company, and none quotes what was written", () => {
  const bad = { verify: "maybe", "max-retries": "1e9", timeout: "0" };
  fc.assert(
    fc.property(fc.subarray(Object.keys(bad) as (keyof typeof bad)[]), usualSecret, (names, secret) => {
      const given = Object.fromEntries(names.map((name) => [name, `${bad[name]} ${secret}`]));
      const { problems } = parse({ "client-secret": secret, ...given });
      assert.deepEqual(
        problems.map(({ field }) => field),
        (["verify", "max-retries", "timeout"] as const)
          .filter((name) => names.includes(name))
          .map((name) => inputs[name].field),
      );
      assert.ok(!JSON.stringify(problems).includes(JSON.stringify(secret).slice(1, -1)));
    }),
  );
});

test("each field has one input, and each input says what it is", () => {
  assert.equal(new Set(Object.values(inputNames)).size, NAMES.length);
  assert.deepEqual(new Set(Object.values(inputNames)), new Set(NAMES));
  for (const doc of Object.values(inputDocs)) assert.match(doc, /^[A-Z].*\.$/);
  assert.ok(Object.isFrozen(inputs) && Object.isFrozen(inputNames));
});
