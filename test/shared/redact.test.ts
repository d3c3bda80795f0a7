import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { getMasks, Redactor, sanitize } from "../../shared/redact.ts";
import { countRuns, fc } from "../support/fuzzing.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { foreignText, grapheme, usualSecret } from "../support/texts.ts";
import { parseCommand } from "../support/workflow-commands.ts";

const UUID = "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10";
const REMOVED = "(removed: it contains part of a secret)";
const longText = fc.array(foreignText, { maxLength: 12 }).map((texts) => texts.join(""));

// sanitize

test("sanitizes text to one visible, well-formed line of limited length without workflow commands", () => {
  fc.assert(
    fc.property(
      longText,
      fc.integer({ min: 1, max: 400 }),
      fc.constantFrom("", " ", "error: "),
      (text, max, before) => {
        const shown = sanitize(text, max);
        assert.doesNotMatch(shown, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]|^\s|\s{2}/u);
        assert.equal(parseCommand(before + shown), undefined, before + shown);
        assert.doesNotMatch(shown, /^::|##\[/);
        assert.ok(shown.length <= max || (shown.length <= max + 3 && shown.endsWith("...")), shown);
        if (max > 2) assert.equal(sanitize(shown, max), shown);
      },
    ),
    { numRuns: countRuns(500) },
  );
});

test("does not change an ordinary sentence", () => {
  const word = fc.string({ unit: fc.constantFrom(..."abcXYZ019.,;!?-_/@()é日"), minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.array(word, { maxLength: 20 }), (words) => {
      assert.equal(sanitize(words.join(" ")), words.join(" "));
    }),
  );
});

const SANITIZED: readonly (readonly [text: string, shown: string, maxLength?: number])[] = [
  ["x\n::set-output name=a::b", "x : :set-output name=a: :b"],
  ["x ##[error]y", "x # # [error]y"],
  ["\u001b[31mred\u001b[0m", "[31mred [0m"],
  ["abc\u202egpj.exe", "abc gpj.exe"],
  ["a\u200bb\ufeffc\u{e0041}d", "a b c d"],
  ["\ud800x\udfff", "\ufffdx\ufffd"],
  [" \r\n\t ", ""],
  ["abcde", "abcde", 5],
  ["abcdefgh", "abcde...", 5],
  [`ab${" ".repeat(18)}`, "ab", 5],
  [`ab${" ".repeat(100)}cdefgh`, "ab...", 5],
  ["a😀", "a\ufffd...", 2],
];
for (const [text, shown, maxLength] of SANITIZED) {
  test(`sanitizes ${JSON.stringify(text)} to ${JSON.stringify(shown)}`, () => {
    assert.equal(sanitize(text, maxLength), shown);
  });
}

// Masks

test("derives masks that the runner does not derive itself, longest first", () => {
  assert.deepEqual(getMasks("K'<é/~*"), [
    "K%27%3C%C3%A9%2F%7E*", "4b273cc3a92f7e2a", "4B273CC3A92F7E2A", "Syc8w6kvfi", "snPMOpL34q", "LJzzDqS9-K", "K'<é/~*",
  ]); // prettier-ignore
});

test("adds masks for all three base64 alignments for other runners", () => {
  const added = getMasks(UUID, { withBase64: true }).filter((mask) => !getMasks(UUID).includes(mask));
  // If an encoding contains neither `+` nor `/`, base64 and base64url are identical.
  assert.deepEqual(added, []);
  const masks = getMasks("??>>??>>??>>", { withBase64: true });
  for (const lead of ["", "x", "xy"]) {
    const encoded = Buffer.from(`${lead}??>>??>>??>>`).toString("base64");
    assert.ok(masks.some((mask) => mask.length >= 14 && encoded.includes(mask)));
  }
});

const MASKS: readonly (readonly [secret: string, included: readonly string[], excluded: readonly string[]])[] = [
  [" \ts3cret-value\n", ["s3cret-value"], [" \ts3cret-value\n"]],
  ["first-line\r\n\r\nsecond-line", ["first-line", "second-line"], []],
  ["{\n  k: value-1\n}", ["k: value-1"], ["{", "}"]],
  ["ab\nabcd", ["abcd"], ["ab"]],
  ["ab", ["ab"], []],
  [" \n ", [], ["", " "]],
  ["he_ad.cla-ims.sig-nature", ["cla-ims.sig-nature", "sig-nature"], ["he_ad"]],
  ["head.claims.1234567", [], ["1234567", "claims.1234567"]],
  ["head.claims.signature.more", [], ["signature", "signature.more"]],
];
for (const [secret, included, excluded] of MASKS) {
  test(`includes ${JSON.stringify(included)} in the masks of ${JSON.stringify(secret)}`, () => {
    const masks = getMasks(secret);
    for (const mask of included) assert.ok(masks.includes(mask), mask);
    for (const mask of excluded) assert.ok(!masks.includes(mask), mask);
    assert.ok(masks.every((mask, n) => mask.trim() !== "" && mask.length <= (masks[n - 1] ?? mask).length));
    assert.equal(new Set(masks).size, masks.length);
  });
}

// Redactor

const flipCase = (text: string): string =>
  text.replace(/[a-z]/gi, (letter) => (letter < "a" ? letter.toLowerCase() : letter.toUpperCase()));

/** Encoders that may be applied to text before it is logged. */
const ENCODERS: readonly ((text: string) => string)[] = [
  (text) => text,
  flipCase,
  (text) => JSON.stringify(text).slice(1, -1),
  encodeURIComponent,
  (text) => new URLSearchParams([["", text]]).toString().slice(1),
  (text) => Buffer.from(text).toString("hex"),
  (text) => Buffer.from(text).toString("base64"),
  (text) => Buffer.from(text).toString("base64url"),
];

test("hides an encoded secret, and does not change text without a secret", () => {
  const around = fc.string({ unit: grapheme, maxLength: 6 });
  fc.assert(
    fc.property(around, usualSecret, around, fc.constantFrom(...ENCODERS), (before, secret, after, encode) => {
      const shown = new Redactor([secret]).redact(encode(before + secret + after));
      assert.ok(shown.includes("***"), shown);
      assertNoSecret({ shown }, [secret]);
    }),
    { numRuns: countRuns(500) },
  );
  fc.assert(
    fc.property(usualSecret, foreignText, (secret, text) => {
      fc.pre(!text.includes("*"));
      const redactor = new Redactor([secret]);
      const shown = redactor.redact(text);
      assert.equal(redactor.redact(shown), shown);
      if (!shown.includes("***")) assert.equal(shown, text);
    }),
  );
});

const REDACTED: readonly (readonly [secrets: readonly string[], text: string, shown: string])[] = [
  [["s3cret-value"], "a s3cret-value b s3cret-value c", "a *** b *** c"],
  [["s3cret-value"], "S3CRET-VALUE", "***"],
  [["abcdef", "defghi"], "xabcdefghix", "x***x"],
  [["abcdef", "ghijkl"], "xabcdefghijklx", "x***x"],
  [["abcdef", "cd"], "abcdef cd", "*** ***"],
  [["x"], "axb", "a***b"],
  [["É-secret-İ-K"], "<É-secret-İ-K> i", "<***> i"],
  [["first-line\nsecond-line"], "first-line, second-line", "***, ***"],
  [["{\n  k: value-1\n}"], '{ "k: value-1" }', '{ "***" }'],
  [[" \n"], "a \n b", "a \n b"],
  [[], "text", "text"],
];
for (const [secrets, text, shown] of REDACTED) {
  test(`redacts ${JSON.stringify(secrets)} from ${JSON.stringify(text)} to get ${JSON.stringify(shown)}`, () => {
    assert.equal(new Redactor(secrets).redact(text), shown);
  });
}

const spaced = [...UUID].join(" ");
const QUOTED: readonly (readonly [what: string, text: string, removed: boolean])[] = [
  ["the secret", `no ${UUID}`, true],
  ["eight characters of a secret", `no ${UUID.slice(10, 20)}`, true],
  ["six characters of a secret", "no 3f0d8a", false],
  ["the secret with spaces", spaced, true],
  ["the secret with control characters", [...UUID].join("\u001b[0m\u200b").replaceAll("[0m", ""), true],
  ["the percent-encoded secret", UUID.replace(/./g, (char) => `%${char.charCodeAt(0).toString(16)}`), true],
  ["a secret escaped for JavaScript", UUID.replace(/./g, (char) => `\\x${Buffer.from(char).toString("hex")}`), true],
  ["a secret escaped for JSON", UUID.replace(/./g, (char) => `\\u00${Buffer.from(char).toString("hex")}`), true],
  ["a secret escaped for HTML", UUID.replace(/./g, (char) => `&#${char.charCodeAt(0)};`), true],
  ["a secret escaped for HTML in hex", UUID.replace(/./g, (char) => `&#x${char.charCodeAt(0).toString(16)};`), true],
  ["the secret in uppercase", UUID.toUpperCase(), true],
  ["the secret in hex", `: ${Buffer.from(UUID).toString("hex")}`, true],
  ["the secret in base64 with line breaks", Buffer.from(`x${UUID}`).toString("base64").replace(/.{5}/g, "$&\n"), true],
  ["the secret at the end of a text that is too long", `${"x".repeat(9000)} ${UUID}`, true],
  ["an error description", "The client is not registered. See https://a.test/help?id=17", false],
];
for (const [what, text, removed] of QUOTED) {
  test(`${removed ? "omits" : "keeps"} a quote of ${what}`, () => {
    const shown = new Redactor([UUID]).quote(text);
    assert.equal(shown, removed ? REMOVED : text);
  });
}

test("recognizes a secret in quotes even if it is added later", () => {
  const redactor = new Redactor();
  assert.equal(redactor.quote(`x ${UUID}`), `x ${UUID}`);
  redactor.add(UUID);
  redactor.add(UUID);
  assert.equal(redactor.quote(`x ${UUID}`), REMOVED);
  assert.equal(redactor.quote("::error::x", 8), ": :error...");
});

test("searches long text in linear time", () => {
  const redactor = new Redactor(["a".repeat(40)]);
  const start = performance.now();
  assert.equal(redactor.redact("a".repeat(300_000)), "***");
  assert.equal(redactor.quote("b ".repeat(3_000_000)).length, 303);
  assert.ok(performance.now() - start < 10_000);
});

test("searches for the parts of many long tokens without keeping all of them in memory", () => {
  const tokens = Array.from({ length: 12 }, (_, n) => createHash("shake256", { outputLength: 49_000 }).update(`${n}`));
  const redactor = new Redactor(tokens.map((hash) => hash.digest("base64url")));
  const start = process.memoryUsage().heapUsed;
  assert.equal(redactor.quote("some text of a server"), "some text of a server");
  assert.ok(process.memoryUsage().heapUsed - start < 100e6);
});
