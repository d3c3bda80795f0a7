import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";

import type { ScriptedAnswer } from "../support/scripted-server.ts";
import { preload, refusal, SECRET, tls } from "./cast.ts";
import { fails, ONCE, TWICE, signsIn, type Scene, type Stage } from "./scene.ts";

const asDescription = (told: string): ScriptedAnswer => refusal("invalid_client", told, 401);

const COMMANDS: readonly string[] = [
  "::set-output name=access-token::evil",
  "::add-mask::a",
  "::error::evil",
  "::stop-commands::evil-token-0",
  "::save-state name=x::evil",
  "::debug::evil",
  "::group::evil",
  "\n::error::evil",
  "\r::warning title=evil::evil",
  "\r\n::notice::evil",
  "%0A::error::evil",
  "%0D%0A::error::evil",
  "\u2028::error::evil",
  "\u0085::error::evil",
  "  ::error::evil",
  "##[error]evil",
  "text ##[add-mask]a",
  "##[set-output name=access-token;]evil",
  "#\u200b#[error]evil",
  "##\u0000[error]evil",
  "###[error]evil",
  ":\u200d:error::evil",
  ":::error::evil",
  "\u001b[31m::error::evil",
];

const commands: readonly Scene[] = [
  ...COMMANDS.map((command) => ({
    name: `the workflow command ${JSON.stringify(command)} in what a server says has no effect`,
    // Told in a line of its own first, then in an annotation.
    server: { token: [refusal(command, command, 500), refusal(command, command, 400)] },
    expect: fails("refused to sign in", "Check client id, tenant and token URL.", TWICE),
  })),
  ...["::error::evil", "##[error]evil"].map((command) => ({
    name: `the workflow command ${command} in a redirect has no effect`,
    server: { token: { status: 302, headers: { location: command } } },
    expect: fails("a redirect to", "never followed", ONCE),
  })),
];

/** All that prints while the action runs. (`module` prints before, which no script can help.) */
const DEBUG = { NODE_DEBUG: "http,https,tls,net,stream,timer,tunnel,dns,crypto" };

/** No file that the step left on the stage holds the secret or a token. */
const filesAreClean = (_run: unknown, { file, served }: Stage): void => {
  for (const name of readdirSync(file("."))) {
    const text = readFileSync(file(name), "utf8");
    for (const secret of [SECRET, ...served]) assert.ok(!text.includes(secret), `a secret in ${name}`);
  }
};

const surroundings: readonly Scene[] = [
  {
    name: "debug logging tells statuses and no secret",
    debug: true,
    expect: signsIn({ says: ["token request was answered with status 200"] }),
  },
  {
    name: "debug logging of a failure tells no secret",
    debug: true,
    server: { token: asDescription(`${SECRET} is wrong`) },
    expect: fails("*** is wrong", /./, ONCE, { says: [/^##\[debug\]The token request was answered with status 401/m] }),
  },
  {
    name: "NODE_DEBUG brings nothing to stderr, by TLS",
    env: DEBUG,
    inputs: { "ca-cert": tls.ca },
    server: { tls },
    expect: signsIn(),
  },
  {
    name: "NODE_DEBUG brings nothing to stderr, through a proxy",
    env: DEBUG,
    proxy: { credentials: "bob:sesame-9f27c1aa", variable: ({ url }) => url.replace("://", "://bob:sesame-9f27c1aa@") },
    inputs: { "ca-cert": tls.ca },
    canaries: ["sesame-9f27c1aa", Buffer.from("bob:sesame-9f27c1aa").toString("base64")],
    expect: signsIn(),
  },
  {
    name: "NODE_DEBUG brings nothing to stderr on a failure",
    env: DEBUG,
    server: { token: asDescription(SECRET) },
    expect: fails("invalid_client", /./, ONCE),
  },
  ...[
    "--trace-warnings",
    "--trace-deprecation",
    "--trace-uncaught",
    "--pending-deprecation",
    "--unhandled-rejections=warn",
  ].map((options) => ({
    name: `NODE_OPTIONS=${options} brings nothing to stderr`,
    env: { NODE_OPTIONS: options, NODE_TLS_REJECT_UNAUTHORIZED: "0" },
    expect: signsIn({ warnings: ["NODE_TLS_REJECT_UNAUTHORIZED=0"] }),
  })),
  {
    name: "reports of node hold no secret when something is thrown",
    env: ({ file }) => ({
      NODE_OPTIONS: `${preload("throw")} --report-uncaught-exception --report-on-fatalerror --report-on-signal --report-directory=${file(".")}`,
      THROWS: "error",
    }),
    expect: fails(
      "unexpected failure: Error: boom",
      "Please report it",
      { token: [0, 1], keys: [0, 1] },
      { also: filesAreClean },
    ),
  },
  {
    name: "reports of node hold no secret when a signal asks for one",
    notOn: ["win32"],
    env: ({ file }) => ({
      NODE_OPTIONS: `${preload("signal")} --report-on-signal --report-signal=SIGUSR2 --report-directory=${file(".")}`,
      SENT_SIGNAL: "SIGUSR2",
    }),
    server: { token: { hang: true } },
    expect: { signed: "SIGUSR2", requests: { token: [0, 1], keys: [0, 1] }, also: filesAreClean },
  },
  {
    name: "reports of node hold no secret when memory runs out",
    notOn: ["win32"],
    env: ({ file }) => ({
      NODE_OPTIONS: `${preload("exhaust")} --max-old-space-size=24 --report-on-fatalerror --report-directory=${file(".")}`,
    }),
    allowStderr: true,
    expect: { signed: "SIGABRT", requests: { token: 0, keys: 0 }, also: filesAreClean },
  },
  {
    name: "reports of node hold no secret when something asks for one",
    env: ({ file }) => ({ NODE_OPTIONS: `${preload("report")} --report-directory=${file(".")}` }),
    expect: signsIn({
      also: (run, stage) => {
        assert.equal(readdirSync(stage.file(".")).length, 1);
        filesAreClean(run, stage);
        assert.ok(!readFileSync(stage.file(readdirSync(stage.file("."))[0] ?? ""), "utf8").includes("GITHUB_OUTPUT"));
      },
    }),
    // Node says where it has written it.
    allowStderr: true,
  },
  {
    name: "a child process gets no secret in its environment",
    env: ({ file }) => ({ NODE_OPTIONS: preload("child"), CHILD_WRITES: file("environment") }),
    expect: signsIn({
      also: (_run, { file }) => {
        const environment = readFileSync(file("environment"), "utf8");
        assert.ok(environment.includes("INPUT_CLIENT-ID"));
        assert.ok(!environment.includes(SECRET) && !environment.includes("INPUT_CLIENT-SECRET"));
      },
    }),
  },
];

/** Servers that give commands, and surroundings that make node talk. */
export const leaks: readonly Scene[] = [...commands, ...surroundings];
