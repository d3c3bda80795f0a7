import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { builtinModules } from "node:module";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import * as esbuild from "esbuild";
import { publint } from "publint";

import { assertNoCanary, assertNoSecret } from "../support/canaries.ts";
import { startScmServer, type ScmServer } from "../support/scm-server.ts";
import { run } from "../support/searched-process.ts";
import { spelledSecrets } from "../support/spelled-secrets.ts";
import { missingTool } from "../support/tools.ts";
import { faultsOf, SETUPS } from "./compile.ts";
import { filesOf, packInto, projectWith, root } from "./tarball.ts";

/** All that a user gets. A part's name ends in a hash of what is in it. */
const CONTENTS = [
  "CHANGELOG.md",
  "LICENSE",
  "README.md",
  "dist/library/LICENSES.txt",
  "dist/library/before-4.7.d.ts",
  "dist/library/index.cjs",
  "dist/library/index.d.cts",
  "dist/library/index.d.ts",
  "dist/library/index.js",
  "dist/library/part-*.js",
  "dist/pulumi/LICENSES.txt",
  "dist/pulumi/before-4.7.d.ts",
  "dist/pulumi/handler.cjs",
  "dist/pulumi/handler.d.cts",
  "dist/pulumi/index.cjs",
  "dist/pulumi/index.d.cts",
  "dist/pulumi/index.d.ts",
  "dist/pulumi/index.js",
  "package.json",
];

const isPackage = (entry: string): boolean => !entry.startsWith(".");
const isBuiltin = (name: string): boolean => builtinModules.includes(name.replace(/^node:/, ""));

/** What CommonJS may write under the strictest checks. */
const REQUIRED = `
  import scmAuth = require("scm-auth");
  const options: scmAuth.ClientOptions = { timeout: 5, onEvent: ({ level }) => level === "error" };
  const client: scmAuth.OAuth2Client = new scmAuth.OAuth2Client(scmAuth.AuthRequest.fromEnv(), options);
  const token: Promise<string> = client.accessToken();
  // @ts-expect-error -- no such option
  const wrong: scmAuth.ClientOptions = { timeOut: 5 };
  export = { token, wrong };`;

describe("The package, as npm packs it", () => {
  let folder: string;
  let tarball: string;
  let files: ReadonlyMap<string, string>;
  let shapes: string;
  let server: ScmServer;
  /** Where each kind of program lies. */
  const project = (kind: "cjs" | "esm" | "ts"): string => join(folder, kind);
  const installed = (): string => join(project("esm"), "node_modules/scm-auth");

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "scm-auth-package-"));
    [tarball, server] = await Promise.all([packInto(folder), startScmServer()]);
    await writeFile(join(folder, "ca.pem"), server.ca);
    await Promise.all([
      projectWith(tarball, project("cjs"), {}, { "program.js": "programs/commonjs.cjs" }),
      projectWith(
        tarball,
        project("esm"),
        { type: "module" },
        { "program.js": "programs/esm.mjs", "copies.js": "programs/copies.mjs" },
      ),
      projectWith(tarball, project("ts"), { type: "module" }, { "program.ts": "programs/typescript.ts" }),
    ]);
    files = await filesOf(installed());
    shapes = await readFile(join(root, "test/package/types/shapes.ts"), "utf8");
  });
  after(async () => {
    await server.close();
    await rm(folder, { recursive: true });
  });

  const texts = (ending: RegExp): readonly string[] =>
    [...files].filter(([path]) => ending.test(path)).map(([, text]) => text);

  test("it holds what a user needs, and nothing else", () => {
    const names = [...files.keys()].map((path) => path.replace(/part-[A-Z0-9]{8}\.js$/, "part-*.js"));
    assert.deepEqual([...new Set(names)].sort(), [...CONTENTS].sort());
  });

  test("it holds no secret, neither of the tests nor of who packed it", async () => {
    const secrets = await spelledSecrets();
    assert.ok(secrets.length > 15);
    assertNoCanary(secrets, Object.fromEntries(files));
    assertNoSecret(Object.fromEntries(files));
  });

  test("publishing builds what was packed here", async () => {
    const { scripts } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    assert.equal(scripts["prepack"], "npm run --silent library");
    assert.equal(scripts["library"], "node scripts/build-library.ts && node scripts/build-pulumi.ts");
  });

  test("it brings no other package along", async () => {
    const manifest = JSON.parse(files.get("package.json") ?? "") as Readonly<Record<string, object | undefined>>;
    for (const field of ["dependencies", "optionalDependencies", "bundleDependencies"])
      assert.equal(manifest[field], undefined, field);
    // What only some users need they bring themselves.
    const peers = Object.keys(manifest["peerDependencies"] ?? {});
    const optional = Object.fromEntries(peers.map((name) => [name, { optional: true }]));
    assert.deepEqual(manifest["peerDependenciesMeta"] ?? {}, optional);
    assert.deepEqual((await readdir(join(project("esm"), "node_modules"))).filter(isPackage), ["scm-auth"]);
    const { metafile } = await esbuild.build({
      entryPoints: {
        esm: join(installed(), "dist/library/index.js"),
        cjs: join(installed(), "dist/library/index.cjs"),
        handler: join(installed(), "dist/pulumi/handler.cjs"),
      },
      ...{ bundle: true, packages: "external", platform: "node", write: false, metafile: true, outdir: folder },
    });
    const outside = Object.values(metafile.inputs).flatMap(({ imports }) => imports.filter(({ external }) => external));
    assert.ok(outside.length > 5, "imports were found");
    assert.deepEqual(
      outside.filter(({ path }) => !isBuiltin(path)),
      [],
    );
  });

  test("it says nothing of the machine that built it", () => {
    for (const place of new Set([root, homedir(), tmpdir()].map((path) => path.replace(/[/\\]$/, ""))))
      for (const [path, text] of files) assert.ok(!text.includes(`${place}/`), `${path} names ${place}`);
    assert.deepEqual(
      texts(/./).flatMap((text) => text.match(/sourceMappingURL|file:\/\/\/?[\w.]/g) ?? []),
      [],
    );
  });

  test("it brings the licence of every package whose code it holds", () => {
    const code = texts(/\.c?js$/).join("\n");
    const holds = new Set(
      [...code.matchAll(/^ *\/\/ node_modules\/((?:@[\w.-]+\/)?[\w.-]+)/gm)].map(([, name]) => name),
    );
    assert.ok(["@actions/http-client", "jose", "zod"].every((name) => holds.has(name)));
    const licences = files.get("dist/library/LICENSES.txt") ?? "";
    for (const name of holds) assert.match(licences, new RegExp(`^${name ?? ""} \\d+\\.\\d+\\.\\d+ \\(.+\\)$`, "m"));
  });

  test("publint has nothing to say", async () => {
    const bytes = await readFile(tarball);
    const { messages } = await publint({ pack: { tarball: new Uint8Array(bytes).buffer }, strict: true });
    assert.deepEqual(messages, []);
  });

  test("no way of resolving modules gets the wrong types", async () => {
    const result = await checkPackage(createPackageFromTarballData(await readFile(tarball)));
    assert.ok(result.types, "there are types");
    assert.deepEqual(result.problems, []);
  });

  test("a bundler leaves out what is not imported", async () => {
    const bundled = async (name: string): Promise<string> => {
      const { outputFiles } = await esbuild.build({
        stdin: { contents: `import { ${name} } from "scm-auth"; console.log(${name});`, resolveDir: project("esm") },
        ...{ bundle: true, platform: "node", format: "esm", write: false },
      });
      return outputFiles[0]?.text ?? "";
    };
    const client = /["'](?:node:)?https?["']|requestRaw/;
    assert.match(await bundled("OAuth2Client"), client);
    assert.doesNotMatch(await bundled("AuthRequest"), client);
    assert.ok((await bundled("ApiError")).length < 4096);
  });

  test("its types import nothing", () => {
    const [types = ""] = texts(/\.d\.cts$/);
    assert.match(types, /export .*OAuth2Client/);
    assert.doesNotMatch(types, /^import |import\(|\brequire\(|zod|\/\/\/ <reference/m);
  });

  for (const { name, options, endings } of SETUPS) {
    test(`its types hold under the strictest checks: ${name}`, async () => {
      const sources = endings.map((ending) => join(project("ts"), `shapes.${ending}`));
      for (const file of sources) await writeFile(file, file.endsWith(".cts") ? REQUIRED : shapes);
      assert.deepEqual(faultsOf(sources, options), []);
    });
  }

  const ANSWERS = ["production", "staging", "404 API_I00013", "config clientSecret,tsgId", ""].join("\n");

  /** Runs a program of a project against the local server, and wants nothing on stderr. @returns what it prints */
  async function outputOf(node: string, kind: "cjs" | "esm" | "ts", program: string): Promise<string> {
    const { stdout, stderr } = await run(node, [join(project(kind), program)], {
      env: {
        PATH: process.env["PATH"],
        NODE_EXTRA_CA_CERTS: join(folder, "ca.pem"),
        SCM_CLIENT_ID: server.clientId,
        SCM_CLIENT_SECRET: server.clientSecret,
        SCM_TOKEN_URL: server.tokenUrl,
        API_URL: server.apiUrl,
      },
      timeout: 20_000,
    });
    assertNoCanary([server.clientSecret, ...server.issued], { stdout, stderr });
    assert.equal(stderr, "");
    return stdout;
  }

  for (const [name, node] of [
    ["the node that runs the tests", process.execPath],
    ["node22", "node22"],
  ] as const) {
    test(`programs run on ${name}`, async (context) => {
      const absent = node === "node22" ? await missingTool([node]) : undefined;
      if (absent !== undefined) {
        context.skip(`NOT RUN ${absent}: not on PATH`);
        return;
      }
      const { stdout: version } = await run(node, ["--version"]);
      context.diagnostic(`RAN ${name} ${version.trim()}`);

      assert.equal(await outputOf(node, "cjs", "program.js"), ANSWERS);
      assert.equal(await outputOf(node, "esm", "program.js"), ANSWERS);
      assert.equal(await outputOf(node, "esm", "copies.js"), "each knows what the other made\n");
    });
  }

  test("a program in TypeScript is compiled and runs", async () => {
    const options = { module: "nodenext", lib: ["es2023"], types: ["node"], noEmit: false };
    assert.deepEqual(faultsOf([join(project("ts"), "program.ts")], options), []);
    assert.equal(await outputOf(process.execPath, "ts", "program.js"), ANSWERS);
  });
});
