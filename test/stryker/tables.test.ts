import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

import { equivalents } from "./equivalents.ts";
import { filesOf, pieceNames, testsOf } from "./pieces.ts";

const pathOf = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url));

for (const piece of pieceNames) {
  test(`the files and tests of the piece "${piece}" are there`, () => {
    for (const file of [...filesOf(piece), ...testsOf(piece)]) assert.ok(existsSync(pathOf(file)), file);
  });
}

for (const { file, code = "", by = "", as = "anything" } of equivalents) {
  test(`what is known as equivalent still stands in ${file}: ${code} ${by} -> ${as}`, () => {
    const text = readFileSync(pathOf(`shared/${file}.ts`), "utf8");
    assert.ok(text.replace(/\s+/g, " ").includes(code));
    assert.ok(text.includes(by) && code + by !== "", by);
    assert.ok(pieceNames.some((piece) => filesOf(piece).includes(`shared/${file}.ts`)));
  });
}
