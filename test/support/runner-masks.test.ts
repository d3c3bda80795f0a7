import assert from "node:assert/strict";
import { test } from "node:test";
import { makeRunnerMasks } from "./runner-masks.ts";

/** `text` as the log shows it once `values` are masked. */
function masked(text: string, ...values: readonly string[]): string {
  const masks = makeRunnerMasks();
  for (const value of values) masks.add(value);
  return masks.apply(text);
}

const encodings: readonly (readonly [how: string, value: string, text: string])[] = [
  ["as it is", "s3cr3t+value", "s3cr3t+value"],
  ["in base64", "s3cr3t+value", Buffer.from("s3cr3t+value").toString("base64")],
  ["in base64 without its first byte", "s3cr3t+value", Buffer.from("3cr3t+value").toString("base64")],
  ["in base64 without its first two", "s3cr3t+value", Buffer.from("cr3t+value").toString("base64")],
  ["in JSON", 'a"b\\c\nd', 'a\\"b\\\\c\\nd'],
  ["in a URI", "a+b/c=d!'()*é", "a%2Bb%2Fc%3Dd%21%27%28%29%2A%C3%A9"],
  ["in XML", `a<b>&"'`, "a&lt;b&gt;&amp;&quot;&apos;"],
  ["in an expression", "it's", "it''s"],
  ["on a command line", 'a"b', 'a\\"b'],
  ["without the quotes around it", '"quoted value"', "quoted value"],
  ["up to the last ampersand", "secret1&secret2", "secret1&"],
  ["after the last ampersand", "secret1&secret2", "secret2"],
];
for (const [how, value, text] of encodings) {
  test(`a masked value is hidden ${how}`, () => {
    assert.equal(masked(`[${text}]`, value), "[***]");
  });
}

const notHidden: readonly (readonly [how: string, text: string])[] = [
  ["in hex", Buffer.from("s3cr3t+value").toString("hex")],
  ["in base64url", Buffer.from("\u00ff\u00fe~~??s3cr3t").toString("base64url")],
  ["in base64 with something after it", Buffer.from("s3cr3t7:x").toString("base64")],
  ["in other letters", "S3CR3T+VALUE"],
];
for (const [how, text] of notHidden) {
  test(`the runner does not hide a value ${how}, so the action must`, () => {
    assert.equal(masked(text, "s3cr3t7", "s3cr3t+value", "\u00ff\u00fe~~??s3cr3t"), text);
  });
}

test("each line of a value is hidden too, without the white space around it", () => {
  assert.equal(masked("first, second", " first \r\n second"), "***, ***");
});

test("matches that overlap or touch become one", () => {
  assert.equal(masked("xabcdefx", "abcd", "cdef"), "x***x");
  assert.equal(masked("xabcdx", "ab", "cd"), "x***x");
  assert.equal(masked("aaaaa", "aa"), "***");
  assert.equal(masked("ab-ab", "ab", "abc"), "***-***");
});

test("an empty value hides nothing", () => {
  assert.equal(masked("text", ""), "text");
});
