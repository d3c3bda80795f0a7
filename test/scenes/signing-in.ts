import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { TOKEN_PATH } from "../support/scm-provider.ts";
import type { ScriptedHandler, ScriptedRequest } from "../support/scripted-server.ts";
import {
  answerWith,
  claims,
  CLIENT,
  giveClaims,
  giveKeys,
  giveToken,
  keySet,
  SECRET,
  signer,
  stranger,
  TENANT,
} from "./cast.ts";
import { fails, signsIn, type Expected, type Scene, type ServerPlan } from "./scene.ts";

/** The form that the server got, all of it and in order. */
const sends = (change: Readonly<Record<string, string>> = {}): Pick<Expected, "also"> => ({
  also: (_run, { server }) => {
    const [request] = server.requestsTo("token");
    const usual = {
      grant_type: "client_credentials",
      client_id: CLIENT,
      client_secret: SECRET,
      scope: `tsg_id:${TENANT}`,
    };
    assert.deepEqual([...new URLSearchParams(request?.body)].sort(), Object.entries({ ...usual, ...change }).sort());
    assert.equal(request?.headers["content-type"], "application/x-www-form-urlencoded");
    assert.equal(request.headers.authorization, undefined);
  },
});

const scopeOf = (...words: readonly string[]) => giveClaims(() => ({ scope: words }));

const tenants: readonly Scene[] = [
  { name: "tsg-id names the tenant", expect: signsIn(sends()) },
  { name: "tsg-id may be written as a scope", inputs: { "tsg-id": `tsg_id:${TENANT}` }, expect: signsIn(sends()) },
  { name: "white space around tsg-id is nothing", inputs: { "tsg-id": ` ${TENANT}\n` }, expect: signsIn(sends()) },
  {
    name: "without tsg-id the scope names the tenant, and is sent as it is",
    inputs: { "tsg-id": "", scope: `profile tsg_id:77 email` },
    server: { token: scopeOf("email", "tsg_id:77") },
    expect: signsIn(sends({ scope: "profile tsg_id:77 email" })),
  },
  {
    name: "without tsg-id and scope the client id names the tenant, and the log says so",
    inputs: { "tsg-id": "  ", scope: " " },
    expect: signsIn({ ...sends(), says: [`Tenant ${TENANT} is taken from the client id; tsg-id would name another.`] }),
  },
  {
    name: "a tenant other than the one in the client id is a child or parent",
    inputs: { "tsg-id": "77" },
    server: { token: scopeOf("tsg_id:77") },
    expect: signsIn(sends({ scope: "tsg_id:77" })),
  },
  {
    name: "scope and tsg-id may say the same",
    inputs: { scope: `tsg_id:${TENANT} profile` },
    expect: signsIn(sends({ scope: `tsg_id:${TENANT} profile` })),
  },
  {
    name: "a client id of any shape is one",
    inputs: { "client-id": `"my client" <é>`.replaceAll(" ", "_") },
    server: { token: giveClaims(() => ({ aud: `"my_client"_<é>` })) },
    expect: signsIn(sends({ client_id: `"my_client"_<é>` })),
  },
  {
    name: "a scope that names no tenant works, with a word that the tenant is not checked",
    inputs: { "tsg-id": "", scope: "profile" },
    expect: signsIn({
      ...sends({ scope: "profile" }),
      says: ["scope names no tenant (tsg_id:<digits>)", "not checked"],
    }),
  },
  {
    name: "of two tenants asked for and granted none is the output tsg-id",
    inputs: { "tsg-id": "", scope: "tsg_id:77 tsg_id:88" },
    server: { token: scopeOf("tsg_id:88", "tsg_id:77") },
    expect: signsIn({ outputs: { "tsg-id": "" }, says: ["no single tenant"] }),
  },
  {
    name: "of two tenants asked for both must be granted",
    inputs: { "tsg-id": "", scope: "tsg_id:77 tsg_id:88" },
    server: { token: scopeOf("tsg_id:77") },
    expect: fails("does not grant tenant 88", "role there", { token: 1, keys: 1 }),
  },
  {
    name: "of several tenants granted the one asked for is the output tsg-id",
    server: { token: scopeOf("tsg_id:1", `tsg_id:${TENANT}`) },
    expect: signsIn({ outputs: { "tsg-id": TENANT } }),
  },
];

const SECRETS: Readonly<Record<string, string>> = {
  "marks of URLs and forms": "a&b=c+d%20e%zz;f?g#h/i:j@k",
  "letters of many alphabets": "pässwörd-éüß-пароль-秘密-🔑",
  "marks of JSON, XML and shells": `x"y'z\\<tag>&amp;$HOME\`id\`!`,
  "spaces inside": "correct horse battery  staple",
  "digits alone": "12345678901234567890",
  "the form of a workflow command": "::set-output name=access-token::x",
  "the form of the other command": "##[add-mask]something",
  "5 KB": "0123456789abcdef-".repeat(300),
  "the length of one": "q",
  "letters that a regular expression knows": "(a|b)*[c]{2}^$.+?secret",
  "asterisks as the mask has": "****-***-*****",
};

const secrets: readonly Scene[] = [
  ...Object.entries(SECRETS).map(([what, secret]) => ({
    name: `a secret of ${what} arrives as it is`,
    inputs: { "client-secret": secret },
    expect: signsIn(sends({ client_secret: secret })),
  })),
  ...[` ${SECRET}`, `${SECRET}\n`, `\t${SECRET} \r\n`].map((padded) => ({
    name: `white space around the secret is taken off, told, and masked in both forms: ${JSON.stringify(padded.replace(SECRET, "..."))}`,
    inputs: { "client-secret": padded },
    expect: signsIn({ ...sends(), says: ["White space around client-secret was taken off."] }),
  })),
  {
    name: "white space around the client id is taken off and told",
    inputs: { "client-id": `\n${CLIENT} ` },
    expect: signsIn({ ...sends(), says: ["White space around client-id was taken off."] }),
  },
];

/** Answers neither of the two requests before both have come. */
function meeting(): ServerPlan {
  let [tokenCame, keysCame] = [(): void => undefined, (): void => undefined];
  const both = Promise.all([
    new Promise<void>((come) => (tokenCame = come)),
    new Promise<void>((come) => (keysCame = come)),
  ]);
  return {
    token: async () => (tokenCame(), await both, answerWith(signer.sign(claims()))),
    keys: async () => (keysCame(), await both, giveKeys),
  };
}

const order: readonly Scene[] = [
  { name: "both requests are in flight at once", server: meeting, expect: signsIn() },
  {
    name: "nothing is handed out before the keys have come",
    env: ({ file }) => ({ GITHUB_OUTPUT: file("outputs") }),
    files: { outputs: "" },
    server: (stage) => ({
      keys: async () => {
        await new Promise((later) => setTimeout(later, 300));
        assert.equal(readFileSync(stage.file("outputs"), "utf8"), "");
        return giveKeys;
      },
    }),
    expect: signsIn({
      // The runner looks elsewhere.
      outputs: "none",
      also: (_run, { file, served }) => {
        assert.ok(readFileSync(file("outputs"), "utf8").includes(served[0] ?? "no token"));
      },
    }),
  },
  {
    name: "job outputs hold all but the token, which the runner drops",
    expect: signsIn({
      also: ({ jobOutputs }) => {
        assert.deepEqual(Object.keys(jobOutputs).sort(), ["expires-at", "scope", "tsg-id"]);
      },
    }),
  },
  {
    name: "with verify: false no keys are asked for, and the closing line says that nothing is proved",
    inputs: { verify: "false" },
    expect: signsIn({ keys: 0, says: ["NOT proved, as verify: false says"] }),
  },
  {
    name: "the closing line tells tenant and life",
    expect: signsIn({ says: [/tenant 1234567890.*14 min 59 s.*proved/] }),
  },
  {
    name: "ACTIONS_ORCHESTRATION_ID does not change the User-Agent",
    env: { ACTIONS_ORCHESTRATION_ID: "0c8f6e2a-made-up.build" },
    expect: signsIn({ never: ["made-up"] }),
  },
];

/** Fails as often as `faults` says, then does what it should. */
const after = (good: ScriptedHandler, ...faults: readonly number[]): readonly ScriptedHandler[] => [
  ...faults.map((status) => ({ status })),
  good,
];

const repeats: readonly Scene[] = [
  {
    name: "a token request that fails once is repeated, the wait announced with length and reason",
    server: { token: after(giveToken, 500) },
    expect: signsIn({
      token: 2,
      says: [/token request was answered with status 500.*Try 1 of 2; the next in \d(\.\d)? s\./],
    }),
  },
  {
    name: "a key request that fails once is repeated, and the token request is not",
    server: { keys: after(giveKeys, 503) },
    expect: signsIn({ keys: 2, says: [/signing keys was answered with status 503.*Try 1 of 2; the next in/] }),
  },
  {
    name: "repeats of both requests are counted apart",
    inputs: { "max-retries": "2" },
    server: { token: after(giveToken, 500, 502), keys: after(giveKeys, 504, 408) },
    expect: signsIn({ token: 3, keys: 3 }),
  },
  {
    name: "a repeated request is the same request",
    server: { token: after(giveToken, 500) },
    expect: signsIn({
      token: 2,
      also: (_run, { server }) => {
        const [first, second] = server.requestsTo("token") as [ScriptedRequest, ScriptedRequest];
        assert.deepEqual([second.body, second.path, second.headers], [first.body, first.path, first.headers]);
      },
    }),
  },
  {
    name: "a key changed between the two requests is found by one more key request",
    server: { keys: [keySet(stranger.jwk), giveKeys] },
    expect: signsIn({ keys: 2 }),
  },
  {
    name: "one more key request for a changed key is repeated when it fails",
    server: { keys: [keySet(stranger.jwk), { status: 500 }, giveKeys] },
    expect: signsIn({ keys: 3 }),
  },
];

const places: readonly Scene[] = [
  {
    name: "http is good on loopback by name",
    inputs: ({ server }) => ({ "token-url": `http://localhost:${server.port}${TOKEN_PATH}` }),
    expect: signsIn(),
  },
  {
    name: "the scheme may be in capitals",
    inputs: ({ server }) => ({ "token-url": `HTTP://127.0.0.1:${server.port}${TOKEN_PATH}` }),
    expect: signsIn(),
  },
];

/** A token is asked for, proved and handed out. */
export const signingIn: readonly Scene[] = [...tenants, ...secrets, ...order, ...repeats, ...places];
