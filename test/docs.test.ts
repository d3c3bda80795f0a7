import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { mutants } from "./mutants/table.ts";
import { scenes } from "./scenes.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages = [
  ...["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"],
  ...(await readdir(join(root, "docs"))).map((name) => `docs/${name}`),
];
const read = (page: string): string => readFileSync(join(root, page), "utf8");

for (const page of pages) {
  test(`every link and every file named in ${page} leads somewhere`, () => {
    const text = read(page);
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link = ""]) => join(dirname(page), link));
    const files = [...text.matchAll(/`((?:test|shared|action|scripts|docs|examples|dist)\/[\w./-]*)`/g)].map(
      ([, file = ""]) => file,
    );
    for (const path of [...links, ...files]) assert.ok(existsSync(join(root, path)), path);
  });
}

test("the threat model names scenes and mutants that there are", () => {
  const text = read("docs/threat-model.md");
  const topics: ReadonlySet<string> = new Set(Object.keys(scenes));
  const names: ReadonlySet<string> = new Set(mutants.map(({ name }) => name));
  const quoted = (kind: RegExp): readonly string[] =>
    [...text.matchAll(kind)].flatMap(([, list = ""]) => [...list.matchAll(/"([^"]+)"/g)].map(([, name = ""]) => name));
  const namedScenes = quoted(/scenes ((?:"[^"]+"(?:, )?)+)/g);
  const namedMutants = quoted(/mutants? ((?:"[^"]+"(?:, )?)+)/g);
  assert.ok(namedScenes.length > 5 && namedMutants.length > 5);
  assert.deepEqual(
    namedScenes.filter((name) => !topics.has(name)),
    [],
  );
  assert.deepEqual(
    namedMutants.filter((name) => !names.has(name)),
    [],
  );
});

test("the README is read in one sitting", () => {
  assert.ok(read("README.md").split("\n").length <= 200);
});
