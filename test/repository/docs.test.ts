import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";
import { getSkipReason, reportRun } from "../support/clients.ts";
import { runProcess } from "../support/processes.ts";
import { inRepository } from "../support/runner-job.ts";
import { startScmNetwork } from "../support/scm-network.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { VERSION } from "../../shared/version.ts";

const { stdout } = await runProcess("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], {
  cwd: inRepository("."),
});
const pages = stdout.split("\n").filter((page) => page !== "" && existsSync(inRepository(page)));
const texts = new Map(
  await Promise.all(pages.map(async (page) => [page, await readFile(inRepository(page), "utf8")] as const)),
);

/** Returns the anchor that GitHub generates for a heading. */
const toAnchor = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");

const getAnchors = (text: string): ReadonlySet<string> =>
  new Set([...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => toAnchor(heading)));

test("every relative link in the docs points to an existing file and heading", () => {
  const broken: string[] = [];
  for (const [page, text] of texts)
    for (const [, link = ""] of text.replace(/```[^]*?```/g, "").matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue;
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : relative(inRepository("."), resolve(dirname(inRepository(page)), path));
      const isThere = existsSync(inRepository(target));
      const headings = getAnchors(texts.get(target) ?? "");
      if (!isThere || (anchor !== undefined && !headings.has(anchor))) broken.push(`${page}: ${link}`);
    }
  assert.deepEqual(broken, []);
});

test("every test and script that the docs name exists", () => {
  const names = [...texts].flatMap(([page, text]) =>
    [...text.matchAll(/\b(?:test|scripts)\/[\w/.-]+\.[cm]?ts\b/g)].map(([name]) => ({ page, name })),
  );
  assert.ok(names.length > 100);
  assert.deepEqual(
    names.filter(({ name }) => !existsSync(inRepository(name))),
    [],
  );
});

test("README.md has at most 200 lines and CONTRIBUTING.md at most 4 KB", () => {
  assert.ok((texts.get("README.md") ?? "").split("\n").length <= 201);
  assert.ok((texts.get("CONTRIBUTING.md") ?? "").length <= 4096);
});

test("package.json and shared/version.ts contain the same version", async () => {
  const { version } = JSON.parse(await readFile(inRepository("package.json"), "utf8")) as { readonly version: string };
  assert.equal(version, VERSION);
});

interface Block {
  readonly name: string;
  readonly language: string;
  readonly code: string;
}

const blocks: readonly Block[] = [...texts].flatMap(([page, text]) =>
  [...text.matchAll(/^```(ts|python)\n([^]*?)^```$/gm)].map(([, language = "", code = ""], index) => ({
    name: `block ${index + 1} of ${page}`,
    language,
    code,
  })),
);

test("every TypeScript block in the docs type-checks", async (t) => {
  // This directory, which git ignores, is in the repository so that TypeScript can resolve installed packages.
  const dir = inRepository(`dist/api/blocks-${process.pid}`);
  t.after(() => runProcess("rm", ["-rf", dir]));
  await mkdir(join(dir, "node_modules/@pulumi"), { recursive: true });
  await symlink(inRepository("node_modules/@pulumi/pulumi"), join(dir, "node_modules/@pulumi/pulumi"));
  await writeFile(
    join(dir, "scm.d.ts"),
    'declare module "@pulumi/scm" { export const Provider: any; export const Tag: any }',
  );
  const code = blocks.filter(({ language }) => language === "ts");
  assert.ok(code.length > 8);
  await Promise.all(code.map((block, index) => writeFile(join(dir, `${index}.mts`), block.code)));
  const config = {
    extends: "../../../tsconfig.json",
    compilerOptions: {
      paths: { "scm-auth": ["../../../shared/index.ts"], "scm-auth/pulumi": ["../../../provider/index.ts"] },
      noPropertyAccessFromIndexSignature: false,
    },
    include: ["."],
  };
  await writeFile(join(dir, "tsconfig.json"), JSON.stringify(config));
  const tsc = inRepository("node_modules/typescript/bin/tsc");
  const result = await runProcess(process.execPath, [tsc, "-p", dir], { timeoutMs: 120_000 });
  assert.equal(result.exitCode, 0, result.stdout);
});

/** A module that makes Node resolve `scm-auth` to the sources. */
const HOOK = `import { registerHooks } from "node:module";
registerHooks({
  resolve: (name, context, next) =>
    name === "scm-auth" ? { url: ${JSON.stringify(new URL("../../shared/index.ts", import.meta.url).href)}, shortCircuit: true } : next(name, context),
});`;

// Blocks with scm-auth/pulumi need Pulumi. Those with msw need the package, and test/package/ runs them.
for (const { name, language, code } of blocks.filter((block) => !/"(scm-auth\/pulumi|msw)"/.test(block.code)))
  test(`${name} runs as published`, async (t) => {
    const skip = language === "python" && (await getSkipReason(["pan-scm-sdk"]));
    if (skip !== false) {
      t.skip(skip);
      return;
    }
    const dir = await createTempDir(t);
    const network = await startScmNetwork({ tsgIds: ["1234567890", "2345678901"] });
    t.after(network.close);
    const { clientId, clientSecret, tsgId } = network.server;
    const file = join(dir, language === "python" ? "block.py" : "block.mts");
    await writeFile(file, code);
    const hook = `data:text/javascript,${encodeURIComponent(HOOK)}`;
    const isPython = language === "python";
    const [program, args] = isPython ? ["python3", [file]] : [process.execPath, ["--import", hook, file]];
    const result = await runProcess(program, args, {
      cwd: dir,
      env: {
        ...{ PATH: process.env["PATH"], HOME: dir, ...network.env },
        ...{ SCM_CLIENT_ID: clientId, SCM_CLIENT_SECRET: clientSecret, SCM_TSG_ID: tsgId, SCM_TSG_ID_2: "2345678901" },
      },
      timeoutMs: 60_000,
    });
    assert.equal(result.exitCode, 0, result.log);
    const { issued } = network.server;
    assert.ok(issued.length > 0);
    assertNoSecret({ log: result.log }, [clientSecret, ...issued]);
    if (isPython) await reportRun(t, "pan-scm-sdk", name);
  });
