import assert from "node:assert/strict";
import { test } from "node:test";

import { marked, type Token, type Tokens } from "marked";

import { joined, ours, oursWithAddresses, phrase, toCell, toText } from "../../../action/check/phrase.ts";
import { printable } from "../../../shared/report/printable.ts";
import type { Quote } from "../../../shared/report/redactor.ts";
import * as fc from "../../support/fuzzing.ts";
import { foreignText } from "../../support/texts.ts";

const quote: Quote = printable;

test("words of ours and foreign text are put together in order", () => {
  const found = phrase`status ${200} of ${"a host"}, ${joined([phrase`${"x"}`, phrase`${"y"}`], " and ")}`;
  assert.equal(toText(found, quote), "status 200 of a host, x and y");
  assert.equal(toCell(found, quote), "status 200 of `a host`, `x` and `y`");
});

/** Text with what means something in Markdown, in a table, or to GitHub. */
const marks = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ..."`|\\*_[]()<>!#@~$&:-\n\r",
        ..."``,| --- |,\\|,\\\\|,<img src=x onerror=alert(1)>,<!--,](https://evil.example),![x](https://evil.example/a.png)".split(
          ",",
        ),
        ..."@octocat,#12,https://evil.example,www.evil.example,me@evil.example,:smile:,$$x$$,&#124;,&#96;,<td>,</code>".split(
          ",",
        ),
      ),
      foreignText,
    ),
    { maxLength: 12 },
  )
  .map((pieces) => pieces.join(""));

/** What the second of three cells comes to, when a renderer reads the table. */
function rendered(cell: string): Tokens.TableCell {
  const tokens = marked.lexer(`| a | b | c |\n| --- | --- | --- |\n| first | ${cell} | last |\n`);
  assert.deepEqual(
    tokens.map(({ type }) => type),
    ["table"],
  );
  const [row = [], ...others] = (tokens[0] as Tokens.Table).rows;
  assert.deepEqual([others.length, row.length, row[0]?.text, row[2]?.text], [0, 3, "first", "last"], cell);
  assert.ok(row[1]);
  return row[1];
}

test("foreign text stays in its cell and is code there, whatever it holds", () => {
  fc.assert(
    fc.property(marks, (text) => {
      const { tokens } = rendered(toCell(phrase`so: ${text}.`, quote));
      const kinds = tokens.map(({ type }: Token) => type).filter((type) => type !== "text" && type !== "escape");
      const shown = printable(text);
      assert.deepEqual(kinds, shown === "" ? [] : ["codespan"]);
      const [code] = tokens.filter(({ type }) => type === "codespan") as Tokens.Codespan[];
      if (code) assert.equal(code.text.trim(), shown.replaceAll("`", "´").replaceAll("|", "¦").trim());
    }),
    { numRuns: 400 },
  );
});

test("words of ours are read as they are written, marks of Markdown and all", () => {
  const words = "expires_in *and* <user> | http://user:password@host:port [x](y) `z` ~~w~~ &amp; @me #1";
  const { tokens } = rendered(toCell(ours(words), quote));
  assert.deepEqual(
    tokens.filter(({ type }) => type !== "text" && type !== "escape"),
    [],
  );
  assert.equal(tokens.map((token) => (token as Tokens.Text).text).join(""), words);
});

test("addresses in words of ours are code as well, without what ends the sentence", () => {
  const words = "Put it (https://docs.example/a.md); or https_proxy=http://user:password@host:port, or a@b.c.";
  const { tokens } = rendered(toCell(oursWithAddresses(words), quote));
  const codes = (tokens.filter(({ type }) => type === "codespan") as Tokens.Codespan[]).map(({ text }) => text);
  assert.deepEqual(codes, ["https://docs.example/a.md", "https_proxy=http://user:password@host:port", "a@b.c"]);
  assert.equal(toText(oursWithAddresses(words), quote), words);
});

test("a foreign text of nothing is told to be empty", () => {
  assert.equal(toCell(phrase`${""}`, quote), "(empty)");
});
