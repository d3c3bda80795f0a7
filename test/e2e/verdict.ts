import assert from "node:assert/strict";
import { homedir, tmpdir } from "node:os";
import { fileURLToPath } from "node:url";

import { proxyPasswords } from "../../shared/http/proxy.ts";
import { secretForms } from "../../shared/report/secrets.ts";
import { version } from "../../shared/version.ts";
import type { Count, Expected, Part, Scene, Stage } from "../scenes/scene.ts";
import type { ActionRun } from "../support/runner.ts";
import type { Route } from "../support/scripted-server.ts";
import { linesOf, parseCommand } from "../support/workflow-commands.ts";
import type { Played } from "./play.ts";

/** Judges what a scene came to: by its own expectation, and by what holds for every run of the action. */
export async function judge({ name, expect, deafRunner }: Scene, played: Played): Promise<void> {
  const { run, stage } = played;
  const context = `${name}\nsigned: ${expect.signed}, exit ${run.exitCode ?? run.signal ?? ""}\n${run.log}\n`;
  try {
    assertEnd(expect, played);
    if (!deafRunner) assertAnnotations(expect, run);
    assertRequests(expect, stage);
    assertCommands(run, played);
    assertNothingOfTheMachine(run.stdout);
    for (const part of expect.says ?? []) assert.ok(holds(run.log, part), `The log does not say ${String(part)}.`);
    for (const part of expect.never ?? [])
      assert.ok(!holds(run.log.toLowerCase(), lower(part)), `It says ${String(part)}.`);
    if (expect.within !== undefined) assert.ok(run.ms < expect.within, `It took ${Math.round(run.ms)} ms.`);
    await expect.also?.(run, stage);
  } catch (error) {
    // What a reader of the failure needs is the log.
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n--- ${context}---`, { cause: error });
  }
}

const holds = (text: string, part: Part): boolean => (typeof part === "string" ? text.includes(part) : part.test(text));
const lower = (part: Part): Part => (typeof part === "string" ? part.toLowerCase() : part);

function assertEnd(expect: Expected, { run, stage }: Played): void {
  const byItself = expect.signed === "in" ? 0 : expect.signed === "out" ? 1 : null;
  assert.equal(run.exitCode, byItself, "exit code");
  assert.equal(run.signal, byItself === null ? expect.signed : null, "signal");
  if (expect.signed === "in" && expect.outputs !== "none") {
    const outputs = { ...NOT_WISHED, ...outputsOf(stage.served.at(-1) ?? ""), ...expect.outputs };
    assert.deepEqual(Object.keys(run.outputs).sort(), Object.keys(outputs).sort(), "names of outputs");
    for (const [name, value] of Object.entries(outputs)) {
      const found = run.outputs[name] ?? "";
      assert.ok(typeof value === "string" ? found === value : value.test(found), `output ${name}: ${found}`);
    }
  } else assert.deepEqual(Object.keys(run.outputs), [], "outputs");
  const { state, env, path, summary } = run;
  assert.deepEqual({ state, env, path, summary }, { state: {}, env: {}, path: [], summary: "" });
  if (expect.signed === "in") assert.match(linesOf(run.log).at(-1) ?? "", /^Signed in: /);
}

/** Outputs of what no scene asks for. */
const NOT_WISHED: Readonly<Record<string, string>> = { "auth-file": "", "sealed-token": "" };

/** What is handed out with `token`, by its own claims. */
function outputsOf(token: string): Readonly<Record<string, string>> {
  const [, payload] = token.split(".");
  const claims = payload === undefined ? {} : readClaims(payload);
  const words = typeof claims.scope === "string" ? claims.scope.split(/ +/) : (claims.scope ?? []);
  const tenants = words.flatMap((word) => /^tsg_id:(\d+)$/.exec(word)?.[1] ?? []);
  return {
    "access-token": token,
    "expires-at": claims.exp === undefined ? "" : `${new Date(claims.exp * 1000).toISOString().slice(0, 19)}Z`,
    scope: words.join(" "),
    "tsg-id": tenants.length === 1 ? (tenants[0] ?? "") : "",
  };
}

const readClaims = (payload: string) =>
  JSON.parse(Buffer.from(payload, "base64url").toString()) as { exp?: number; scope?: string | readonly string[] };

function assertAnnotations({ told = [], warnings = [] }: Expected, { annotations }: ActionRun): void {
  for (const { title } of annotations) assert.equal(title, "scm-auth", "the title of an annotation");
  const errors = annotations.filter(({ level }) => level === "error").map(({ message }) => message);
  const others = annotations.filter(({ level }) => level !== "error").map(({ message }) => message);
  for (const message of errors) assert.match(message, /^[^\n]+\nHint: [^\n]+$/, "an error has a cause and a hint");
  for (const [cause, hint] of told) {
    const found = errors.some((message) => {
      const [first = "", second = ""] = message.split("\n");
      return holds(first, cause) && holds(second, hint);
    });
    assert.ok(found, `No annotation says ${String(cause)} and ${String(hint)}.`);
  }
  assert.equal(errors.length, told.length, `errors: ${errors.join("\n")}`);
  for (const part of warnings)
    assert.ok(
      others.some((text) => holds(text, part)),
      `No warning says ${String(part)}.`,
    );
  assert.equal(others.length, warnings.length, `warnings: ${others.join("\n")}`);
}

function assertRequests({ requests }: Expected, { server, other }: Stage): void {
  const all = { token: requests.token, keys: requests.keys, other: requests.elsewhere ?? 0 };
  for (const [route, count] of Object.entries(all) as [Route, Count][]) {
    assertCount(server.requestsTo(route).length, count, `requests to ${route}`);
  }
  assertCount(other.requests.length, requests.other ?? 0, "requests to the other server");
  for (const request of [...server.requests, ...other.requests]) {
    assert.equal(request.headers["user-agent"], `scm-auth/${version}`);
    if (request.route === "token") assert.equal(request.method, "POST");
    if (request.route === "keys") assert.deepEqual([request.method, request.body], ["GET", ""]);
  }
}

function assertCount(found: number, expected: Count, what: string): void {
  const [least, most] = typeof expected === "number" ? [expected, expected] : expected;
  assert.ok(found >= least && found <= most, `${what}: ${found} instead of ${least}..${most}`);
}

const OWN_COMMANDS = /^::(add-mask|debug|(error|warning|notice) title=scm-auth)::/;

/** The secret is masked before anything else is written, and no command is there that is not the action's own. */
function assertCommands({ stdout, masks, token = "" }: ActionRun, { inputs, stage, environment }: Played): void {
  const lines = linesOf(stdout);
  const secret = inputs["client-secret"] ?? "";
  const first = lines.findIndex((line) => !line.startsWith("::add-mask::"));
  const masked = lines.slice(0, first === -1 ? undefined : first).flatMap((line) => parseCommand(line)?.data ?? []);
  const hidden = [secret, ...proxyPasswords(environment)];
  const forms = [...new Set(hidden.flatMap(secretForms))];
  if (lines.length > 0) assert.deepEqual([...masked].sort(), [...forms].sort(), "masked before all else");
  const lengths = masked.map(({ length }) => length);
  assert.deepEqual(
    lengths,
    [...lengths].sort((a, b) => b - a),
    "longer masks come first",
  );
  if (lines.length > masked.length) assert.equal(lines[masked.length], `scm-auth ${version}`, "the first line");

  for (const line of lines) {
    if (parseCommand(line)) assert.match(line, OWN_COMMANDS, "a command that is not the action's");
  }
  // What an answer has in a token's place may hold one among other words.
  const served = stage.served.flatMap((text) => [text, ...text.split(/\s+/)]);
  const own = new Set([...new Set([...hidden, ...served, token])].flatMap((text) => [text, ...secretForms(text)]));
  const unmasked = secretForms(token).filter((form) => !masks.includes(form)).length;
  assert.equal(unmasked, 0, "forms of the token that are not masked");
  const trimmed = new Set([...own].flatMap((form) => form.split(/[\r\n]/)).map((form) => form.trim()));
  const foreign = masks.filter((mask) => !own.has(mask) && !trimmed.has(mask)).map((mask) => mask.slice(0, 40));
  assert.deepEqual(foreign, [], "masks of what is no secret");
}

/** Neither stacks nor libraries nor paths are for the reader of a log. */
function assertNothingOfTheMachine(log: string): void {
  assert.doesNotMatch(log, /\b(zod|jose|undici|http-client|esbuild|node_modules|main\.cjs|node:internal)\b/i);
  assert.doesNotMatch(log, /^\s+at\s|\bat Object\.|\bat async /m, "a stack");
  for (const path of [fileURLToPath(new URL("../..", import.meta.url)), tmpdir() + "/", homedir() + "/"]) {
    assert.ok(path.length < 3 || !log.includes(path), "a path of this machine");
  }
}
