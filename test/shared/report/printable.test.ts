import assert from "node:assert/strict";
import { test } from "node:test";

import { printable } from "../../../shared/report/printable.ts";
import * as fc from "../../support/fuzzing.ts";
import { foreignText } from "../../support/texts.ts";
import { linesOf, parseCommand } from "../../support/workflow-commands.ts";

/** Obeys whatever name stands in a command, also those that runners will only know in future. */
const ANY_NAME = { has: () => true } as unknown as ReadonlySet<string>;

const longText = fc.array(foreignText, { maxLength: 12 }).map((texts) => texts.join(""));

test("no line of it is a workflow command, whatever stands before it", () => {
  fc.assert(
    fc.property(longText, fc.constantFrom("", " ", "The server says: "), (text, before) => {
      for (const line of linesOf(before + printable(text))) assert.equal(parseCommand(line, ANY_NAME), undefined, line);
    }),
    { numRuns: 500 },
  );
});

test("it is one line of visible, well-formed text", () => {
  fc.assert(
    fc.property(longText, (text) => {
      const shown = printable(text);
      assert.doesNotMatch(shown, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/u);
      assert.ok(shown.isWellFormed());
      assert.doesNotMatch(shown, /^\s|\s{2}/u);
    }),
    { numRuns: 500 },
  );
});

test("it is never longer than asked for, but for the dots", () => {
  fc.assert(
    fc.property(longText, fc.integer({ min: 1, max: 60 }), (text, longest) => {
      const shown = printable(text, longest);
      assert.ok(shown.length <= longest || (shown.length <= longest + 3 && shown.endsWith("...")), shown);
    }),
  );
});

test("what is printable already stays as it is", () => {
  fc.assert(
    fc.property(longText, fc.integer({ min: 3, max: 400 }), (text, longest) => {
      const once = printable(text, longest);
      assert.equal(printable(once, longest), once);
    }),
  );
});

test("sentences of an honest server stay as they are", () => {
  const word = fc.string({ unit: fc.constantFrom(..."abcXYZ019.,;!?-_/@()é日"), minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.array(word, { maxLength: 20 }), (words) => {
      const sentence = words.join(" ");
      assert.equal(printable(sentence), sentence);
    }),
  );
});

const scenes: readonly (readonly [what: string, text: string, shown: string])[] = [
  ["a command on a line of its own", "x\n::set-output name=a::b", "x : :set-output name=a: :b"],
  ["a command in brackets", "x ##[error]y", "x # # [error]y"],
  ["the colours of a terminal", "\u001b[31mred\u001b[0m", "[31mred [0m"],
  ["text that runs backwards", "abc\u202egpj.exe", "abc gpj.exe"],
  ["invisible characters", "a\u200bb\ufeffc\u{e0041}d", "a b c d"],
  ["halves of characters", "\ud800x\udfff", "\ufffdx\ufffd"],
  ["nothing but space", " \r\n\t ", ""],
];
for (const [what, text, shown] of scenes) {
  test(`what is shown of ${what}`, () => {
    assert.equal(printable(text), shown);
  });
}

test("text that just fits is not cut", () => {
  assert.equal(printable("abcde", 5), "abcde");
  assert.equal(printable(`ab${" ".repeat(18)}`, 5), "ab");
});

test("text that was cut ends in dots, also when most of it was white space", () => {
  assert.equal(printable("abcdefgh", 5), "abcde...");
  assert.equal(printable(`ab${" ".repeat(100)}cdefgh`, 5), "ab...");
});
