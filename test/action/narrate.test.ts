import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { closingLines, tellEvent, tellNotices, type StepOutcome } from "../../action/narrate.ts";
import { Runner } from "../../action/runner.ts";
import { AuthError } from "../../shared/report/errors.ts";
import { AccessToken, type Facts } from "../../shared/token/access-token.ts";
import { AuthRequest } from "../../shared/token/auth-request.ts";
import { stdoutOf } from "../support/stdout.ts";
import { setVariables } from "../support/variables.ts";

const told = (work: (runner: Runner) => void): string =>
  stdoutOf(() => {
    work(new Runner());
  });

test("a wait is told to everybody: why, which try it was, and how long it lasts", () => {
  const error = new AuthError("token request: it broke.", { kind: "server", code: "server_error" });
  const text = told((runner) => {
    tellEvent(runner, { type: "wait", level: "debug", request: "token request", wait: 12_345, tries: 2, of: 4, error });
  });
  assert.match(text, /^HTTP error: token request: it broke\. Try 2 of 4; the next in 12 s\.\r?\n$/);
});

test("an answer is told to those who debug alone", () => {
  const text = told((runner) => {
    tellEvent(runner, { type: "answer", level: "debug", request: "token request", status: 200, took: 51.7 });
  });
  assert.match(text, /^::debug::The token request was answered with status 200 after 52 ms\.\r?\n$/);
});

const facts: Facts = { expiresAt: undefined, lifetime: 899_000, scope: [], tenants: ["1"] };
type Ending = readonly [
  what: string,
  change: Partial<Facts>,
  verify: boolean,
  line: RegExp,
  outcome?: Partial<StepOutcome>,
];
const endings: readonly Ending[] = [
  ["a tenant and a life", {}, true, /^Signed in: tenant 1, a new token good for 14 min 59 s, proved\.$/],
  ["several tenants", { tenants: ["1", "2"] }, true, /no single tenant/],
  ["a life that nobody knows", { lifetime: undefined }, true, /unknown time/],
  ["no proof", {}, false, /NOT proved, as verify: false says/],
  ["a token that was found", {}, true, /^Signed in: tenant 1, the auth file's token, good for/, { source: "file" }],
  [
    "a token that was sealed",
    {},
    true,
    /^Signed in: tenant 1, the sealed token of another job, good for/,
    { source: "sealed" },
  ],
  ["a file that is kept", {}, true, /\nAuth file: \/t\/a.json, kept fresh until/, { path: "/t/a.json", kept: true }],
  ["a file that is not kept", {}, true, /\nAuth file: \/t\/a.json, good as long as its token/, { path: "/t/a.json" }],
];
for (const [what, change, verify, line, outcome] of endings) {
  test(`the last lines tell ${what}, and not the token`, () => {
    const token = new AccessToken("s3cret-token", { ...facts, ...change });
    const text = closingLines(token, { verify }, { source: "minted", ...outcome }).join("\n");
    assert.match(text, line);
    assert.doesNotMatch(text, /s3cret/);
  });
}

const notices = (t: TestContext, variable: string | undefined): string => {
  setVariables(t, { NODE_TLS_REJECT_UNAUTHORIZED: variable });
  const clientId = "ci@42.iam.panserviceaccount.com ";
  const request = AuthRequest.parse({ clientId, clientSecret: "s3cret-value" });
  return told((runner) => {
    tellNotices(runner, request);
  });
};

test("what was assumed is told by the names of the inputs", (t) => {
  const text = notices(t, undefined);
  assert.match(
    text,
    /^White space around client-id was taken off\.\r?\nTenant 42 is taken from the client id; tsg-id /,
  );
  assert.doesNotMatch(text, /::|s3cret/);
});

test("a job that switches TLS off is told that this is ignored", (t) => {
  assert.match(notices(t, "0"), /^::warning title=scm-auth::NODE_TLS_REJECT_UNAUTHORIZED=0 .* ignored/m);
  assert.doesNotMatch(notices(t, "1"), /::warning/);
});
