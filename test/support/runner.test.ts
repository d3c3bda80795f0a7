import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { runAction, type ActionOptions } from "./runner.ts";

const folder = await mkdtemp(join(tmpdir(), "scm-auth-runner-test-"));
after(() => rm(folder, { recursive: true, force: true }));

const MANIFEST = `
inputs:
  client-secret: { description: none, required: true }
  verify: { description: none, default: true }
  Two Words: { description: none, default: "x" }
`;
const manifest = join(folder, "action.yml");
await writeFile(manifest, MANIFEST);

const PRELUDE = `
const { appendFileSync } = require("node:fs");
const secret = process.env["INPUT_CLIENT-SECRET"];
const write = (file, text) => appendFileSync(process.env["GITHUB_" + file], text + "\\n");
const token = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjF9.c2lnbmF0dXJlLW9mLXRva2Vu";
`;
let scripts = 0;

/** Runs a script in place of the action. It knows \`secret\`, \`token\` and \`write(file, line)\`. */
async function runScript(script: string, options: ActionOptions = {}) {
  const entry = join(folder, `script-${scripts++}.cjs`);
  await writeFile(entry, PRELUDE + script);
  return runAction({ entry, manifest, inputs: { "client-secret": SECRET }, ...options });
}

const SECRET = "c4n4ry/+0b7e-4f51=9d3c";

test("a step sees its inputs, the defaults of the others, and nothing of this machine's environment", async () => {
  process.env["SCM_AUTH_TEST_STRANGER"] = "x";
  const { stdout } = await runScript(`console.log(JSON.stringify(process.env))`, {
    env: { EXTRA: "1", CI: undefined },
  });
  delete process.env["SCM_AUTH_TEST_STRANGER"];
  const env = JSON.parse(stdout) as Record<string, string>;
  assert.equal(env["INPUT_CLIENT-SECRET"], SECRET);
  assert.equal(env["INPUT_VERIFY"], "true");
  assert.equal(env["INPUT_TWO_WORDS"], "x");
  assert.equal(env["EXTRA"], "1");
  assert.equal(env["CI"], undefined);
  assert.equal(env["GITHUB_ACTIONS"], "true");
  assert.equal(env["RUNNER_DEBUG"], undefined);
  assert.equal(env["SCM_AUTH_TEST_STRANGER"], undefined);
});

test("a required input that is not given is the empty string, as on the runner", async () => {
  const { stdout } = await runScript(`process.stdout.write(JSON.stringify(secret))`, { inputs: {} });
  assert.equal(stdout, '""');
});

test("an input that the action does not declare is warned of", async () => {
  const { annotations } = await runScript("", { inputs: { "client-secrets": "x" } });
  assert.match(
    annotations[0]?.message ?? "",
    /^Unexpected input\(s\) 'client-secrets', valid inputs are \['client-secret'/,
  );
});

test("the event and its sender reach the step", async () => {
  const { stdout } = await runScript(
    `process.stdout.write([process.env.GITHUB_ACTOR, process.env.GITHUB_EVENT_NAME,
      require(process.env.GITHUB_EVENT_PATH).number].join())`,
    { event: { name: "pull_request", payload: { number: 7 }, actor: "dependabot[bot]" } },
  );
  assert.equal(stdout, "dependabot[bot],pull_request,7");
});

test("a run tells its exit code, outputs, state, environment, summary and time, and leaves no files", async () => {
  const run = await runScript(`
    console.log("::add-mask::" + token);
    console.log(process.env.RUNNER_TEMP);
    write("OUTPUT", "access-token<<E\\n" + token + "\\nE");
    write("OUTPUT", "empty=\\nplain=value");
    write("STATE", "a=b");
    write("ENV", "c=d");
    write("PATH", "/opt/bin");
    write("STEP_SUMMARY", "# Done");
    process.exitCode = 3;
  `);
  assert.equal(run.exitCode, 3);
  assert.equal(run.token, run.outputs["access-token"]);
  assert.deepEqual(Object.keys(run.outputs), ["access-token", "empty", "plain"]);
  assert.deepEqual(run.jobOutputs, { plain: "value" });
  assert.deepEqual([run.state, run.env, run.path, run.summary], [{ a: "b" }, { c: "d" }, ["/opt/bin"], "# Done\n"]);
  assert.deepEqual(run.masks, [SECRET, run.token]);
  assert.ok(run.ms > 0);
  assert.equal(existsSync(run.log), false);
});

test("a file that was cut off is an error of the step", async () => {
  const { annotations, outputs } = await runScript(`write("OUTPUT", "a<<E\\nb")`);
  assert.equal(annotations[0]?.message, "Unable to process file command 'output' successfully.");
  assert.deepEqual(outputs, {});
});

test("a step that does not end is killed", async () => {
  const { exitCode, signal } = await runScript("setInterval(() => {}, 1000)", { timeoutMs: 300 });
  assert.deepEqual([exitCode, signal], [null, "SIGKILL"]);
});

test("stderr must stay empty unless the test allows it", async () => {
  await assert.rejects(runScript(`console.error("oops")`), /The step wrote to stderr:\noops/);
  assert.equal((await runScript(`console.error("oops")`, { allowStderr: true })).log, "oops");
});

const harmless: readonly (readonly [what: string, script: string])[] = [
  ["prints the secret, which the runner masks", `console.log(secret)`],
  ["prints it in base64, which the runner masks too", `console.log(Buffer.from(secret).toString("base64"))`],
  [
    "masks an encoding before it prints it",
    `const hex = Buffer.from(secret).toString("hex");
    console.log("::add-mask::" + hex + "\\n" + hex)`,
  ],
];
for (const [what, script] of harmless) {
  test(`a step that ${what} leaks nothing`, async () => {
    assert.equal((await runScript(script)).log, "***");
  });
}

const HEX = `Buffer.from(secret).toString("hex")`;
const leaks: readonly (readonly [place: string, script: string])[] = [
  ["the log", `console.log(${HEX})`],
  ["the log", `console.log("x" + Buffer.from("me:" + secret + ":x").toString("base64url"))`],
  ["the log", `console.log("::debug::" + ${HEX})`],
  ["the log", `console.log(${HEX} + "\\n::add-mask::" + ${HEX})`],
  ["the log", `console.log(token); write("OUTPUT", "access-token=" + token)`],
  ["the log", `console.log(token.split(".")[2]); write("OUTPUT", "access-token=" + token)`],
  ["an annotation", `console.log("::error title=" + secret + "::x")`],
  ["the log", `console.error(${HEX})`],
  ["the summary", `write("STEP_SUMMARY", secret)`],
  ["the state", `write("STATE", "a=" + secret)`],
  ["the environment of later steps", `write("ENV", "a=" + secret)`],
  ["the PATH of later steps", `write("PATH", secret)`],
  ["an output", `write("OUTPUT", "a=" + secret)`],
  ["an output", `write("OUTPUT", "access-token=" + token + "\\nother=" + token)`],
  ["the output access-token", `write("OUTPUT", "access-token=" + secret)`],
];
for (const [n, [place, script]] of leaks.entries()) {
  test(`leak ${n} is found in ${place}, and the report does not repeat it`, async () => {
    await assert.rejects(runScript(script, { allowStderr: true, canaries: [SECRET] }), (error: Error) => {
      assert.match(error.message, new RegExp(`^A secret leaked: [a-z]+( [a-z]+)? \\d+, as [\\w -]+, in ${place}\\.$`));
      return true;
    });
  });
}

test("canaries may be made after the run, and one that is too short to search for is refused", async () => {
  let ended = false;
  const canaries = (): readonly string[] => {
    ended = true;
    return ["printed-by-it"];
  };
  await assert.rejects(runScript(`console.log("printed-by-it")`, { canaries }), /A secret leaked/);
  assert.equal(ended, true);
  await assert.rejects(runScript("", { canaries: ["short"] }), /too short/);
});
