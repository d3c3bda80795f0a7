import assert from "node:assert/strict";
import { test } from "node:test";

import { inputDocs } from "../../action/input-docs.ts";
import { inputNames, inputs, type InputName } from "../../action/inputs.ts";
import { parseInputs, type ParsedInputs } from "../../action/parse-inputs.ts";
import type { Problem } from "../../shared/report/fields.ts";
import { DEFAULT_TOKEN_URL } from "../../shared/token/request-fields.ts";
import * as fc from "../support/fuzzing.ts";
import { foreignText, usualSecret } from "../support/texts.ts";

type Given = Readonly<Partial<Record<InputName, string>>>;

function parse(given: Given): ParsedInputs & { readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  return {
    ...parseInputs((name) => given[name] ?? (inputs[name] as { default?: string }).default ?? "", problems),
    problems,
  };
}

const NAMES = Object.keys(inputs) as InputName[];

test("without a word of the user's the defaults of the table hold", () => {
  const { request, options, problems } = parse({});
  assert.deepEqual(problems, []);
  assert.deepEqual(options, {
    verify: true,
    policy: { maxRetries: 9, backoff: 0.3, spreadOverload: true },
    timeout: 240,
    minTtl: undefined,
  });
  assert.equal(request.tokenUrl, DEFAULT_TOKEN_URL);
});

/** Blank is a word there: an output that the runner dropped. */
const BLANK_IS_A_WORD: ReadonlySet<InputName> = new Set(["sealed-token"]);
const blank = fc.string({ unit: fc.constantFrom(" ", "\t", "\n", "\u00a0"), maxLength: 3 });

test("blank is as good as not given", () => {
  fc.assert(
    fc.property(
      fc.record(
        Object.fromEntries(NAMES.filter((name) => !BLANK_IS_A_WORD.has(name)).map((name) => [name, blank] as const)),
      ),
      (given) => {
        const { request, options, problems } = parse(given);
        const usual = parse({});
        assert.deepEqual([options, problems], [usual.options, usual.problems]);
        assert.deepEqual(
          (Object.values(request) as string[]).map((value) => value.trim()),
          Object.values(usual.request),
        );
      },
    ),
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
  ["min-ttl", "minTtl", 0, 86_400],
] as const;
for (const [name, field, least, most] of numbers) {
  const read = (text: string) => {
    const { options, problems } = parse({ [name]: text });
    return problems.length === 0 ? { ...options, ...options.policy }[field] : problems;
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

const wishes: readonly (readonly [written: string, path: string | true | undefined])[] = [
  ["true", true], [" TRUE ", true], ["false", undefined], ["", undefined], [".scm/auth.json", ".scm/auth.json"],
  [" /t/a b.json\n", "/t/a b.json"], ["truely", "truely"], ["./yes", "./yes"],
]; // prettier-ignore
for (const [written, path] of wishes) {
  test(`auth-file: ${JSON.stringify(written)} asks for ${String(path)}`, () => {
    const { authFile, problems } = parse({ "auth-file": written });
    assert.deepEqual([authFile?.path, problems], [path, []]);
  });
}

test("what looks like yes or no is no path", () => {
  for (const written of ["yes", "No", "ON", "off", "1", "0", "y", "n", "a\nb", "a\u0000"])
    assert.deepEqual(
      parse({ "auth-file": written }).problems.map(({ field }) => field),
      ["authFile"],
      written,
    );
});

const sealings: readonly (readonly [given: Given, sealing: ParsedInputs["sealing"]])[] = [
  [{}, undefined],
  [{ seal: "false", "sealed-token": "false" }, undefined],
  [{ seal: "true" }, { seal: true, sealed: undefined }],
  [{ "sealed-token": " a.b.c.d.e\n" }, { seal: false, sealed: "a.b.c.d.e" }],
  // What the runner makes of an output that it dropped.
  [{ "sealed-token": "" }, { seal: false, sealed: "" }],
  [
    { "sealed-token": "", verify: "false" },
    { seal: false, sealed: "" },
  ],
  [
    { seal: "true", "sealed-token": "a.b.c.d.e" },
    { seal: true, sealed: "a.b.c.d.e" },
  ],
];
for (const [given, expected] of sealings) {
  test(`${JSON.stringify(given)} means ${expected ? "sealing" : "no sealing"}`, () => {
    const { sealing, problems } = parse(given);
    assert.deepEqual([sealing, problems], [expected, []]);
  });
}

test("a token that is not proved is neither sealed nor opened", () => {
  for (const [given, field] of [
    [{ seal: "true", verify: "false" }, "seal"],
    [{ "sealed-token": "a.b.c.d.e", verify: "false" }, "sealedToken"],
  ] as const)
    assert.deepEqual(
      parse(given).problems.map((problem) => problem.field),
      [field],
    );
});

test("a check is mixed with nothing that hands out, and says with what it was", () => {
  assert.deepEqual(parse({ check: "true" }).problems, []);
  const [problem, ...others] = parse({ check: "true", "auth-file": "true", seal: "true", "sealed-token": "" }).problems;
  assert.deepEqual(others, []);
  assert.equal(problem?.field, "check");
  assert.match(problem.reason, /\{authFile\}, \{seal\}, \{sealedToken\}$/);
});
