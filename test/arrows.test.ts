import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { builtinModules } from "node:module";
import { dirname, join, normalize } from "node:path/posix";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

import ts from "typescript";

import { inputs } from "../action/inputs.ts";

/** Where a file may stand, and what it may know. */
interface Room {
  /** A folder with all below it, or a file. */
  readonly path: string;
  /** Rooms that it may import from, beside itself. */
  readonly mayImport: readonly string[];
  /** Packages that it may import from; their errors and types go no further. Node's own are free for all. */
  readonly packages: readonly string[];
}

const CLOCK = ["shared/clock.ts"];
const REPORT = ["shared/report", ...CLOCK];
const HTTP = ["shared/http", ...REPORT];
const TOKEN = ["shared/token", ...HTTP];
const SHARED = ["shared/index.ts", "shared/version.ts", "shared/client", "shared/handoff", ...TOKEN];

const PROVIDER = ["provider/abi.ts", "provider/sign-in", ...SHARED];

/** THE table: arrows point down, from a room to the floors below it (design, section 1). */
const ROOMS: readonly Room[] = [
  { path: "action", mayImport: SHARED, packages: ["@actions/core"] },
  { path: "provider/program", mayImport: PROVIDER, packages: ["@pulumi/pulumi"] },
  // Loaded by a process of Pulumi's, from wherever the text in a state finds it: it needs nothing beside itself.
  { path: "provider/process", mayImport: PROVIDER, packages: [] },
  { path: "provider/sign-in", mayImport: SHARED, packages: [] },
  { path: "provider/abi.ts", mayImport: [], packages: [] },
  { path: "shared/index.ts", mayImport: SHARED, packages: [] },
  { path: "shared/client", mayImport: ["shared/version.ts", ...TOKEN], packages: ["zod"] },
  { path: "shared/handoff", mayImport: ["shared/version.ts", ...TOKEN], packages: ["jose", "zod"] },
  { path: "shared/token", mayImport: HTTP, packages: ["jose", "zod"] },
  { path: "shared/http", mayImport: REPORT, packages: ["@actions/http-client"] },
  { path: "shared/report", mayImport: ["shared/version.ts", ...CLOCK], packages: [] },
  { path: "shared/clock.ts", mayImport: [], packages: [] },
  { path: "shared/version.ts", mayImport: [], packages: [] },
];

/** Folders whose files may import anything. */
const FREE = ["scripts", "test"];

/** Files over the limit, each with the reason why it may be. */
const LONG_DATA_TABLES: Readonly<Record<string, string>> = {};
const LONGEST_FILE = 250;

/** Names that say nothing of what a file is about. */
const BAG = /(^|\/)(utils?|helpers?|common|misc|lib)(\.[cm]?ts|\/)/;

const root = fileURLToPath(new URL("..", import.meta.url));
const isFolder = (folder: string): boolean => existsSync(join(root, folder));

async function sourcesIn(folder: string): Promise<readonly string[]> {
  if (!isFolder(folder)) return [];
  const entries = await readdir(join(root, folder), { recursive: true });
  return entries.map((entry) => join(folder, entry.replaceAll("\\", "/"))).filter((path) => /\.[cm]?ts$/.test(path));
}

const parse = (path: string): ts.SourceFile =>
  ts.createSourceFile(path, readFileSync(join(root, path), "utf8"), ts.ScriptTarget.Latest, true);

function visit(node: ts.Node, look: (node: ts.Node) => void): void {
  look(node);
  ts.forEachChild(node, (child) => {
    visit(child, look);
  });
}

/** What a file imports, for types or values, by name or on the way: the texts between the quotes. */
function importsOf(source: ts.SourceFile): readonly string[] {
  const found: string[] = [];
  visit(source, (node) => {
    const from =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
          ? node.argument.literal
          : ts.isExternalModuleReference(node)
            ? node.expression
            : ts.isCallExpression(node) && /^(import|require|require\.resolve)$/.test(node.expression.getText())
              ? node.arguments[0]
              : undefined;
    if (from === undefined) return;
    if (!ts.isStringLiteralLike(from)) throw new Error(`${source.fileName} imports what only running it would tell`);
    found.push(from.text);
  });
  return found;
}

const isRelative = (specifier: string): boolean => /^\.{1,2}\//.test(specifier);
const fileBehind = (from: string, specifier: string): string => normalize(join(dirname(from), specifier));
const packageOf = (specifier: string): string => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
const isBuiltin = (specifier: string): boolean => specifier.startsWith("node:") || builtinModules.includes(specifier);
const isInside = (path: string, room: string): boolean => path === room || path.startsWith(`${room}/`);
const roomOf = (path: string): Room | undefined => ROOMS.find((room) => isInside(path, room.path));

const files = (await Promise.all(["action", "provider", "shared"].map(sourcesIn))).flat();
const imports = new Map(files.map((path) => [path, importsOf(parse(path))]));
const arrows = [...imports].flatMap(([from, specifiers]) =>
  specifiers.filter(isRelative).map((specifier) => [from, fileBehind(from, specifier)] as const),
);

test("every file has a room", () => {
  assert.deepEqual(
    files.filter((path) => roomOf(path) === undefined),
    [],
  );
  assert.ok(files.length > 30, "the files were found");
});

test("arrows between rooms point down alone", () => {
  const wrong = arrows.filter(([from, to]) => {
    const room = roomOf(from);
    return ![room?.path, ...(room?.mayImport ?? [])].some((path) => path !== undefined && isInside(to, path));
  });
  assert.deepEqual(
    wrong.map(([from, to]) => `${from} → ${to}`),
    [],
  );
  assert.ok(arrows.length > 80, "the imports were found");
});

test("every import leads to a file that is there", () => {
  assert.deepEqual(
    arrows.filter(([, to]) => !files.includes(to)),
    [],
  );
});

test("the rooms of the table make no circle", () => {
  const below = (path: string): readonly string[] => ROOMS.find((room) => room.path === path)?.mayImport ?? [];
  // The index may name every room, itself among them.
  const circles = ROOMS.filter(({ path, mayImport }) => mayImport.some((lower) => below(lower).includes(path)));
  assert.deepEqual(
    circles.map(({ path }) => path).filter((path) => path !== "shared/index.ts"),
    [],
  );
});

test("files make no circle", () => {
  const done = new Set<string>();
  const follow = (path: string, way: readonly string[]): void => {
    assert.ok(!way.includes(path), [...way.slice(way.indexOf(path)), path].join(" → "));
    if (done.has(path)) return;
    for (const [from, to] of arrows) if (from === path) follow(to, [...way, path]);
    done.add(path);
  };
  for (const path of files) follow(path, []);
});

test("each room imports the packages that are its own", () => {
  const wrong = [...imports].flatMap(([from, specifiers]) =>
    specifiers
      .filter((specifier) => !isRelative(specifier) && !isBuiltin(specifier))
      .filter((specifier) => !roomOf(from)?.packages.includes(packageOf(specifier)))
      .map((specifier) => `${from} → ${specifier}`),
  );
  assert.deepEqual(wrong, []);
});

test("no file is past the limit, but for the tables named", () => {
  const lines = files.map((path) => [path, readFileSync(join(root, path), "utf8").split("\n").length - 1] as const);
  const long = lines.filter(([, count]) => count > LONGEST_FILE).map(([path]) => path);
  assert.deepEqual(long, Object.keys(LONG_DATA_TABLES));
});

test("no file is a bag of odds and ends", async () => {
  const everywhere = [...files, ...(await Promise.all(FREE.map(sourcesIn))).flat()];
  assert.deepEqual(
    everywhere.filter((path) => BAG.test(path)),
    [],
  );
});

test("no text in shared/ names an input of the action", () => {
  // Of one word, as `scope`, they are also the names that the field itself uses.
  const names = Object.keys(inputs).filter((name) => name.includes("-"));
  const named = new RegExp(`(?<![\\w/-])(${names.join("|")})(?![\\w-])`);
  const wrong: string[] = [];
  for (const path of files.filter((file) => isInside(file, "shared"))) {
    visit(parse(path), (node) => {
      const isText = ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node);
      if (isText && named.test(node.text)) wrong.push(`${path}: ${node.text}`);
    });
  }
  assert.deepEqual(wrong, []);
});
