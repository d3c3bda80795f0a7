import assert from "node:assert/strict";
import { escape as percentEscape } from "node:querystring";
import { test } from "node:test";

import { Redactor } from "../../../shared/report/redactor.ts";
import { secretForms } from "../../../shared/report/secrets.ts";
import * as fc from "../../support/fuzzing.ts";
import { anySecret, foreignText, grapheme, usualSecret } from "../../support/texts.ts";

const inLowerCase = (text: string): string =>
  [...text].map((character) => (/^[A-Z]$/.test(character) ? character.toLowerCase() : character)).join("");

/** Fails when any form of any of `secrets` stands in `text`, in either case of its ASCII letters. */
function assertHidden(secrets: readonly string[], text: string): void {
  const haystack = inLowerCase(text);
  for (const form of secrets.flatMap(secretForms)) assert.ok(!haystack.includes(inLowerCase(form)), form);
}

const flipCase = (text: string): string =>
  text.replace(/[a-z]/gi, (letter) => (letter < "a" ? letter.toLowerCase() : letter.toUpperCase()));

/** Text in which forms of `secrets` stand in every company: whole, cut, in the other case, side by side. */
const textAround = (secrets: readonly string[]): fc.Arbitrary<string> => {
  const form = fc.constantFrom(...secrets.flatMap(secretForms));
  const piece = fc.oneof(
    { weight: 3, arbitrary: form },
    { weight: 1, arbitrary: form.map(flipCase) },
    { weight: 1, arbitrary: fc.tuple(form, fc.nat(20)).map(([text, end]) => text.slice(0, end)) },
    { weight: 1, arbitrary: fc.tuple(form, fc.nat(20)).map(([text, start]) => text.slice(start)) },
    { weight: 2, arbitrary: foreignText },
  );
  return fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""));
};

const secretsAndText = fc
  .array(anySecret, { minLength: 1, maxLength: 3 })
  .chain((secrets) => fc.tuple(fc.constant(secrets), textAround(secrets)));

test("no form of any secret survives, whatever surrounds it", () => {
  fc.assert(
    fc.property(secretsAndText, ([secrets, text]) => {
      assertHidden(secrets, new Redactor(secrets).redact(text));
    }),
    { numRuns: 300 },
  );
});

test("what was hidden once stays as it is", () => {
  fc.assert(
    fc.property(secretsAndText, ([secrets, text]) => {
      const redactor = new Redactor(secrets);
      const once = redactor.redact(text);
      assert.equal(redactor.redact(once), once);
    }),
  );
});

test("text without any form of a secret stays as it is", () => {
  fc.assert(
    fc.property(usualSecret, foreignText, (secret, text) => {
      fc.pre(secretForms(secret).every((form) => !inLowerCase(text).includes(inLowerCase(form))));
      assert.equal(new Redactor([secret]).redact(text), text);
    }),
  );
});

test("a secret that is itself a form or a line of another is hidden in all forms of its own", () => {
  const pair = anySecret.chain((secret) => fc.tuple(fc.constant(secret), fc.constantFrom(...secretForms(secret))));
  fc.assert(
    fc.property(pair, ([secret, form]) => {
      const redactor = new Redactor([secret]);
      redactor.add(form);
      assertHidden([secret, form], redactor.redact(secretForms(form).join(" ")));
    }),
  );
});

test("adding secrets gives each form to be masked once, longest first", () => {
  fc.assert(
    fc.property(fc.array(anySecret, { maxLength: 3 }), (secrets) => {
      const redactor = new Redactor();
      const given = secrets.map((secret) => redactor.add(secret));
      assert.deepEqual(new Set(given.flat()), new Set(secrets.flatMap(secretForms)));
      assert.equal(given.flat().length, new Set(given.flat()).size);
      for (const forms of given) {
        assert.deepEqual(
          forms.map(({ length }) => length),
          forms.map(({ length }) => length).sort((a, b) => b - a),
        );
      }
    }),
  );
});

test("a form that is masked already is not given again", () => {
  const redactor = new Redactor();
  const first = redactor.add("s3cret value");
  assert.deepEqual(redactor.add("s3cret value"), []);
  const second = redactor.add("s3cret value\n");
  assert.deepEqual(
    second,
    secretForms("s3cret value\n").filter((form) => !first.includes(form)),
  );
  assert.ok(second.length > 0 && second.length < secretForms("s3cret value\n").length);
});

const scenes: readonly (readonly [what: string, secrets: readonly string[], text: string, seen: string])[] = [
  ["a secret alone", ["s3cret-value"], "s3cret-value", "***"],
  ["a secret twice", ["s3cret-value"], "a s3cret-value b s3cret-value c", "a *** b *** c"],
  ["the other case", ["s3cret-value"], "S3CRET-VALUE", "***"],
  ["secrets that overlap", ["abcdef", "defghi"], "xabcdefghix", "x***x"],
  ["secrets side by side", ["abcdef", "ghijkl"], "xabcdefghijklx", "x***x"],
  ["a secret within another", ["abcdef", "cd"], "abcdef cd", "*** ***"],
  ["a secret of one character", ["x"], "axb", "a***b"],
  ["an asterisk", ["*"], "a*b***c", "a b c"],
  ["a lone surrogate in the secret", ["abc\ud800def"], "abc\ufffddef", "***"],
  ["white space around the secret", [" s3cret-value\n"], "s3cret-value", "***"],
  ["a secret of several lines", ["first-line\nsecond-line"], "first-line, second-line", "***, ***"],
  ["a blank secret", [" \n"], "a \n b", "a \n b"],
  ["no secret", [], "text", "text"],
];
for (const [what, secrets, text, seen] of scenes) {
  test(`the redactor and ${what}`, () => {
    assert.equal(new Redactor(secrets).redact(text), seen);
  });
}

test("a text of so many secrets that it is cut shows no piece of the one that is cut", () => {
  const secret = "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10";
  const redactor = new Redactor([secret]);
  for (let shift = 0; shift <= secret.length; shift++) {
    const shown = redactor.redact("x".repeat(shift) + secret.repeat(2000));
    for (let at = 0; at + 8 <= secret.length; at++) assert.ok(!shown.includes(secret.slice(at, at + 8)), shown);
  }
});

test("a quotation holds no form of any secret, and no piece of one that the cut would leave", () => {
  fc.assert(
    fc.property(secretsAndText, fc.nat(300), ([secrets, text], longest) => {
      assertHidden(secrets, new Redactor(secrets).quote(text, longest));
    }),
  );
  const { quote } = new Redactor(["s3cret-value"]);
  assert.equal(quote("12345s3cret-value", 8), "12345***");
  assert.equal(quote("::error::s3cret-value\n2"), ": :error: :*** 2");
});

test("a long text of overlapping forms is searched in a time that grows with its length", () => {
  const redactor = new Redactor(["a".repeat(40)]);
  const start = performance.now();
  assert.equal(redactor.redact("a".repeat(300_000)), "***");
  assert.ok(performance.now() - start < 5000);
});

const jsonInner = (text: string): string => JSON.stringify(text).slice(1, -1);
const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Encoders that text passes on its way into a log, each by another hand than the table under test. */
const ENCODERS: Readonly<Record<string, (text: string) => string>> = {
  plain: (text) => text,
  JSON: jsonInner,
  "JSON, as Go writes it": (text) => jsonInner(text).replace(/[<>&\u2028\u2029]/g, escapeUnit),
  "JSON, as PHP writes it": (text) => jsonInner(text).replaceAll("/", "\\/"),
  "JSON in ASCII, as Python writes it": (text) => jsonInner(text).replace(/[^ -~]/g, escapeUnit),
  percent: encodeURIComponent,
  "node's query strings": percentEscape,
  "a form": (text) => new URLSearchParams([["", text]]).toString().slice(1),
  "percent, as RFC 3986 has it": (text) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`),
  hex: (text) => Buffer.from(text).toString("hex"),
  "upper-case hex": (text) => Buffer.from(text).toString("hex").toUpperCase(),
};
for (const [name, encode] of Object.entries(ENCODERS)) {
  test(`a secret within a text is hidden after it was encoded: ${name}`, () => {
    // A surrogate on the edge would make one character of text and secret.
    const wellFormed = fc.string({ unit: grapheme, maxLength: 6 });
    fc.assert(
      fc.property(wellFormed, usualSecret, wellFormed, (before, secret, after) => {
        const shown = new Redactor([secret]).redact(encode(before + secret + after));
        // Encoded character by character, the text holds the secret's own encoding. The runner's masks are the forms alone.
        assert.ok(secretForms(secret).includes(encode(secret)));
        assert.ok(!shown.includes(encode(secret)) && shown.includes("***"), shown);
      }),
    );
  });
}

for (const encoding of ["base64", "base64url"] as const) {
  test(`a longer text in ${encoding} shows at most the edges of a secret in it`, () => {
    const bytes = fc.uint8Array({ maxLength: 8 });
    fc.assert(
      fc.property(bytes, usualSecret, bytes, (before, secret, after) => {
        const encoded = Buffer.concat([before, Buffer.from(secret), after]).toString(encoding);
        const masked = secretForms(secret).filter((form) => encoded.includes(form));
        // Of each group of four a stranger's byte may spoil one, at either end.
        const longest = Math.max(0, ...masked.map(({ length }) => length));
        assert.ok(longest >= Math.floor((Buffer.byteLength(secret) * 8) / 6) - 1, `${longest} of ${encoded}`);
        assert.ok(new Redactor([secret]).redact(encoded).includes("***"));
      }),
    );
  });
}
