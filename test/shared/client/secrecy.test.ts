import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { ApiError, AuthError, AuthRequest, OAuth2Client, TokenExpiredError } from "../../../shared/index.ts";
import type { Session } from "../../../shared/index.ts";
import { secretForms } from "../../../shared/report/secrets.ts";
import { assertNoCanary, tokenCanaries } from "../../support/canaries.ts";
import {
  CLIENT_ID,
  failureOf,
  makeMovedClock,
  minted,
  scripted,
  SECRET,
  signer,
  TSG_ID,
  watchRejections,
} from "../../support/client-stage.ts";
import { runProgram } from "../../support/library-program.ts";
import type { Script, ScriptedHandler, ScriptedRequest } from "../../support/scripted-server.ts";
import { stdoutOf } from "../../support/stdout.ts";
import { honestClaims } from "../../support/tokens.ts";

watchRejections();
const plain = { plain: true };
const PATH = "/config/objects/v1/tags";
const everything = { depth: Infinity, showHidden: true } as const;

/** All the ways in which people print a thing. */
function printsOf(value: object): Readonly<Record<string, string>> {
  const clone = (): string => {
    try {
      const copy: unknown = structuredClone(value);
      return `${inspect(copy, everything)} ${JSON.stringify(copy)}`;
    } catch (error) {
      return inspect(error, everything);
    }
  };
  return {
    "console.log": stdoutOf(() => {
      console.log(value);
    }),
    "console.log of what holds it": stdoutOf(() => {
      console.log("%o %O %s %j", value, { value }, value, value);
    }),
    inspect: inspect(value, everything),
    "inspect with getters": inspect(value, { ...everything, customInspect: false }),
    "inspect of what holds it": inspect([new Map([["key", { value }]])], everything),
    "JSON.stringify": JSON.stringify([value]),
    String: Reflect.apply(String, undefined, [value]),
    "own properties": inspect(Object.getOwnPropertyDescriptors(value), everything),
    "a spread copy": inspect({ ...value }, everything),
    structuredClone: clone(),
    ...(value instanceof Error && {
      stack: value.stack ?? "",
      cause: `${inspect(value.cause, everything)} ${JSON.stringify(value.cause)}`,
      "as the cause of another": inspect(new Error("mine", { cause: value }), everything),
    }),
    ...(AuthError.isAuthError(value) && { hint: value.hint, problems: JSON.stringify(value.problems) }),
  };
}

test("a client, its request, its session and its key print without secret and token, before and after the sign-in", async (t) => {
  const { server, request } = await scripted(t, minted(), { ...plain, other: { body: { id: 1 } } });
  const client = new OAuth2Client(request, { apiUrl: server.origin });
  for (const part of [client, client.session, client.authRequest]) assertNoCanary([SECRET], printsOf(part));
  await client.session.request("GET", PATH);
  const token = await client.accessToken();
  const parts = [client, client.session, client.authRequest, client.signingKey ?? {}];
  for (const part of parts) assertNoCanary([SECRET, ...tokenCanaries(token)], printsOf(part));
  assert.match(inspect(client), /^OAuth2Client \{/);
  assert.ok(inspect(client).includes(CLIENT_ID) && inspect(request).includes(CLIENT_ID));
});

/** What servers write into their answers who have seen the secret: raw, and in each form that a program gives it. */
const everyForm = secretForms(SECRET).join(" ");
const honest = honestClaims({ clientId: CLIENT_ID, tsgId: TSG_ID });
const echoes: readonly (readonly [what: string, token: Script])[] = [
  ["an OAuth error", ({ body }) => ({ status: 401, body: { error: "invalid_client", error_description: body } })],
  ["an OAuth error in every form", { status: 400, body: { error: "x", error_description: everyForm } }],
  ["a page", ({ body }) => ({ status: 400, body: `<html>${body} ${everyForm}</html>` })],
  ["a server error", ({ body }) => ({ status: 500, body: `${body} ${everyForm}` })],
  ["a name of an error", { status: 400, body: { error: SECRET } }],
  ["a cut answer", { ...minted({ secret: SECRET }), destroyAfterBytes: 40 }],
  ["a header", { status: 302, headers: { location: `https://evil.test/${SECRET}` } }],
  ["a token with a lie", minted({ access_token: signer.sign({ ...honest, aud: SECRET, iss: SECRET }) })],
  ["a key id", minted({ access_token: signer.sign(honest, { kid: SECRET }) })],
  ["a type of token", minted({ token_type: SECRET })],
];
for (const [what, script] of echoes) {
  test(`a server that echoes the secret does not bring it into the error, nor into events: ${what}`, async (t) => {
    const { request } = await scripted(t, script, plain);
    const events: object[] = [];
    const options = { maxRetries: 1, retryBackoff: 0, onEvent: (event: object) => events.push(event) };
    const error = await failureOf(OAuth2Client.connect(request, options));
    assertNoCanary([SECRET], printsOf(error));
    for (const event of events) assertNoCanary([SECRET], printsOf(event));
  });
}

test("config errors of the library don't show the secret either", () => {
  for (const change of [
    { tsgId: SECRET },
    { scope: `é${SECRET}` },
    { tokenUrl: `https://u:${SECRET}@x.test/` },
    { jwksUrl: `https://x.test/?${SECRET}` },
    { clientId: `${SECRET} ${SECRET}` },
    { clientSecret: `${SECRET}\n1` },
    { ca: SECRET },
  ]) {
    const fields = { clientId: CLIENT_ID, clientSecret: SECRET, ...change };
    const variables = {
      SCM_CLIENT_ID: fields.clientId,
      SCM_CLIENT_SECRET: fields.clientSecret,
      SCM_TSG_ID: change.tsgId,
      SCM_SCOPE: change.scope,
      SCM_TOKEN_URL: change.tokenUrl,
    };
    for (const refuse of [
      () => AuthRequest.parse(fields),
      () => new OAuth2Client(fields),
      () => AuthRequest.fromEnv({ ...variables, SCM_AUTH_URL: "x" }),
    ])
      assert.throws(refuse, (error) => {
        assert.ok(AuthError.isAuthError(error));
        assertNoCanary([SECRET], printsOf(error));
        return true;
      });
  }
});

test("a token that has ended does not stand in the error that says so", async (t) => {
  const { request } = await scripted(t, minted(), plain);
  const { clock, pass } = makeMovedClock();
  const client = new OAuth2Client(request, { clock });
  const token = await client.accessToken();
  pass(901_000);
  const error = await failureOf(client.decodeToken());
  assert.ok(error instanceof TokenExpiredError);
  assertNoCanary([SECRET, ...tokenCanaries(token)], printsOf(error));
});

/** The API's error, with all that it saw of the calls so far in each of its texts. */
const echo =
  (seen: () => readonly string[]): ScriptedHandler =>
  ({ headers, body }: ScriptedRequest) => {
    const all = [headers.authorization ?? "", body, ...seen()];
    const text = all.join(" ");
    const details = { all, nested: [{ [text]: text }], base64: all.map((one) => Buffer.from(one).toString("base64")) };
    return { status: 400, body: { _errors: [{ code: text, message: text, details }], _request_id: text } };
  };

test("an API that echoes secret and tokens, also one that it refused before, does not bring them into the error", async (t) => {
  const tokens: string[] = [];
  const answer = (): ReturnType<typeof minted> => {
    const token = signer.sign(honestClaims({ clientId: CLIENT_ID, tsgId: TSG_ID }));
    tokens.push(token);
    return minted({ access_token: token });
  };
  const { server, request } = await scripted(t, answer, {
    ...plain,
    other: [{ status: 401 }, echo(() => [SECRET, ...tokens])],
  });
  const client = new OAuth2Client(request, { apiUrl: server.origin });
  const call = (session: Session) => session.request("PUT", PATH, { body: { secret: SECRET } });
  const error: unknown = await call(client.session).catch((reason: unknown) => reason);
  assert.ok(error instanceof ApiError && error.status === 400);
  assert.equal(tokens.length, 2);
  assert.match(JSON.stringify(error.details), /nested.*\*\*\*/, "the rest of what it says is there");
  assertNoCanary([SECRET, ...tokens.flatMap(tokenCanaries)], printsOf(error));
});

test("an API's long words of which one is a secret are cut without a piece of it", async (t) => {
  const long = "x".repeat(290) + SECRET;
  const said = { _errors: [{ code: long, message: long }], _request_id: long };
  const { server, request } = await scripted(t, minted(), { ...plain, other: { status: 400, body: said } });
  const { session } = new OAuth2Client(request, { apiUrl: server.origin });
  const error: unknown = await session.request("GET", PATH).catch((reason: unknown) => reason);
  assert.ok(error instanceof ApiError);
  for (const text of [error.message, error.code ?? "", error.requestId ?? ""]) {
    assert.ok(text.includes("x".repeat(290)), text);
    assert.ok(!text.includes(SECRET.slice(0, 4)), text);
  }
});

const programs: readonly (readonly [what: string, program: string])[] = [
  ["a rejection that nobody handles", "OAuth2Client.connect(AuthRequest.fromEnv(), { maxRetries: 0 });"],
  ["an error that nobody catches", "await OAuth2Client.connect(AuthRequest.fromEnv(), { maxRetries: 0 });"],
  [
    "a config error that nobody catches",
    "AuthRequest.fromEnv({ ...process.env, SCM_CLIENT_SECRET: `${process.env.SCM_CLIENT_SECRET}\\n` + 1 });",
  ],
];
for (const [what, program] of programs) {
  test(`what node prints of ${what} tells the failure and holds no secret`, async (t) => {
    const refuse: Script = ({ body }) => ({
      status: 401,
      body: { error: "invalid_client", error_description: `${body} ${everyForm}` },
    });
    const { server } = await scripted(t, refuse, plain);
    const { code, text } = await runProgram(program, {
      SCM_CLIENT_ID: CLIENT_ID,
      SCM_CLIENT_SECRET: SECRET,
      SCM_TSG_ID: TSG_ID,
      SCM_TOKEN_URL: server.tokenUrl,
    });
    assert.equal(code, 1);
    assert.match(text, /Authentication error: .*(invalid_client|SCM_CLIENT_SECRET)/);
    assertNoCanary([SECRET], { printed: text });
  });
}
