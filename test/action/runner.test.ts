import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { Runner } from "../../action/runner.ts";
import { AuthError } from "../../shared/report/errors.ts";
import { secretForms } from "../../shared/report/secrets.ts";
import { parseFileCommands } from "../support/file-commands.ts";
import * as fc from "../support/fuzzing.ts";
import { makeRunnerMasks } from "../support/runner-masks.ts";
import { stdoutOf } from "../support/stdout.ts";
import { anySecret, foreignText } from "../support/texts.ts";
import { setVariables } from "../support/variables.ts";
import { linesOf, obey, parseCommand, type StepLog } from "../support/workflow-commands.ts";

const folder = await mkdtemp(join(tmpdir(), "scm-auth-runner-"));
after(() => rm(folder, { recursive: true }));

/** What a step that writes so comes to in the log of the run. */
const logOf = (work: (runner: Runner) => void): StepLog => {
  const lines = linesOf(
    stdoutOf(() => {
      work(new Runner());
    }),
  );
  return obey(lines, makeRunnerMasks(), true);
};

test("whatever is said is one line of text and no command", () => {
  fc.assert(
    fc.property(foreignText, (text) => {
      const lines = linesOf(
        stdoutOf(() => {
          new Runner().say(text);
        }),
      );
      assert.equal(lines.length, 1);
      assert.equal(parseCommand(lines[0] ?? "", { has: () => true } as unknown as ReadonlySet<string>), undefined);
    }),
  );
});

for (const level of ["error", "warning", "notice"] as const) {
  test(`whatever is told as ${level} is one annotation under a constant title`, () => {
    fc.assert(
      fc.property(foreignText, foreignText, (cause, hint) => {
        const { annotations, outputs, state } = logOf((runner) => {
          if (level === "error") runner.error(cause, hint);
          else runner[level](cause);
        });
        assert.deepEqual([annotations.length, annotations[0]?.level, annotations[0]?.title], [1, level, "scm-auth"]);
        assert.equal(annotations[0]?.message.split("\n").length, level === "error" ? 2 : 1);
        assert.deepEqual([outputs, state], [{}, {}]);
      }),
    );
  });
}

test("an error has its cause on the first line and what to do on the second", () => {
  const { annotations } = logOf((runner) => {
    runner.error("It broke.", "Mend it.");
  });
  assert.equal(annotations[0]?.message, "It broke.\nHint: Mend it.");
});

test("a debug message is one, and one alone", () => {
  fc.assert(
    fc.property(foreignText, (text) => {
      const lines = linesOf(
        stdoutOf(() => {
          new Runner().debug(text);
        }),
      );
      assert.deepEqual([lines.length, parseCommand(lines[0] ?? "")?.name], [1, "debug"]);
    }),
  );
});

/** What stdout holds but for the commands that mask. */
const withoutMasks = (stdout: string): string =>
  linesOf(stdout)
    .filter((line) => parseCommand(line)?.name !== "add-mask")
    .join("\n");

test("what was masked is written by no means, in no form, and the runner knows it too", () => {
  fc.assert(
    fc.property(fc.array(anySecret, { minLength: 1, maxLength: 2 }), foreignText, (secrets, text) => {
      const said = [...secrets, ...secrets.flatMap(secretForms), text].join(` ${text} `);
      const stdout = stdoutOf(() => {
        const runner = new Runner();
        for (const secret of secrets) runner.mask(secret);
        runner.say(said);
        runner.debug(said);
        runner.warning(said);
        runner.error(said, said);
      });
      const masked = linesOf(stdout).flatMap((line) => {
        const command = parseCommand(line);
        return command?.name === "add-mask" ? [command.data] : [];
      });
      assert.deepEqual(new Set(masked), new Set(secrets.flatMap(secretForms)));
      // The titles and names of commands are ours, and a short secret may stand in them.
      const written = withoutMasks(stdout)
        .replace(/^::\w+( title=scm-auth)?::/gm, "")
        .replace(/^Hint: |%0AHint: /gm, "");
      // What stands for a secret may itself complete one that holds asterisks.
      const forms = secrets.flatMap(secretForms).filter((form) => form.length > 3 && !form.includes("***"));
      for (const form of forms) assert.ok(!written.toLowerCase().includes(form.toLowerCase()), form);
    }),
    { numRuns: 60 },
  );
});

test("masks stand before anything else, the longest first, each once", () => {
  const secret = "s3cret value/+";
  const lines = linesOf(
    stdoutOf(() => {
      const runner = new Runner();
      runner.mask(secret);
      runner.mask(secret);
      runner.mask(` ${secret}`.trim());
    }),
  );
  const values = lines.map((line) => parseCommand(line)?.data ?? "");
  assert.deepEqual(values, secretForms(secret));
});

test("a secret is masked when it is taken, and is gone from the environment", (t) => {
  setVariables(t, { "INPUT_CLIENT-SECRET": " s3cret-value\n" });
  let taken = "";
  const stdout = stdoutOf(() => {
    taken = new Runner().takeSecret("client-secret");
  });
  assert.equal(taken, " s3cret-value\n");
  assert.equal(process.env["INPUT_CLIENT-SECRET"], undefined);
  const masks = makeRunnerMasks();
  obey(linesOf(stdout), masks);
  assert.equal(masks.apply("x:s3cret-value:x"), "x:***:x");
});

test("an input is read as it was written", (t) => {
  setVariables(t, { "INPUT_TSG-ID": "\t 1 \n", INPUT_SCOPE: undefined });
  assert.deepEqual([new Runner().input("tsg-id"), new Runner().input("scope")], ["\t 1 \n", ""]);
});

test("outputs are read back by the runner as they were given", async (t) => {
  const file = join(folder, "output");
  setVariables(t, { GITHUB_OUTPUT: file });
  const value = fc.oneof(
    foreignText.map((text) => text.toWellFormed()),
    fc.constantFrom("", "a\nb", "a=b", "<<EOF", "x<<y\nz"),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.constantFrom("access-token", "scope"), value)), async (outputs) => {
      await writeFile(file, "");
      const runner = new Runner();
      runner.requireOutputs();
      for (const [name, text] of outputs) runner.output(name, text);
      assert.deepEqual(parseFileCommands(await readFile(file, "utf8")), new Map(outputs));
    }),
    { numRuns: 50 },
  );
});

for (const [what, file] of [
  ["no file", undefined],
  ["a blank name", ""],
  ["a file that is not there", join(folder, "none")],
] as const) {
  test(`outputs that can't be handed out are an error at once: ${what}`, (t) => {
    setVariables(t, { GITHUB_OUTPUT: file });
    assert.throws(() => { new Runner().requireOutputs(); }, { code: "outputs_unwritable", kind: "config" }); // prettier-ignore
  });
}

test("the summary is added to, line by line, without what was masked", async (t) => {
  const file = join(folder, "summary");
  await writeFile(file, "before\n");
  setVariables(t, { GITHUB_STEP_SUMMARY: file });
  const runner = new Runner();
  stdoutOf(() => {
    runner.mask("s3cret-value");
  });
  runner.summary(["## A heading", "", "| s3cret-value |", `| ${Buffer.from("s3cret-value").toString("hex")} |`]);
  assert.equal(await readFile(file, "utf8"), "before\n## A heading\n\n| *** |\n| *** |\n");
});

test("a summary without a file is an error", (t) => {
  setVariables(t, { GITHUB_STEP_SUMMARY: undefined });
  assert.throws(() => { new Runner().summary(["x"]); }, { code: "outputs_unwritable" }); // prettier-ignore
});

test("a file that fails when it is written is an error that shows neither its path nor the value", (t) => {
  setVariables(t, { GITHUB_OUTPUT: folder });
  assert.throws(
    () => {
      new Runner().output("access-token", "s3cret-token");
    },
    (error) => {
      assert.ok(AuthError.isAuthError(error));
      assert.equal(error.code, "outputs_unwritable");
      assert.doesNotMatch(`${error.message} ${error.hint} ${JSON.stringify(error)}`, /s3cret|scm-auth-runner-/);
      return true;
    },
  );
});
