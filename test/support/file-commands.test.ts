import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFileCommands } from "./file-commands.ts";

const files: readonly (readonly [what: string, text: string, parsed: Readonly<Record<string, string>>])[] = [
  ["a line", "a=b\n", { a: "b" }],
  ["a value with an equals sign", "a=b=c", { a: "b=c" }],
  ["a value with <<", "a=b<<c", { a: "b<<c" }],
  ["a value of several lines", "a<<EOF\nb\n\nc=d\nEOF\ne=f\n", { a: "b\n\nc=d", e: "f" }],
  ["an empty value", "a<<EOF\nEOF\nb=\n", { a: "", b: "" }],
  ["a name that comes twice", "a=b\na=c\n", { a: "c" }],
  ["blank lines", "\n\na=b\n\n", { a: "b" }],
  ["nothing", "", {}],
];
for (const [what, text, parsed] of files) {
  test(`a file with ${what} is read`, () => {
    assert.deepEqual(Object.fromEntries(parseFileCommands(text)), parsed);
  });
}

for (const text of ["no format", "a<<EOF\nb\n", "<<EOF\nEOF", "a<<\n\n"]) {
  test(`${JSON.stringify(text)} is refused`, () => {
    assert.throws(() => parseFileCommands(text), /^Error: Invalid/);
  });
}
