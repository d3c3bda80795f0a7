import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { assertNoCanary, tokenCanaries } from "../support/canaries.ts";
import { CLIENT_ID, minted, scm, scripted, SECRET, signer, tls, TSG_ID } from "../support/client-stage.ts";
import { spawn } from "../support/searched-process.ts";
import { honestClaims } from "../support/tokens.ts";

const script = fileURLToPath(new URL("../../scripts/live.ts", import.meta.url));

interface LiveRun {
  readonly exitCode: number | null;
  readonly text: string;
}

/** Runs `npm run live`, and looks for secrets in what it prints. */
async function live(
  t: TestContext,
  variables: Readonly<Record<string, string | undefined>>,
  { flags = [] as readonly string[], ca = tls.ca } = {},
): Promise<LiveRun> {
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-live-"));
  t.after(() => rm(folder, { recursive: true }));
  const caFile = join(folder, "ca.pem");
  await writeFile(caFile, ca);
  const env = { ...process.env, CI: undefined, NODE_EXTRA_CA_CERTS: caFile, ...variables };
  const child = spawn(process.execPath, [script, ...flags], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 30_000,
  });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  const [exitCode] = (await once(child, "close")) as [number | null];
  const text = Buffer.concat(chunks).toString();
  assertNoCanary([variables["SCM_CLIENT_SECRET"] ?? SECRET], { "what it printed": text });
  return { exitCode, text: text.replace(/\n {2}\| *|\s+/g, " ") };
}

const variablesFor = (tokenUrl: string) => ({
  SCM_CLIENT_ID: CLIENT_ID,
  SCM_CLIENT_SECRET: SECRET,
  SCM_TSG_ID: TSG_ID,
  SCM_SCOPE: undefined,
  SCM_TOKEN_URL: tokenUrl,
});

test("against a server like the real one every assumption holds, and nothing is written to it", async (t) => {
  const { server } = await scm(t);
  const variables = { ...variablesFor(server.tokenUrl), SCM_CLIENT_SECRET: server.clientSecret };
  const { exitCode, text } = await live(t, variables, { flags: ["--api-url", server.apiUrl] });
  assert.doesNotMatch(text, /DID NOT HOLD/);
  assert.match(text, /All held\./);
  assert.equal(exitCode, 0, text);
  for (const what of [
    "iss names its port",
    "the claim scope is list of text",
    "aud is the client id",
    "the API takes the token",
  ])
    assert.ok(text.includes(`held: ${what}`), what);
  assert.match(text, /Claims beside those: .*subname/);
  assert.match(text, /verify: ok, \d+ ms/);
  assert.deepEqual(
    server.requests
      .map(({ method, path }) => `${method} ${path.split("?", 1)[0] ?? ""}`)
      .filter((line) => !line.startsWith("GET ")),
    ["POST /am/oauth2/access_token", "POST /am/oauth2/access_token"],
  );
  assertNoCanary(server.issued.flatMap(tokenCanaries), { "what it printed": text });
});

test("what is otherwise is told, each by itself, and the run is no success", async (t) => {
  const claims = {
    ...honestClaims({ clientId: CLIENT_ID, tsgId: TSG_ID }),
    scope: `tsg_id:${TSG_ID}`,
    iss: "https://auth.scm.test/am",
  };
  const token = minted({ access_token: signer.sign({ ...claims, cts: undefined }), expires_in: "3599" });
  const { server } = await scripted(t, token, { other: { body: { items: [] } } });
  const { exitCode, text } = await live(t, variablesFor(server.tokenUrl), { flags: ["--api-url", server.origin] });
  assert.equal(exitCode, 1);
  const missed = [...text.matchAll(/DID NOT HOLD: (.*?) \(/g)].map(([, what]) => what);
  assert.deepEqual(missed, [
    "expires_in is a number, 14 to 16 minutes",
    "the claim scope is list of text",
    "the claim cts is text",
    "iss names its port, :443",
    "cts is OAUTH2_STATELESS_GRANT",
    "exp less iat is expires_in, within 5 s",
    "the API takes the token, and a list has data, offset, total and limit",
  ]);
  assert.match(text, /7 of \d+ did not hold/);
});

test("a sign-in that fails is told with its step, its reason and what to do", async (t) => {
  const { server } = await scm(t);
  const { exitCode, text } = await live(t, variablesFor(server.tokenUrl), { flags: ["--api-url", server.apiUrl] });
  assert.equal(exitCode, 1);
  assert.match(text, /Check: failed at token\..*token: FAILED.*status 401/);
  assert.match(text, /The client id or the secret is wrong/);
  assert.equal(server.issued.length, 0);
});

test("without credentials it names the variables that are missing", async (t) => {
  const nothing = { SCM_CLIENT_ID: undefined, SCM_CLIENT_SECRET: undefined, SCM_TSG_ID: undefined };
  const { exitCode, text } = await live(t, { ...variablesFor("https://127.0.0.1:1/access_token"), ...nothing });
  assert.equal(exitCode, 1);
  assert.match(text, /SCM_CLIENT_ID is missing.*SCM_CLIENT_SECRET is missing/);
});

const insistence: readonly (readonly [
  what: string,
  flags: readonly string[],
  variable: string | undefined,
  goes: boolean,
])[] = [
  ["not at all", [], undefined, false],
  ["by the flag alone", ["--in-ci"], undefined, false],
  ["by the variable alone", [], "true", false],
  ["by the variable with another value", ["--in-ci"], "1", false],
  ["twice", ["--in-ci"], "true", true],
];
for (const [what, flags, variable, goes] of insistence) {
  test(`in CI it ${goes ? "runs" : "refuses and sends nothing"} when told so ${what}`, async (t) => {
    const { server } = await scripted(t, { status: 401, body: { error: "invalid_client" } });
    const variables = { ...variablesFor(server.tokenUrl), CI: "true", SCM_LIVE_IN_CI: variable };
    const { exitCode, text } = await live(t, variables, { flags });
    assert.equal(exitCode, 1);
    assert.equal(text.includes("nothing was sent"), !goes);
    assert.equal(server.requests.length > 0, goes);
  });
}
