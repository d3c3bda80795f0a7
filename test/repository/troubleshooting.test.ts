import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { test } from "node:test";

import { API_CAUSES, ERROR_COUNT, ERROR_SECTIONS } from "../../scripts/build/troubleshooting/sections.ts";
import { createTroubleshootingPage, PAGE } from "../../scripts/build/troubleshooting/page.ts";
import { HINTS } from "../../shared/hints.ts";
import { inRepository } from "../support/runner-job.ts";

const entries = [
  ...ERROR_SECTIONS.flatMap(({ errors }) => Object.entries(errors)),
  ...Object.entries(API_CAUSES).map(([group, entry]) => [`api_${group}`, entry] as const),
];

test("docs/troubleshooting.md is what `npm run build` writes", async () => {
  assert.equal(await readFile(inRepository(PAGE), "utf8"), await createTroubleshootingPage());
});

test("each error code and each group of API statuses is in exactly one section", () => {
  const codes = entries.map(([code]) => code);
  assert.deepEqual(codes.filter((code) => !code.startsWith("api_")).sort(), Object.keys(HINTS).sort());
  assert.equal(new Set(codes).size, ERROR_COUNT + Object.keys(API_CAUSES).length);
});

/** The number of parts of `sources` that the words consist of, which messages are put together from. */
function countParts(words: readonly string[], sources: string): number {
  if (words.length === 0) return 0;
  const length = words.findLastIndex((_, index) => sources.includes(words.slice(0, index + 1).join(" "))) + 1;
  return length === 0 ? Infinity : 1 + countParts(words.slice(length), sources);
}

test("the messages are those in the sources", async () => {
  // Some messages are joined with a comma.
  const withoutCommas = (text: string): string => text.replaceAll(",", "");
  let sources = "";
  for await (const path of glob("{shared,action,cli,provider}/**/*.ts", { cwd: inRepository(".") }))
    sources += withoutCommas(await readFile(inRepository(path), "utf8"));
  const wrong = entries.flatMap(([code, { message }]) =>
    withoutCommas(message)
      .replace(/^token request: /, "")
      // Texts of the operating system, and placeholders.
      .split(/permission denied|no space left on device|<[^>]+>/)
      .map((text) => text.match(/\(?\w[\w'(,:)-]*/g) ?? [])
      .filter((words) => countParts(words, sources) > 3)
      .map((words) => `${code}: ${words.join(" ")}`),
  );
  assert.deepEqual(wrong, []);
});
