import assert from "node:assert/strict";
import { test } from "node:test";

import { INPUT_NAMES } from "../../action/inputs.ts";
import { logEvent, logWarnings, reportFailure, summaryLines, type StepResult } from "../../action/log.ts";
import { AccessToken, type AccessTokenProps } from "../../shared/access-token.ts";
import { AuthRequest } from "../../shared/auth-request.ts";
import { systemClock } from "../../shared/clock.ts";
import { AuthError, configError, type ConfigIssue } from "../../shared/errors.ts";
import type { AuthEvent } from "../../shared/events.ts";
import { getErrorPage } from "../../shared/version.ts";
import { fc } from "../support/fuzzing.ts";
import { setVariables } from "../support/variables.ts";
import type { StepLog } from "../support/workflow-commands.ts";
import { captureLog, RecordingRunner } from "./recording-runner.ts";

const report = (error: unknown): StepLog =>
  captureLog((runner) => {
    reportFailure(runner, error);
  });

test("writes an error as one annotation with the message, the hint, and a link", () => {
  const { annotations, lines } = report(new AuthError("it failed.", { kind: "timeout", code: "response_timeout", hint: "Wait." })); // prettier-ignore
  assert.deepEqual(
    annotations.map(({ level, message }) => [level, message]),
    [["error", `Network error: it failed.\nHint: Wait.\nSee ${getErrorPage("response_timeout")}`]],
  );
  assert.equal(lines.length, 3);
});

const fields = Object.keys(INPUT_NAMES) as (keyof typeof INPUT_NAMES)[];
const createIssue = (n: number): ConfigIssue => ({
  field: fields[n % fields.length] ?? "scope",
  message: `is invalid in way ${n}`,
  hint: `Do thing ${n}.`,
});

test("reports issues with input names, and counts the remaining issues in the tenth annotation if there are more than ten", () => {
  for (const count of [1, 2, 9, 10, 11, 30]) {
    const issues = Array.from({ length: count }, (_, n) => createIssue(n));
    const { annotations, lines } = report(configError(issues));
    const log = lines.join("\n");
    for (const [n, { field }] of issues.entries()) {
      const name = INPUT_NAMES[field as keyof typeof INPUT_NAMES];
      assert.ok(log.includes(`${name} is invalid in way ${n}.`), log);
      assert.ok(log.includes(`Do thing ${n}.`), log);
    }
    assert.equal(annotations.length, Math.min(count, 10));
    assert.deepEqual(
      annotations.filter(({ message }) => message.includes("\nSee ")),
      [annotations.at(-1)],
    );
    const last = annotations.at(-1)?.message ?? "";
    assert.match(last, count > 10 ? new RegExp(`^${count - 9} more errors\\.`) : new RegExp(`in way ${count - 1}\\.`));
  }
});

test("shows an issue's field name unchanged if no input corresponds to it", () => {
  const { annotations } = report(configError([{ field: "constructor", message: "is bad", hint: "Fix it." }]));
  assert.equal(annotations[0]?.message, `constructor is bad.\nHint: Fix it.\nSee ${getErrorPage("invalid_config")}`);
});

test("writes an unexpected error as one annotation without its stack", () => {
  const { annotations } = report(new TypeError("x is not a function"));
  assert.equal(annotations.length, 1);
  assert.match(annotations[0]?.message ?? "", /unexpected failure: TypeError: x is not a function.*\nHint: .*report/s);
  assert.doesNotMatch(annotations[0]?.message ?? "", /\bat |\.ts/);
});

test("omits the message of an unexpected error if it contains part of a secret", () => {
  const { lines } = captureLog((runner) => {
    runner.mask("s3cret-value-of-some-length");
    reportFailure(runner, new Error("bad header: s3cret-value-of-"));
  });
  assert.doesNotMatch(lines.join("\n"), /s3cret/);
});

test("reports any thrown value", () => {
  const thrown = fc.oneof(
    fc.constantFrom<unknown>(
      Object.create(null),
      Symbol("s"),
      { toString: null, valueOf: null },
      Object.assign(new Error("x"), { name: undefined, message: undefined }),
    ),
    fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true }),
  );
  fc.assert(
    fc.property(thrown, (value) => {
      assert.equal(report(value).annotations.length, 1);
    }),
  );
});

const error = new AuthError("token request: could not connect.", { kind: "network", code: "connection_refused" });
const events: readonly (readonly [event: AuthEvent, line: string | undefined])[] = [
  [
    { type: "retry", request: "token", delayMs: 300, attempt: 1, maxAttempts: 10, error },
    "info: Network error: token request: could not connect. Attempt 1 of 10 failed; retrying in 0.3 s.",
  ],
  [
    { type: "request", request: "token", method: "POST", url: "https://a.example/t", attempt: 1, maxAttempts: 10 },
    "debug: token request: POST https://a.example/t, attempt 1 of 10",
  ],
  [
    { type: "connection", request: "jwks", step: "tcp", durationMs: 1.6, detail: "a.example:443" },
    "debug: JWKS request: tcp in 2 ms: a.example:443",
  ],
  [
    { type: "response", request: "token", status: 200, attempt: 1, durationMs: 51.7, clockOffsetMs: 0 },
    "debug: token request: status 200 in 52 ms",
  ],
  [{ type: "token", scope: "tsg_id:1", expiresAt: undefined }, undefined],
  [{ type: "error", error }, undefined],
];
for (const [event, line] of events) {
  const { type } = event;
  test(`logs a ${type} event for the ${"request" in event ? event.request : "sign-in"} as: ${line ?? "nothing"}`, () => {
    const runner = new RecordingRunner();
    logEvent(runner, event);
    assert.deepEqual(runner.lines, line === undefined ? [] : [line]);
  });
}

const props: AccessTokenProps = {
  expiresAt: undefined,
  deadline: systemClock.elapsed() + 899_400,
  lifetime: 900_000,
  scope: [],
  tsgIds: ["1"],
};
const summaries: readonly (readonly [what: string, lines: RegExp, props?: Partial<AccessTokenProps>, result?: Partial<StepResult>, verify?: boolean])[] = [
  ["the tenant and the remaining time", /^Signed in to tenant 1 with a new token, valid for 14 min \d+ s \(signature verified\)\.$/],
  ["several tenants", /^Signed in with a new token/, { tsgIds: ["1", "2"] }],
  ["an unknown lifetime", /valid for an unknown time/, { deadline: undefined, lifetime: undefined }],
  ["that the signature is not verified", /to tenant 1.*\(signature not verified: verify is false\)\.$/, {}, { token: new AccessToken("eyJhIjoxfQ.eyJhIjoxfQ.c2ln", props) }, false],
  ["no tenant for an opaque token", /^Signed in with a new token, valid.*\(not verified: the token is opaque\)\.$/, {}, {}, false],
  ["a token from the auth file", /with the token from the auth file, valid/, {}, { source: "auth-file" }],
  ["a sealed token", /with the sealed token, valid/, {}, { source: "sealed" }],
  ["an auth file that is refreshed", /\nAuth file: \/t\/a.json, refreshed until the job ends\.$/, {}, { path: "/t/a.json", isRefreshed: true }],
  ["an auth file that is not refreshed", /\nAuth file: \/t\/a.json, not refreshed\.$/, {}, { path: "/t/a.json" }],
]; // prettier-ignore
for (const [what, lines, changes, result, verify = true] of summaries) {
  test(`the summary lines show ${what} but not the token`, () => {
    const token = new AccessToken("s3cret-token", { ...props, ...changes });
    const text = summaryLines({ token, source: "new", ...result }, verify).join("\n");
    assert.match(text, lines);
    assert.doesNotMatch(text, /s3cret/);
  });
}

test("logs warnings about inputs as plain lines, but an ignored NODE_TLS_REJECT_UNAUTHORIZED=0 as an annotation", () => {
  const request = AuthRequest.parse({ clientId: "ci@42.iam.panserviceaccount.com ", clientSecret: "s3cret-value" });
  const runner = new RecordingRunner();
  logWarnings(runner, request, { NODE_TLS_REJECT_UNAUTHORIZED: "1" });
  assert.match(runner.log, /^info: .*whitespace.*\ninfo: .*tenant 42 from the client ID/);
  logWarnings(runner, request, { NODE_TLS_REJECT_UNAUTHORIZED: "0" });
  assert.match(runner.lines.at(-1) ?? "", /^warning: NODE_TLS_REJECT_UNAUTHORIZED=0 is ignored/);
  assert.doesNotMatch(runner.log, /s3cret/);
});

test("logs which proxy and that other CA certificates are used, without the password of the proxy", (t) => {
  const request = AuthRequest.parse({ clientId: "ci", clientSecret: "s3cret-value", tsgId: "1" });
  const log = (proxy: string, env = {}): readonly string[] => {
    setVariables(t, { https_proxy: proxy, no_proxy: undefined });
    const runner = new RecordingRunner();
    logWarnings(runner, request, env);
    return runner.lines;
  };
  const proxyLine = "info: Connecting through the proxy proxy.test:3128 (from https_proxy).";
  assert.deepEqual(log("http://user:s3cret@proxy.test:3128"), [proxyLine]);
  const caLine = "info: NODE_EXTRA_CA_CERTS adds trusted CA certificates.";
  assert.deepEqual(log("http://[", { NODE_EXTRA_CA_CERTS: "ca.pem" }), [caLine]);
});

test("logs the entries of no_proxy that are ignored", (t) => {
  setVariables(t, { https_proxy: "http://proxy.test:3128", no_proxy: "https://auth.scm.test" });
  const runner = new RecordingRunner();
  const tokenUrl = "https://auth.scm.test/access_token";
  logWarnings(runner, AuthRequest.parse({ clientId: "ci", clientSecret: "s3cret-value", tsgId: "1", tokenUrl }), {});
  assert.match(runner.log, /^info: no_proxy contains entries that are ignored: https:\/\/auth\.scm\.test\. /);
});
