import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire, isBuiltin } from "node:module";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import * as esbuild from "esbuild";
import { publint } from "publint";

import { getSkipReason, reportRun } from "../support/clients.ts";
import { findProgram, runProcess, type ProcessResult } from "../support/processes.ts";
import { startScmServer } from "../support/scm-server.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { findTypeErrors, root, SETUPS } from "./compile.ts";

/** Tests the package as packed by npm and installed in a project. The programs that use it are in programs/. */

const directory = await mkdtemp(join(tmpdir(), "scm-auth-package-"));
const server = await startScmServer();
after(async () => {
  await server.close();
  await rm(directory, { recursive: true });
});

async function npm(cwd: string, ...args: readonly string[]): Promise<ProcessResult> {
  const result = await runProcess("npm", [...args, "--offline", "--no-audit", "--no-fund"], {
    cwd,
    timeoutMs: 180_000,
  });
  assert.equal(result.exitCode, 0, result.log);
  return result;
}

interface PackedFile {
  readonly path: string;
}
const packed = await npm(root, "pack", "--json", "--pack-destination", directory);
// npm scripts may also write to stdout.
const [{ filename, files }] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf("["))) as [
  { readonly filename: string; readonly files: readonly PackedFile[] },
];
const tarball = join(directory, filename);
const project = join(directory, "project");
await mkdir(project);
await writeFile(join(project, "package.json"), JSON.stringify({ name: "project", private: true }));
await npm(project, "install", "--ignore-scripts", "--no-package-lock", tarball);
const installed = join(project, "node_modules/scm-auth");
const texts: Readonly<Record<string, string>> = Object.fromEntries(
  await Promise.all(files.map(async ({ path }) => [path, await readFile(join(installed, path), "utf8")] as const)),
);
const [node22, bun] = await Promise.all([getSkipReason(["node22"]), getSkipReason(["bun"])]);
const code = Object.entries(texts).filter(([path]) => /\.c?js$/.test(path));

test("the package contains only code, types, licenses, README.md, and CHANGELOG.md", () => {
  const names = Object.keys(texts).map((path) => path.replace(/part-\w+\.js$/, "part-*.js"));
  assert.deepEqual([...new Set(names)].sort(), [
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "dist/cli/LICENSES.txt",
    "dist/cli/scm-auth.cjs",
    "dist/library/LICENSES.txt",
    "dist/library/index.cjs",
    "dist/library/index.d.cts",
    "dist/library/index.d.ts",
    "dist/library/index.js",
    "dist/library/part-*.js",
    "dist/pulumi/LICENSES.txt",
    "dist/pulumi/handler.cjs",
    "dist/pulumi/handler.d.cts",
    "dist/pulumi/index.cjs",
    "dist/pulumi/index.d.cts",
    "dist/pulumi/index.d.ts",
    "dist/pulumi/index.js",
    "package.json",
  ]);
});

test("the package contains no path from the machine that built it", () => {
  const places = new Set([root, homedir(), tmpdir()].map((path) => path.replace(/[/\\]$/, "")));
  for (const [path, text] of Object.entries(texts)) {
    for (const place of places) assert.ok(!text.includes(`${place}/`), `${path} contains ${place}`);
    assert.doesNotMatch(text, /sourceMappingURL|file:\/\/\/?[\w.]/, path);
  }
});

test("the package has no dependencies and imports only built-in modules and @pulumi/pulumi", async () => {
  const manifest = JSON.parse(texts["package.json"] ?? "") as Readonly<Record<string, unknown>>;
  assert.deepEqual([manifest["dependencies"], manifest["optionalDependencies"]], [undefined, undefined]);
  assert.deepEqual(manifest["peerDependenciesMeta"], { "@pulumi/pulumi": { optional: true } });
  assert.deepEqual(
    (await readdir(join(project, "node_modules"))).filter((name) => !name.startsWith(".")),
    ["scm-auth"],
  );
  const entryPoints = [
    "cli/scm-auth.cjs",
    "library/index.js",
    "library/index.cjs",
    "pulumi/index.cjs",
    "pulumi/handler.cjs",
  ];
  const { metafile } = await esbuild.build({
    entryPoints: entryPoints.map((path) => join(installed, "dist", path)),
    ...{ bundle: true, packages: "external", platform: "node", write: false, metafile: true, outdir: directory },
    entryNames: "[hash]",
  });
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports.filter(({ external }) => external));
  const packages = new Set(imports.map(({ path }) => path).filter((path) => !isBuiltin(path)));
  assert.deepEqual(
    [...packages].filter((name) => !name.startsWith("@pulumi/pulumi")),
    [],
  );
  assert.ok(imports.length > 5);
});

test("the package includes the license of every package whose code it contains", () => {
  for (const part of ["cli", "library", "pulumi"]) {
    const bundled = code.filter(([path]) => path.startsWith(`dist/${part}/`)).map(([, text]) => text);
    const paths = bundled.join("\n").matchAll(/^ *\/\/ node_modules\/((?:@[\w.-]+\/)?[\w.-]+)/gm);
    const names = new Set([...paths].map(([, name = ""]) => name));
    for (const name of ["@actions/http-client", "jose", "zod"]) assert.ok(names.has(name), name);
    for (const name of names)
      assert.match(texts[`dist/${part}/LICENSES.txt`] ?? "", new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(.+\\)$`, "m"));
  }
});

test("publint finds no problems", async () => {
  const { buffer, byteOffset, byteLength } = await readFile(tarball);
  const copy = buffer.slice(byteOffset, byteOffset + byteLength);
  assert.deepEqual((await publint({ pack: { tarball: copy }, strict: true })).messages, []);
});

test("the library's type declarations import nothing", () => {
  const types = texts["dist/library/index.d.cts"] ?? "";
  assert.match(types, /export .*OAuth2Client/);
  assert.doesNotMatch(types, /^import |import\(|\brequire\(|zod|TestHooks|\/\/\/ <reference/m);
});

/** Links Pulumi, a peer dependency, into the project. */
async function linkPulumi(): Promise<void> {
  await mkdir(join(project, "node_modules/@pulumi"), { recursive: true });
  await symlink(join(root, "node_modules/@pulumi/pulumi"), join(project, "node_modules/@pulumi/pulumi")).catch(
    () => undefined,
  );
}

for (const [name, { options, extensions }] of Object.entries(SETUPS))
  test(`the types compile with the strictest options: ${name}`, async () => {
    await linkPulumi();
    const programs = name.includes("without") ? ["types"] : ["types", "pulumi-types"];
    const sources = programs.flatMap((program) => extensions.map((extension) => `${program}.${extension}`));
    for (const source of sources) {
      const program = `${source.split(".")[0] ?? ""}.ts`;
      await copyFile(join(root, "test/package/programs", program), join(project, source));
    }
    assert.deepEqual(
      findTypeErrors(
        sources.map((source) => join(project, source)),
        options,
      ),
      [],
    );
  });

const OUTPUT = "production\nstaging\n404 API_I00013\nconfig clientSecret,tsgId\n";
for (const { name, command, skip = false } of [
  { name: "this version of Node", command: process.execPath },
  { name: "Node 22", command: "node22", skip: node22 },
])
  test(`programs run on ${name}`, { skip }, async (t) => {
    await writeFile(join(project, "ca.pem"), server.ca);
    for (const [program, output] of [
      ["commonjs.cjs", OUTPUT],
      ["esm.mjs", OUTPUT],
      ["copies.mjs", "each copy recognizes the objects of the other\n"],
      ["interception.mjs", "6\n"],
    ] as const) {
      await copyFile(join(root, "test/package/programs", program), join(project, program));
      const { stdout, stderr } = await runProcess(command, [join(project, program)], {
        env: {
          PATH: process.env["PATH"],
          NODE_EXTRA_CA_CERTS: join(project, "ca.pem"),
          SCM_CLIENT_ID: server.clientId,
          SCM_CLIENT_SECRET: server.clientSecret,
          SCM_TOKEN_URL: server.tokenUrl,
          SCM_API_URL: server.apiUrl,
        },
      });
      assertNoSecret({ stdout, stderr }, [server.clientSecret, ...server.issued]);
      assert.deepEqual([stderr, stdout], ["", output], program);
    }
    if (command === "node22") await reportRun(t, command, "programs with the package");
  });

const bin = join(project, "node_modules/.bin/scm-auth");
for (const [name, command, args, skip] of [
  ["node", bin, [], false],
  ["node22", bin, [], node22],
  ["bun", "bun", ["x", "--bun", "scm-auth"], bun],
] as const)
  test(`the installed command prints a token with ${name}`, { skip }, async (t) => {
    const path = await mkdtemp(join(directory, "path-"));
    // The first line of the command starts the node that is first in PATH, but bun runs the command itself.
    const runtime = name === "node" ? process.execPath : ((await findProgram(name)) ?? "");
    await symlink(runtime, join(path, name === "bun" ? name : "node"));
    await writeFile(join(project, "ca.pem"), server.ca);
    const env = {
      ...{ PATH: `${path}:/usr/bin:/bin`, HOME: directory, NODE_EXTRA_CA_CERTS: join(project, "ca.pem") },
      ...{ SCM_CLIENT_ID: server.clientId, SCM_CLIENT_SECRET: server.clientSecret, SCM_TSG_ID: server.tsgId },
      SCM_TOKEN_URL: server.tokenUrl,
    };
    const options = { cwd: project, env };
    const { stdout, stderr } = await runProcess(command, [...args, "token", "--no-cache"], options);
    assert.deepEqual([stderr, stdout], ["", `${server.issued.at(-1) ?? ""}\n`]);
    const script = `${[command, ...args].join(" ")} token; exit 3`;
    const run = await runProcess(command, [...args, "run", "--no-cache", "--", "sh", "-c", script], options);
    assert.deepEqual([run.exitCode, run.stderr, run.stdout], [3, "", "***\n"]);
    if (name !== "node") await reportRun(t, name, "the installed command");
  });

test("the example with msw in docs/library.md runs as published", async () => {
  await symlink(join(root, "node_modules/msw"), join(project, "node_modules/msw"));
  const page = await readFile(join(root, "docs/library.md"), "utf8");
  const block = [...page.matchAll(/^```ts\n([^]*?)^```$/gm)]
    .map(([, text = ""]) => text)
    .find((text) => text.includes('"msw"'));
  await writeFile(join(project, "msw.mts"), block ?? "");
  const { exitCode, log } = await runProcess(process.execPath, [join(project, "msw.mts")], {
    env: { PATH: process.env["PATH"] },
  });
  assert.equal(exitCode, 0, log);
  assert.match(log, /pass 3\b/);
});

test("the private fields of the command are not compiled to WeakMaps, which would be slow", () => {
  assert.doesNotMatch(texts["dist/cli/scm-auth.cjs"] ?? "", /__private/);
});

test("the command says which version of Node it needs", async () => {
  const file = join(directory, "old.cjs");
  await writeFile(
    file,
    `Object.defineProperty(process.versions, "node", { value: "20.1.0" });\n${(texts["dist/cli/scm-auth.cjs"] ?? "").replace(/^#!.*/, "")}`,
  );
  const { exitCode, stderr } = await runProcess(process.execPath, [file, "token"]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /^error: scm-auth needs Node.js 22 or later, but this is Node.js v[\d.]+.\nhint: /);
});

test("the entry points of scm-auth/pulumi, including the handler for serialized providers, can be loaded with require", async () => {
  await linkPulumi();
  const require = createRequire(join(project, "index.js"));
  const program = require("scm-auth/pulumi") as object;
  assert.deepEqual(Object.keys(program).sort(), ["AccessToken", "AuthFile", "getAccessToken", "getAccessTokenOutput"]);
  const handler = require("scm-auth/pulumi/handler") as (version: number) => object;
  assert.deepEqual(Object.keys(handler(1)).sort(), ["check", "create", "delete", "diff", "read", "update"]);
});
