import assert from "node:assert/strict";
import { homedir, tmpdir } from "node:os";
import { VERSION } from "../../shared/version.ts";
import type { ActionRun } from "../support/run-action.ts";
import { inRepository } from "../support/runner-job.ts";
import type { Route } from "../support/scripted-server.ts";
import { readClaims } from "../support/tokens.ts";
import { parseCommand, toLines } from "../support/workflow-commands.ts";
import type { Count, Expected, Harness, Pattern, Scenario } from "./scenario.ts";

/** One run of the action, with its inputs and servers. */
export interface ScenarioRun {
  readonly run: ActionRun;
  readonly harness: Harness;
  readonly inputs: Readonly<Record<string, string>>;
}

/** Checks a run against its scenario and against the rules for every run. */
export function assertExpected({ expect, closeStdout }: Scenario, { run, harness, inputs }: ScenarioRun): void {
  try {
    assertOutcome(expect, run, harness);
    assertRequests(expect, harness);
    if (!closeStdout) {
      assertAnnotations(expect, run);
      assertCommands(run, inputs);
      assertNoInternals(run.stdout);
    }
    for (const pattern of expect.log ?? []) assert.ok(matches(run.log, pattern), `not in the log: ${String(pattern)}`);
    for (const text of expect.notInLog ?? [])
      assert.ok(!run.log.toLowerCase().includes(text.toLowerCase()), `in the log: ${text}`);
    const { maxMs = Infinity } = expect;
    assert.ok(run.durationMs < maxMs, `took ${Math.round(run.durationMs)} ms instead of ${maxMs}`);
    expect.check?.(run, harness);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n--- exit code ${String(run.exitCode)} ---\n${run.log}\n---`, {
      cause: error,
    });
  }
}

const matches = (text: string, pattern: Pattern): boolean =>
  typeof pattern === "string" ? text.includes(pattern) : pattern.test(text);

function assertOutcome({ outcome, outputs }: Expected, run: ActionRun, { issued }: Harness): void {
  const exitCodes: Readonly<Record<string, number>> = { success: 0, failure: 1 };
  assert.equal(run.exitCode, exitCodes[outcome] ?? null, "exit code");
  if (exitCodes[outcome] === undefined) assert.equal(run.signal, outcome);
  const isSet = outcome === "success" && outputs !== "none";
  assert.deepEqual(run.outputs, isSet ? { ...getOutputs(issued.at(-1) ?? ""), ...outputs } : {});
  assert.deepEqual([run.state, run.env, run.summary], [{}, {}, ""]);
  if (outcome === "success") assert.match(toLines(run.log).at(-1) ?? "", /^Signed in/);
}

/** Returns the expected outputs for a token, based on its claims. */
function getOutputs(token: string): Readonly<Record<string, string>> {
  const { exp, scope: granted } = readClaims(token);
  const entries = typeof granted === "string" ? granted.split(" ") : granted;
  // Only scope-tokens (RFC 6749 section 3.3).
  const scope = entries.filter((entry) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(entry));
  const tsgIds = scope.flatMap((value) => /^tsg_id:(\d+)$/.exec(value)?.[1] ?? []);
  return {
    "access-token": token,
    "expires-at": `${new Date(exp * 1000).toISOString().slice(0, 19)}Z`,
    scope: scope.join(" "),
    "tsg-id": tsgIds.length === 1 ? (tsgIds[0] ?? "") : "",
    "auth-file": "",
    "sealed-token": "",
    "token-endpoint": "",
    "token-endpoint-secret": "",
  };
}

function assertRequests({ requests }: Expected, { server, other }: Harness): void {
  for (const route of ["token", "jwks"] as const satisfies readonly Route[])
    assertCount(server.requestsTo(route).length, requests[route], `${route} requests`);
  assertCount(other.requests.length, requests.other ?? 0, "requests to the other server");
  for (const { route, method, headers, body } of [...server.requests, ...other.requests]) {
    assert.equal(headers["user-agent"], `scm-auth/${VERSION}`);
    assert.equal(method, route === "token" ? "POST" : "GET");
    if (route === "jwks") assert.equal(body, "");
  }
}

function assertCount(actual: number, expected: Count, what: string): void {
  const [min, max] = typeof expected === "number" ? [expected, expected] : expected;
  assert.ok(actual >= min && actual <= max, `${actual} ${what} instead of ${String(expected)}`);
}

function assertAnnotations({ errors = [], warnings = [] }: Expected, { annotations }: ActionRun): void {
  for (const { title } of annotations) assert.equal(title, "scm-auth");
  const found = annotations.filter(({ level }) => level === "error").map(({ message }) => message);
  const others = annotations.filter(({ level }) => level !== "error").map(({ message }) => message);
  for (const [index, message] of found.entries())
    assert.match(message, index < found.length - 1 ? /^[^\n]+\nHint: [^\n]+$/ : /^[^\n]+\nHint: [^\n]+\nSee \S+#\w+$/);
  for (const [messages, patterns] of [
    [found, errors],
    [others, warnings],
  ] as const) {
    // prettier-ignore
    for (const pattern of patterns)
      assert.ok(
        messages.some((message) => matches(message, pattern)),
        `no annotation: ${String(pattern)}`,
      );
    assert.equal(messages.length, patterns.length, `annotations: ${messages.join("\n")}`);
  }
}

const COMMANDS = /^::(add-mask|debug|(error|warning|notice) title=scm-auth)::/;

/** Asserts that secrets are masked before anything else is written, and that only the action's commands are written. */
function assertCommands({ stdout, masks, token }: ActionRun, inputs: ScenarioRun["inputs"]): void {
  const lines = toLines(stdout);
  const first = lines.findIndex((line) => !line.startsWith("::add-mask::"));
  if (lines.length === 0) return;
  assert.equal(lines[first], `scm-auth ${VERSION}`, "the first line after the masks");
  for (const line of lines) if (parseCommand(line)) assert.match(line, COMMANDS);
  const secret = (inputs["client-secret"] ?? "").trim();
  if (secret.length >= 3 && !/[\r\n]/.test(secret)) {
    const masked = lines.slice(0, first).map((line) => parseCommand(line)?.data);
    assert.ok(masked.includes(secret), "the secret is masked first");
  }
  if (token !== undefined) assert.ok(masks.includes(token), "the token is masked");
  assert.ok(masks.every((mask) => mask.length >= 3) || secret.length < 3, "short masks");
}

/** Asserts that the log contains no stack traces, library names, or paths on this machine. */
function assertNoInternals(log: string): void {
  assert.doesNotMatch(log, /\b(zod|jose|undici|http-client|esbuild|node_modules|main\.cjs|node:internal)\b/i);
  assert.doesNotMatch(log, /^\s+at\s|\bat Object\.|\bat async /m);
  for (const path of [inRepository(""), `${tmpdir()}/`, `${homedir()}/`])
    assert.ok(path.length < 3 || !log.includes(path), "a path of this machine");
}
