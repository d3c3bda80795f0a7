import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import ts from "typescript";

import { assertNoCanary } from "./support/canaries.ts";
import { programs, type Program } from "./support/programs.ts";
import { startScmNetwork, type ScmNetwork } from "./support/scm-network.ts";
import { spawn } from "./support/searched-process.ts";
import { missingTool, versionOf } from "./support/tools.ts";

/**
 * The programs in README and docs, run as they stand there: each in a file of its own and a process of its own, in a
 * network where SCM's host names lead to a local server.
 */
const library = new URL("../shared/index.ts", import.meta.url);

/** Lets programs import the library by its name, from its sources. */
const hook = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  registerHooks({
    resolve: (name, context, next) => (name === "scm-auth" ? { url: "${library.href}", shortCircuit: true } : next(name, context)),
  });`)}`;

/** How each language is started. */
const COMMANDS = {
  ts: [process.execPath, "--import", hook],
  python: ["python"],
} as const;
const ENDINGS = { ts: "mts", python: "py" } as const;

describe("The programs of the docs work as they are published", () => {
  let network: ScmNetwork;
  let folder: string;
  before(async () => {
    network = await startScmNetwork();
    folder = await mkdtemp(join(tmpdir(), "scm-auth-programs-"));
  });
  after(async () => {
    await network.close();
    await rm(folder, { recursive: true });
  });

  /** Runs one, with these variables beside those that its page names, and looks for secrets in what it writes. */
  async function perform(
    { language, code }: Program,
    variables: Readonly<Record<string, string>> = {},
    ending: string = ENDINGS[language],
  ) {
    const { server, env, caFile } = network;
    const seenBefore = server.requests.length;
    const file = join(folder, `${randomUUID()}.${ending}`);
    await writeFile(file, code);
    const [command, ...args] = COMMANDS[language];
    const child = spawn(command, [...args, file], {
      cwd: folder,
      env: {
        PATH: process.env["PATH"],
        ...env,
        // Python's own client, with which the SDK fetches keys, looks here alone.
        SSL_CERT_FILE: caFile,
        SCM_CLIENT_ID: server.clientId,
        SCM_CLIENT_SECRET: server.clientSecret,
        SCM_TSG_ID: server.tsgId,
        ...variables,
      },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 20_000,
    });
    const ended = once(child, "close") as Promise<[number | null]>;
    const [[exitCode], stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    assertNoCanary([server.clientSecret, ...server.issued], { stdout, stderr });
    return { exitCode, stdout, stderr, requests: server.requests.slice(seenBefore) };
  }

  for (const program of programs) {
    const { name, language, code } = program;
    test(name, async (context) => {
      const absent = language === "python" ? await missingTool(["pan-scm-sdk"]) : undefined;
      if (absent !== undefined) {
        context.skip(`NOT RUN ${absent}: not on PATH`);
        return;
      }
      const { exitCode, stdout, stderr, requests } = await perform(program);
      assert.equal(exitCode, 0, stdout + stderr);
      assert.equal(stderr, "");
      assert.ok(requests.some(({ method }) => method === "POST"));
      assert.ok(requests.every(({ status }) => status === 200));
      if (code.includes(".list")) assert.match(stdout, /production[^]*staging/);
      if (language === "python") context.diagnostic(`RAN pan-scm-sdk ${await versionOf("pan-scm-sdk")}: ${name}`);
    });
  }

  test("the README's program is JavaScript as well as TypeScript", async () => {
    const first = programs.find(({ name }) => name.startsWith("README.md"));
    assert.ok(first);
    const { exitCode, stderr } = await perform(first, {}, "mjs");
    assert.deepEqual([exitCode, stderr], [0, ""]);
  });

  const catching = programs.filter(({ code }) => code.includes("process.exitCode = 1"));
  for (const program of catching) {
    test(`${program.name}, with a wrong secret, says what happened and what to do`, async () => {
      const { exitCode, stdout, stderr } = await perform(program, { SCM_CLIENT_SECRET: randomUUID() });
      assert.equal(exitCode, 1);
      assert.equal(stdout, "");
      assert.match(stderr, /Authentication error: .*invalid_client.* The client id or the secret is wrong\./);
    });

    test(`${program.name}, without its variables, names them`, async () => {
      const unset = { SCM_CLIENT_ID: "", SCM_CLIENT_SECRET: "", SCM_TSG_ID: "" };
      const { exitCode, stderr, requests } = await perform(program, unset);
      assert.equal(exitCode, 1);
      assert.match(stderr, /SCM_CLIENT_ID is missing.*SCM_CLIENT_SECRET is missing/);
      assert.deepEqual(requests, []);
    });
  }

  test("they pass the strictest of type checks", async () => {
    const files = await Promise.all(
      programs
        .filter(({ language }) => language === "ts")
        .map(async ({ code }) => {
          const file = join(folder, `${randomUUID()}.mts`);
          await writeFile(file, code);
          return file;
        }),
    );
    assert.ok(files.length >= 5 && catching.length >= 2);
    const checker = ts.createProgram(files, {
      ...{ target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.NodeNext, noEmit: true, skipLibCheck: true },
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noUnusedLocals: true },
      // What the library's own sources need, which stand in here for its types.
      allowImportingTsExtensions: true,
      paths: { "scm-auth": [fileURLToPath(library)] },
      types: ["node"],
      typeRoots: [fileURLToPath(new URL("../node_modules/@types", import.meta.url))],
    });
    const found = files.flatMap((file) => {
      const source = checker.getSourceFile(file);
      return [...checker.getSyntacticDiagnostics(source), ...checker.getSemanticDiagnostics(source)];
    });
    assert.deepEqual(
      found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")),
      [],
    );
  });
});
