import assert from "node:assert/strict";
import { test } from "node:test";

import { bare, readingsOf } from "../../../shared/report/readings.ts";
import { Redactor } from "../../../shared/report/redactor.ts";
import * as fc from "../../support/fuzzing.ts";
import { foreignText, usualSecret } from "../../support/texts.ts";

const hexOf = (unit: string, digits: number): string => unit.charCodeAt(0).toString(16).padStart(digits, "0");

/** Ways to write a text of which a reader's program makes the text again, each with that way back. */
const WRITINGS: readonly {
  readonly write: (text: string) => string;
  readonly read: (text: string) => string;
}[] = [
  { write: encodeURIComponent, read: decodeURIComponent },
  {
    write: (text) => new URLSearchParams([["", text]]).toString().slice(1),
    read: (text) => decodeURIComponent(text.replaceAll("+", " ")),
  },
  {
    write: (text) => text.replace(/[^]/g, (unit) => `\\u${hexOf(unit, 4)}`),
    read: (text) =>
      text.replace(/\\u([0-9a-f]{4})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16))),
  },
  {
    write: (text) => [...text].map((character) => `&#${character.codePointAt(0) ?? 0};`).join(""),
    read: (text) => text.replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code))),
  },
  {
    write: (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;"),
    read: (text) => text.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&amp;", "&"),
  },
  {
    write: (text) => JSON.stringify(text).slice(1, -1),
    read: (text) => JSON.parse(`"${text}"`) as string,
  },
];
const ways = fc.array(fc.constantFrom(...WRITINGS), { minLength: 1, maxLength: 3 });

test("a secret that was encoded up to three times, each time in any way, can't be decoded from what is shown", () => {
  fc.assert(
    fc.property(usualSecret, ways, (secret, chain) => {
      const written = chain.reduce((text, { write }) => write(text), `before ${secret} after`);
      const shown = new Redactor([secret]).redact(written);
      let read = shown;
      for (const way of chain.toReversed()) {
        try {
          read = way.read(read);
        } catch {
          // What hides a part of an encoding may leave nothing to decode.
        }
        assert.ok(!read.includes(secret), shown);
      }
    }),
    { numRuns: 300 },
  );
});

test("a secret that gaps or colours break up is hidden all the same", () => {
  const gap = fc.constantFrom(" ", "\n", "\u200b", "\u00ad", "\u001b[1m", "\u001b[38;5;196m", "\u0000", "\ufeff", "");
  fc.assert(
    fc.property(usualSecret, gap, (secret, between) => {
      const shown = new Redactor([secret]).redact(`x ${[...secret].join(between)} x`);
      assert.ok(!bare(shown).includes(bare(secret)), shown);
    }),
  );
});

test("a text is one of its own readings, and each reading is bare", () => {
  fc.assert(
    fc.property(foreignText, (text) => {
      const readings = readingsOf(text);
      assert.ok(readings.has(bare(text)));
      for (const reading of readings) assert.doesNotMatch(reading, /[\p{C}\p{Z}a-z]/u);
    }),
  );
});

/** Texts, and what they are without what a log does not show. */
const BARE: Readonly<Record<string, string>> = {
  "a b\tc\n\nd\u00a0\u2003e": "ABCDE",
  "a\u0000\u200b\u00ad\ufeffb": "AB",
  "a\u001b[mb\u001b[0mc": "ABC",
  "a\u001b[1;38;5;196mb": "AB",
  "a\u001b[2 qb": "AB",
  "a\u001b[ !qb": "AB",
  "a\u001b[éb": "A[ÉB",
  "a\u001b[1éb": "A[1ÉB",
  "a[1mb": "A[1MB",
};
for (const [text, is] of Object.entries(BARE)) {
  test(`${JSON.stringify(text)} is ${is} when bare`, () => {
    assert.equal(bare(text), is);
  });
}

/** Writings, and what is among their readings. */
const READ: Readonly<Record<string, string>> = {
  "%61%2F%c3%A9": "A/É",
  "a+b": "AB",
  "&#97;&#x62;&#X00e9;&#128512;": "ABÉ😀",
  "&amp;&lt;&gt;&quot;&apos;&AMP;": "&<>\"'&",
  "a&#1114112;&#x110000;b": "AB",
  "&other;&#;&#x;": "&OTHER;&#;&#X;",
  "\\u0061\\x62\\\"\\'\\/\\\\": "AB\"'/\\",
  "\\u006\\x6\\y": "\\U006\\X6\\Y",
  "%25252561": "A",
};
for (const [text, reading] of Object.entries(READ)) {
  test(`${JSON.stringify(text)} may be read as ${JSON.stringify(reading)}`, () => {
    assert.ok(readingsOf(text).has(reading), [...readingsOf(text)].join("\n"));
  });
}

test("a text is decoded four times and no more", () => {
  assert.deepEqual([...readingsOf("%2525252561")], ["%2525252561", "%25252561", "%252561", "%2561", "%61"]);
});

test("of a text that can be read in endlessly many ways 256 are", () => {
  const writers = [
    (text: string) => encodeURIComponent(text),
    (text: string) => text.replaceAll(" ", "+"),
    (text: string) => text.replace(/[&%+]/g, (unit) => `&#${unit.charCodeAt(0)};`),
    (text: string) => text.replace(/[&%+\\]/g, (unit) => `\\x${hexOf(unit, 2)}`),
  ];
  let texts = ["& %+\\"];
  for (let depth = 0; depth < 4; depth++) texts = texts.flatMap((text) => writers.map((write) => write(text)));
  assert.equal(readingsOf(texts.join("a")).size, 256);
});

test("of a megabyte that can be read in many ways only as much is searched as could be shown", () => {
  const redactor = new Redactor(["3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10"]);
  const text = "%2541+%26amp;#37;\\u0025\\x2541&#x26;amp;\\\\u0041 ".repeat(20_000);
  assert.ok(redactor.redact(text).length <= 16_384);
});
