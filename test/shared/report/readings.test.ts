import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { bare, readingsOf } from "../../../shared/report/readings.ts";
import { Redactor } from "../../../shared/report/secrets.ts";
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

test("of a megabyte that can be read in many ways only as much is searched as could be shown", () => {
  const redactor = new Redactor(["3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10"]);
  const text = "%2541+%26amp;#37;\\u0025\\x2541&#x26;amp;\\\\u0041 ".repeat(20_000);
  assert.ok(redactor.redact(text).length <= 16_384);
});
