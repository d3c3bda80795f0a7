import assert from "node:assert/strict";
import { cp, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { parse } from "yaml";

import { inputDocs } from "../../action/input-docs.ts";
import { inputs } from "../../action/inputs.ts";
import { outputs } from "../../action/outputs.ts";
import { version } from "../../shared/version.ts";
import { assertNoCanary } from "../support/canaries.ts";
import { inputVariables } from "../support/runner-environment.ts";
import { run } from "../support/searched-process.ts";
import { BUILDERS_SECRETS, spelledSecrets } from "../support/spelled-secrets.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string): Promise<string> => readFile(join(root, path), "utf8");

const BUNDLE = "dist/action/main.cjs";
const LARGEST_BUNDLE = 96 * 1024;

/** What the generator and the build read and write. */
const PARTS = [
  "action", "shared", "scripts", "dist", "docs", "examples", "action.yml", "package.json", "README.md", ".prettierrc.json",
  "RELEASING.md", "SECURITY.md", ".github",
]; // prettier-ignore

const copy = await mkdtemp(join(tmpdir(), "scm-auth-copy-"));
after(() => rm(copy, { recursive: true }));
for (const part of PARTS) await cp(join(root, part), join(copy, part), { recursive: true });
await symlink(join(root, "node_modules"), join(copy, "node_modules"), "junction");

/** Runs a script of the copy. */
const runInCopy = (script: string) => run(process.execPath, [script], { cwd: copy });

/** The files of the tree that differ from the copy's. */
async function changedFiles(): Promise<readonly string[]> {
  const paths = await readdir(copy, { recursive: true });
  const changed: string[] = [];
  for (const path of paths.filter((name) => !name.startsWith("node_modules"))) {
    if ((await stat(join(copy, path))).isDirectory()) continue;
    const [ours, theirs] = await Promise.all([read(path).catch(() => ""), readFile(join(copy, path), "utf8")]);
    if (ours !== theirs) changed.push(path);
  }
  return changed;
}

test("what is generated from tables is in the tree as generated", async () => {
  await runInCopy("scripts/generate.ts");
  assert.deepEqual(await changedFiles(), []);
});

test("the bundle in the tree is what the sources build", async () => {
  // Built here and not in the copy: names in the bundle depend on where node_modules really lies.
  const fresh = join(copy, "fresh");
  await run(process.execPath, ["scripts/build.ts", fresh], {
    cwd: root,
    env: { ...process.env, ...BUILDERS_SECRETS },
  });
  const files = await readdir(join(root, "dist/action"));
  assert.deepEqual(await readdir(fresh), files);
  for (const file of files)
    assert.equal(await readFile(join(fresh, file), "utf8"), await read(`dist/action/${file}`), file);
});

test("no bundle in the tree holds a secret, neither of the tests nor of who built it", async () => {
  const secrets = await spelledSecrets();
  assert.ok(secrets.length > 15);
  const files = await readdir(join(root, "dist/action"));
  assert.ok(files.includes("keeper.cjs"));
  for (const file of files) assertNoCanary(secrets, { [file]: await read(`dist/action/${file}`) });
});

test("action.yml names every input and output of the tables, with the defaults that the code has", async () => {
  const manifest = parse(await read("action.yml")) as {
    readonly inputs: Readonly<Record<string, { readonly required: boolean; readonly default?: string }>>;
    readonly outputs: Readonly<Record<string, unknown>>;
    readonly runs: { readonly using: string; readonly main: string };
  };
  const defaults = Object.entries(inputs).map(([name, input]) => [
    name,
    { required: "required" in input, default: "default" in input ? input.default : undefined },
  ]);
  assert.deepEqual(
    Object.entries(manifest.inputs).map(([name, input]) => [
      name,
      { required: input.required, default: input.default },
    ]),
    defaults,
  );
  assert.deepEqual(Object.keys(manifest.outputs), Object.keys(outputs));
  assert.deepEqual(manifest.runs, { using: "node24", main: BUNDLE, post: "dist/action/post.cjs" });
});

test("the README has a row for every input and output, with what the table says of it", async () => {
  const readme = await read("README.md");
  for (const [name, text] of [...Object.entries(inputDocs), ...Object.entries(outputs)])
    assert.ok(
      readme.split("\n").some((row) => row.startsWith(`| \`${name}\` `) && row.includes(text)),
      name,
    );
});

test("the version is the same everywhere", async () => {
  const { version: published } = JSON.parse(await read("package.json")) as { readonly version: string };
  assert.equal(version, published);
  assert.match(await read(BUNDLE), new RegExp(`"${published.replaceAll(".", "\\.")}"`));
});

test("the bundle is small", async () => {
  const { size } = await stat(join(root, BUNDLE));
  assert.ok(size < LARGEST_BUNDLE, `${size} of ${LARGEST_BUNDLE} bytes`);
});

test("the bundle tells nothing of the machine that built it, and points to no map", async () => {
  const bundle = await read(BUNDLE);
  for (const text of [root, homedir(), tmpdir(), "node_modules", "file://", "sourceMappingURL", "\\Users\\"])
    assert.ok(!bundle.includes(text), text);
});

test("of undici, which would be nine tenths of the bundle, nothing but its name is in it", async () => {
  const bundle = await read(BUNDLE);
  assert.ok(bundle.split("undici").length <= 2);
  for (const text of ["UND_ERR_", "llhttp"]) assert.ok(!bundle.includes(text), text);
});

test("the licences are those of the packages in the bundle, neither more nor fewer", async () => {
  // Without minifying the builder writes above each module where it comes from.
  const build = await readFile(join(copy, "scripts/build.ts"), "utf8");
  assert.match(build, /minify: true/);
  await writeFile(join(copy, "scripts/build-readable.ts"), build.replace("minify: true", "minify: false"));
  await runInCopy("scripts/build-readable.ts");
  const scripts = (await readdir(join(copy, "dist/action"))).filter((name) => name.endsWith(".cjs"));
  assert.ok(scripts.length >= 6, scripts.join());
  const readable = await Promise.all(scripts.map((name) => readFile(join(copy, "dist/action", name), "utf8")));
  const modules = readable.join("\n").matchAll(/^\s*\/\/ \S*node_modules\/((?:@[^/\s]+\/)?[^/\s]+)\/\S+$/gm);
  const bundled = new Set([...modules].map(([, name]) => name));
  const licences = await read("dist/action/LICENSES.txt");
  const told = [...licences.matchAll(/^(\S+) \d+\.\d+\.\d+\S* \(\S+\)$/gm)].map(([, name]) => name);
  assert.deepEqual(new Set(told), bundled);
  assert.equal(licences.split(/^-{80}$/m).length, bundled.size);
  for (const text of licences.split(/^-{80}$/m)) assert.ok(text.length > 500, "a licence without its text");
});

/** Parts of node that the step needs before it has begun, each with who needs it. */
const AT_START: Readonly<Record<string, string>> = {
  crypto: "jose (webcrypto) and X509Certificate",
  fs: "inputs, outputs, the event file",
  http: "the HTTP client",
  https: "the HTTP client",
  net: "connections that are opened early",
  os: "the toolkit: the line end",
  stream: "the stderr that goes nowhere",
  tls: "trust",
  util: "inspect",
};

test("the bundle loads no part of node before it needs it", async () => {
  const tracer = join(copy, "tracer.cjs");
  await writeFile(
    tracer,
    `const Module = require("node:module");
     const { writeSync } = require("node:fs");
     const load = Module._load;
     const loaded = new Set();
     Module._load = function (request, ...rest) {
       if (Module.isBuiltin(request)) loaded.add(request.replace(/^node:/, ""));
       return load.call(this, request, ...rest);
     };
     process.on("exit", () => writeSync(1, "LOADED " + [...loaded].sort().join(" ") + "\\n"));`,
  );
  // With a wrong input it ends before the first request.
  const env = { ...process.env, GITHUB_OUTPUT: tracer, ...inputVariables({ timeout: "0" }) };
  const { stdout } = await run(process.execPath, ["--require", tracer, join(root, BUNDLE)], { env }).catch(
    (error: unknown) => error as { readonly stdout: string },
  );
  assert.match(stdout, /^::error title=scm-auth::timeout is not/m);
  assert.deepEqual(/^LOADED (.*)$/m.exec(stdout)?.[1]?.split(" "), Object.keys(AT_START));
});
