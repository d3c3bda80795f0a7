import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { warningsOf } from "../action/auth-file/surroundings.ts";
import { outputs } from "../action/outputs.ts";
import { AuthRequest, OAuth2Client } from "../shared/index.ts";
import { handoffHints } from "../shared/report/handoff-hints.ts";
import { mutants } from "./mutants/table.ts";
import { scenes as peerScenes } from "./peer/scenes.ts";
import { scenes } from "./scenes.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages = [
  ...["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "RELEASING.md"],
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

test("the threat model names tests that there are", () => {
  const named = [...read("docs/threat-model.md").matchAll(/`(test\/[\w./-]+\.test\.ts)` ((?:"[^"]+"(?:, )?)+)/g)];
  assert.ok(named.length > 15);
  for (const [, file = "", list = ""] of named)
    for (const [, title = ""] of list.matchAll(/"([^"]+)"/g))
      assert.ok(read(file).includes(title), `${file}: ${title}`);
});

test("docs/from-python.md calls everything by a name that there is", () => {
  const client = new OAuth2Client(AuthRequest.parse({ clientId: "a@1.iam.panserviceaccount.com", clientSecret: "s" }));
  const here = read("docs/from-python.md")
    .split("\n")
    .flatMap((line) => /^\| `.*\| (.*) \|$/.exec(line)?.[1] ?? []);
  const named = (pattern: RegExp): readonly string[] =>
    here.flatMap((cell) => [...cell.matchAll(pattern)].flatMap(([, name = ""]) => name));
  const onClient = named(/\bclient\.(\w+)/g);
  assert.ok(onClient.length >= 10);
  for (const name of onClient) assert.ok(name in client, name);
  for (const name of named(/\bclient\.session\.(\w+)/g)) assert.ok(name in client.session, name);
});

test("docs/from-python.md shows every scene of `npm run peer`, played by the SDK that CI installs", () => {
  const page = read("docs/from-python.md");
  const table = /<!-- peer -->([^]*)<!-- \/peer -->/.exec(page)?.[1] ?? "";
  const rows = table
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .slice(2);
  const cells = rows.map((row) => row.split(/(?<!\\)\|/).map((cell) => cell.trim()));
  assert.deepEqual(
    cells.map(([, scene]) => scene),
    peerScenes.map(({ name }) => name),
  );
  assert.ok(cells.every(([, , python, ours]) => python !== "" && ours !== ""));
  const pin = /^pan-scm-sdk==(\S+)$/m.exec(read(".ci/requirements.txt"))?.[1] ?? "none";
  assert.ok(table.includes(`with pan-scm-sdk ${pin} on Python`), pin);
});

/** The cells of a page's tables, row by row, Markdown's marks left in. */
const rowsOf = (page: string): readonly (readonly string[])[] =>
  read(page)
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

const codeIn = (cell = ""): readonly string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);

test("docs/auth-file.md tells of every variable that beats the file, and of no other", () => {
  const request = AuthRequest.parse({ clientId: "a@1.iam.panserviceaccount.com", clientSecret: "s" });
  const all = rowsOf("docs/auth-file.md")
    .flatMap(([first]) => codeIn(first))
    .filter((name) => /^(TF_LOG|SCM_)[A-Z_]*$/.test(name));
  // Beats the file as users want it to.
  const told = all.filter((name) => name !== "SCM_HOST");
  assert.equal(told.length, all.length - 1);
  assert.deepEqual(warningsOf({ SCM_HOST: "another" }, request), []);
  const table = readFileSync(join(root, "action/auth-file/surroundings.ts"), "utf8");
  const known = [...table.matchAll(/^ {2}([A-Z_]+): \(/gm)].map(([, name = ""]) => name);
  assert.deepEqual(told.toSorted(), known.toSorted());
  for (const name of told) assert.equal(warningsOf({ [name]: "another" }, request).length, 1, name);
});

test("docs/auth-file.md has a row for every error of the auth file, and quotes messages as they are", async () => {
  const rows = rowsOf("docs/auth-file.md");
  const codes: ReadonlySet<string | undefined> = new Set(rows.flatMap(([, code]) => codeIn(code)));
  const own = Object.keys(handoffHints).filter((code) => !code.startsWith("sealed"));
  assert.ok(own.length >= 9);
  for (const code of own) assert.ok(codes.has(code), code);

  const entries = await Promise.all(
    ["action", "shared/handoff"].map((folder) => readdir(join(root, folder), { recursive: true, withFileTypes: true })),
  );
  const sources = entries
    .flat()
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), "utf8"))
    .join("\n");
  const [, ours = ""] = /## What the log says([^]*)Messages of the providers/.exec(read("docs/auth-file.md")) ?? [];
  const quoted = ours.split("\n").flatMap((line) => codeIn(/^\| (`.*?`) +\|/.exec(line)?.[1]));
  assert.ok(quoted.length >= 30);
  // What stands around a value in the page stands around it in the source, too.
  const parts = quoted.flatMap((message) => message.split("…")).map((part) => part.replace(/^[).,]/, "").trim());
  for (const part of parts) assert.ok(sources.includes(part.replace(/[.,]$/, "")), part);
});

test("the README is read in one sitting", () => {
  assert.ok(read("README.md").split("\n").length <= 200);
});

test("the README leads to every page of docs", () => {
  const readme = read("README.md");
  for (const page of pages.filter((name) => /^docs\/.*\.md$/.test(name))) assert.ok(readme.includes(`(${page})`), page);
});

const pictures = [...read("README.md").matchAll(/!\[([^\]]*)\]\(([^)]*)\)/g)];

test("the README's pictures are there, say what they show to who can't see them, and are found from npm's page too", () => {
  const { repository } = JSON.parse(read("package.json")) as { readonly repository: Readonly<Record<string, string>> };
  // npm's page looks for relative paths in the repository that the package names, from its root.
  assert.match(repository["url"] ?? "", /^git\+https:\/\/github\.com\/[\w.-]+\/scm-auth\.git$/);
  assert.equal(repository["directory"], undefined);
  assert.equal(pictures.length, 2);
  for (const [, shows = "", path = ""] of pictures) {
    assert.match(path, /^docs\/[\w-]+\.svg$/);
    assert.ok(shows.length > 50, path);
    const picture = read(path);
    assert.match(picture, /<title id="title">[^<]+<\/title>\n?<desc id="desc">[^<]{50,}<\/desc>/);
    assert.match(picture, /role="img" aria-labelledby="title desc"/);
    assert.ok(Buffer.byteLength(picture) < 10 * 1024, path);
    // An image runs no scripts and loads nothing.
    const own = picture.replace('xmlns="http://www.w3.org/2000/svg"', "").replaceAll("url(#head)", "");
    assert.doesNotMatch(own, /<script|\bon\w+=|url\(|href|@import|font-face|<foreignObject/i);
  }
});

test("the picture of the flow has colours for light and dark pages, and names outputs and inputs that there are", () => {
  const picture = read("docs/flow.svg");
  assert.match(picture, /@media\(prefers-color-scheme:dark\)/);
  const names = [...picture.matchAll(/class="name code"[^>]*>([^<]+)</g)].map(([, name = ""]) => name);
  assert.deepEqual(names.toSorted(), ["access-token", "auth-file", "scm-auth", "scm-auth", "sealed-token"]);
  for (const name of names.filter((name) => name !== "scm-auth")) assert.ok(name in outputs, name);
});
