import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { oauthError, preload, SECRET, tls } from "../fixtures.ts";
import { fails, succeeds, TWO_ATTEMPTS, type Harness, type Scenario } from "../scenario.ts";

/** Workflow commands that a server sends. */
const COMMANDS: readonly string[] = [
  "::set-output name=access-token::evil",
  "\r\n::error::evil",
  "text ##[add-mask]a",
  "#\u200b#[error]evil",
];

/** Asserts that no file in the scenario's directory contains the secret or a token. */
const assertFilesClean = (_run: unknown, { file, issued }: Harness): void => {
  for (const name of readdirSync(file("."))) {
    const text = readFileSync(file(name), "utf8");
    for (const secret of [SECRET, ...issued]) assert.ok(!text.includes(secret), `a secret in ${name}`);
  }
};

export const leakedSecrets: readonly Scenario[] = [
  ...COMMANDS.map((command) => ({
    name: `ignores the workflow command ${JSON.stringify(command)} in a response`,
    // The first response appears in a log line, the second in an annotation.
    server: { token: [oauthError("server_error", command, 500), oauthError("invalid_request", command, 400)] },
    expect: fails(/invalid_request/, TWO_ATTEMPTS),
  })),
  {
    name: "leaks no secret with NODE_DEBUG and a proxy",
    env: { NODE_DEBUG: "http,https,tls,net,stream,timer,tunnel,dns,crypto" },
    proxy: { credentials: "bob:sesame-9f27c1aa", value: ({ url }) => url.replace("://", "://bob:sesame-9f27c1aa@") },
    inputs: { "ca-cert": tls.ca },
    secrets: ["sesame-9f27c1aa", Buffer.from("bob:sesame-9f27c1aa").toString("base64")],
    // Node writes debug messages to stderr. They contain no secrets, not even masked ones.
    allowStderr: true,
    expect: succeeds(),
  },
  {
    name: "writes no Node warnings to stderr",
    env: {
      NODE_OPTIONS: "--trace-warnings --trace-uncaught --unhandled-rejections=warn --pending-deprecation",
      NODE_TLS_REJECT_UNAUTHORIZED: "0",
    },
    expect: succeeds({ warnings: ["NODE_TLS_REJECT_UNAUTHORIZED=0"] }),
  },
  {
    name: "writes no secret to diagnostic reports triggered by exceptions",
    env: ({ file }) => ({
      NODE_OPTIONS: `${preload("throw")} --report-uncaught-exception --report-on-fatalerror --report-on-signal --report-directory=${file(".")}`,
      THROWN: "error",
    }),
    expect: fails("unexpected failure: Error: boom", { token: [0, 1], jwks: [0, 1] }, { check: assertFilesClean }),
  },
  {
    name: "writes no secret to a diagnostic report triggered by a signal",
    skipOn: ["win32"],
    env: ({ file }) => ({
      NODE_OPTIONS: `${preload("signal")} --report-on-signal --report-signal=SIGUSR2 --report-directory=${file(".")}`,
      SIGNAL: "SIGUSR2",
    }),
    server: { token: { hang: true } },
    expect: { outcome: "SIGUSR2", requests: { token: [0, 1], jwks: [0, 1] }, check: assertFilesClean },
  },
  {
    name: "writes no secret to the diagnostic report when Node runs out of memory",
    skipOn: ["win32"],
    env: ({ file }) => ({
      NODE_OPTIONS: `${preload("out-of-memory")} --max-old-space-size=24 --report-on-fatalerror --report-directory=${file(".")}`,
    }),
    allowStderr: true,
    expect: { outcome: "SIGABRT", requests: { token: [0, 1], jwks: [0, 1] }, check: assertFilesClean },
  },
  {
    name: "omits the environment from a diagnostic report requested by a library",
    env: ({ file }) => ({ NODE_OPTIONS: `${preload("report")} --report-directory=${file(".")}` }),
    // Node writes the path of the report to stderr.
    allowStderr: true,
    expect: succeeds({
      check: (run, harness) => {
        assertFilesClean(run, harness);
        const [name = ""] = readdirSync(harness.file("."));
        assert.ok(!readFileSync(harness.file(name), "utf8").includes("GITHUB_OUTPUT"));
      },
    }),
  },
  {
    name: "passes no secret to child processes",
    env: ({ file }) => ({ NODE_OPTIONS: preload("child-env"), CHILD_ENV_FILE: file("environment") }),
    expect: succeeds({
      check: (_run, { file }) => {
        const environment = readFileSync(file("environment"), "utf8");
        assert.ok(environment.includes("INPUT_CLIENT-ID"));
        assert.ok(!environment.includes(SECRET) && !environment.includes("INPUT_CLIENT-SECRET"));
      },
    }),
  },
];
