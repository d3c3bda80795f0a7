import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { Runner } from "../../action/runner.ts";
import { AuthError } from "../../shared/errors.ts";
import { getMasks } from "../../shared/redact.ts";
import { getErrorPage } from "../../shared/version.ts";
import { fc } from "../support/fuzzing.ts";
import { runProcess } from "../support/processes.ts";
import { parseFileCommands } from "../support/runner-job.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { foreignText, usualSecret } from "../support/texts.ts";
import { setVariables } from "../support/variables.ts";
import { parseCommand, toLines } from "../support/workflow-commands.ts";
import { captureLog, captureStdout } from "./recording-runner.ts";

const getMasked = (stdout: string): readonly string[] =>
  toLines(stdout).flatMap((line) => {
    const command = parseCommand(line);
    return command?.name === "add-mask" ? [command.data] : [];
  });

test("info writes any text as one line that is not a command", () => {
  fc.assert(
    fc.property(foreignText, (text) => {
      const lines = toLines(
        captureStdout(() => {
          new Runner().info(text);
        }),
      );
      assert.ok(lines.length <= 1);
      assert.equal(parseCommand(lines[0] ?? ""), undefined);
    }),
  );
});

for (const level of ["error", "warning"] as const) {
  test(`${level} writes any text as one annotation with a constant title`, () => {
    fc.assert(
      fc.property(foreignText, foreignText, (cause, hint) => {
        const { annotations } = captureLog((runner) => {
          if (level === "error") runner.error(cause, hint, "https://docs.example/#code");
          else runner.warning(cause);
        });
        assert.deepEqual([annotations.length, annotations[0]?.level, annotations[0]?.title], [1, level, "scm-auth"]);
        assert.equal(annotations[0]?.message.split("\n").length, level === "error" ? 3 : 1);
      }),
    );
  });
}

test("an error annotation has a line each for the cause, the hint, and a link, and is never truncated by the runner", () => {
  const { annotations } = captureLog((runner) => {
    runner.error("It failed.", "Fix it.");
    runner.error("It failed.", "Fix it.", "https://docs.example/#code");
    runner.error("x".repeat(9999), "y".repeat(9999), getErrorPage("sealed_token_decryption_failed"));
  });
  const [short, linked, long] = annotations.map(({ message }) => message);
  assert.equal(short, "It failed.\nHint: Fix it.");
  assert.equal(linked, "It failed.\nHint: Fix it.\nSee https://docs.example/#code");
  // `_maxIssueMessageLength` in actions/runner, ExecutionContext.cs.
  assert.ok(long !== undefined && long.length <= 4096 && long.endsWith("#sealed_token_decryption_failed"), long);
});

test("never writes a masked secret in any form", () => {
  fc.assert(
    fc.property(usualSecret, foreignText, (secret, text) => {
      const line = `${text} ${[secret, ...getMasks(secret, { withBase64: true })].join(` ${text} `)}`;
      const stdout = captureStdout(() => {
        const runner = new Runner();
        runner.mask(secret);
        runner.info(line);
        runner.debug(line);
        runner.warning(line);
        runner.error(line, line);
      });
      const written = toLines(stdout).filter((one) => !one.startsWith("::add-mask::"));
      assertNoSecret({ log: written.join("\n") }, [secret]);
    }),
    { numRuns: 60 },
  );
});

test("writes each mask once, longest first, even if the redactor already knows the secret", () => {
  const secret = "s3cret value/+";
  const stdout = captureStdout(() => {
    const runner = new Runner();
    runner.redactor.add(secret);
    runner.mask(secret);
    runner.mask(secret, ` ${secret}`);
  });
  assert.deepEqual(getMasked(stdout), getMasks(secret));
});

test("masks a secret input and its base64 forms, returns it unchanged, and removes it from the environment", (t) => {
  setVariables(t, { "INPUT_CLIENT-SECRET": " s3cret-value\n" });
  const runner = new Runner();
  const stdout = captureStdout(() => {
    assert.equal(runner.getSecretInput("client-secret", ["proxy-password"]), " s3cret-value\n");
  });
  assert.equal(process.env["INPUT_CLIENT-SECRET"], undefined);
  const masked = getMasked(stdout);
  for (const secret of ["s3cret-value", "proxy-password"])
    for (const mask of getMasks(secret, { withBase64: true })) assert.ok(masked.includes(mask), mask);
  assert.deepEqual(
    masked,
    masked.toSorted((a, b) => b.length - a.length),
  );
});

test("does not mask a secret, or a line of one, that is only one or two characters long", (t) => {
  for (const secret of ['{\n"a": "s3cret-value",\n"b": 1\n}', "ab"]) {
    setVariables(t, { "INPUT_CLIENT-SECRET": secret });
    const masked = getMasked(captureStdout(() => new Runner().getSecretInput("client-secret")));
    assert.equal(masked.includes('"a": "s3cret-value",'), secret !== "ab");
    assert.deepEqual(
      masked.filter((mask) => mask.length < 3),
      [],
    );
  }
});

test("returns inputs unchanged, and considers a blank input to be set", (t) => {
  setVariables(t, { "INPUT_TSG-ID": "\t 1 \n", INPUT_SCOPE: "", INPUT_VERIFY: undefined });
  const runner = new Runner();
  assert.deepEqual(
    ["tsg-id", "scope", "verify"].map((name) => [runner.input(name), runner.hasInput(name)]),
    [
      ["\t 1 \n", true],
      ["", true],
      ["", false],
    ],
  );
});

test("writes outputs, state, and variables in such a way that the runner reads the same values", async (t) => {
  const directory = await createTempDir(t);
  const value = "a=b\n<<EOF %0A\u2028 é";
  const runner = new Runner();
  for (const [variable, method] of [
    ["GITHUB_OUTPUT", "output"],
    ["GITHUB_STATE", "saveState"],
    ["GITHUB_ENV", "exportVariable"],
  ] as const) {
    const file = join(directory, variable);
    await writeFile(file, "");
    setVariables(t, { [variable]: file, "x-y": undefined });
    runner[method]("x-y", value);
    assert.deepEqual({ ...parseFileCommands(await readFile(file, "utf8")) }, { "x-y": value });
  }
});

test("appends the summary without masked secrets", async (t) => {
  const file = join(await createTempDir(t), "summary");
  await writeFile(file, "before\n");
  setVariables(t, { GITHUB_STEP_SUMMARY: file });
  const runner = new Runner();
  captureStdout(() => {
    runner.mask("s3cret-value");
  });
  runner.summary(["## A heading", "", "| s3cret-value |", `| ${Buffer.from("s3cret-value").toString("hex")} |`]);
  assert.equal(await readFile(file, "utf8"), "before\n## A heading\n\n| *** |\n| *** |\n");
});

test("reports a runner file that cannot be written, with a hint that matches the cause", async (t) => {
  const directory = await createTempDir(t);
  await mkdir(join(directory, "dir"));
  await writeFile(join(directory, "file"), "");
  await writeFile(join(directory, "read-only"), "", { mode: 0o400 });
  const cases: readonly (readonly [path: string | undefined, message: RegExp, hint: RegExp])[] = [
    [undefined, /GITHUB_OUTPUT is not set/, /as a step of a workflow/],
    ["", /GITHUB_OUTPUT is not set/, /as a step of a workflow/],
    [join(directory, "none"), /\(ENOENT\)/, /may have deleted/],
    [join(directory, "file", "x"), /\(ENOTDIR\)/, /may have replaced/],
    [join(directory, "dir"), /\(EISDIR\)/, /disk is not full/],
    ...(process.platform === "linux" ? [["/dev/full", /\(ENOSPC\)/, /runner's disk is full/] as const] : []),
    ...(process.getuid?.() ? [[join(directory, "read-only"), /\(EACCES\)/, /Permission denied/] as const] : []),
  ];
  for (const [path, message, hint] of cases) {
    setVariables(t, { GITHUB_OUTPUT: path });
    assert.throws(
      () => {
        const runner = new Runner();
        runner.assertOutputsWritable();
        runner.output("access-token", "s3cret-token");
      },
      (error) => {
        assert.ok(AuthError.isAuthError(error));
        assert.deepEqual([error.kind, error.code, error.requestSent], ["file", "output_write_failed", false]);
        assert.match(error.message, message);
        assert.match(error.hint, hint);
        assert.doesNotMatch(`${error.message} ${error.hint} ${JSON.stringify(error)}`, /s3cret/);
        return true;
      },
      String(path),
    );
  }
});

test("reports a FIFO that no process reads instead of waiting", { skip: process.platform === "win32" }, async (t) => {
  const fifo = join(await createTempDir(t), "fifo");
  assert.equal((await runProcess("mkfifo", [fifo])).exitCode, 0);
  const script = `
    import { Runner } from ${JSON.stringify(new URL("../../action/runner.ts", import.meta.url).href)};
    try { new Runner().output("a", "b"); } catch (error) { console.log(error.message); }`;
  const env = { ...process.env, GITHUB_OUTPUT: fifo };
  const { stdout } = await runProcess(process.execPath, ["--input-type=module", "--eval", script], { env });
  assert.match(stdout, /GITHUB_OUTPUT refers to is not writable \(ENXIO\)/);
});

test("does not write state, variables, or the summary to the log if their files are missing", (t) => {
  setVariables(t, { GITHUB_STATE: undefined, GITHUB_ENV: undefined, GITHUB_STEP_SUMMARY: undefined });
  const runner = new Runner();
  const stdout = captureStdout(() => {
    for (const write of [
      () => {
        runner.saveState("name", "value");
      },
      () => {
        runner.exportVariable("NAME", "value");
      },
      () => {
        runner.summary(["value"]);
      },
    ])
      // prettier-ignore
      assert.throws(write, { code: "output_write_failed" });
  });
  assert.equal(stdout, "");
});
