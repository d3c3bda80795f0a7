import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";

import { ApiError, AuthError, AuthRequest, OAuth2Client, TokenExpiredError } from "../../shared/index.ts";
import type { AuthRequestInput, ClientSecretFunction } from "../../shared/index.ts";
import {
  CLIENT_ID,
  clientClaims,
  createClient,
  createMovableClock,
  forbidUnhandledRejections,
  getAuthError,
  getError,
  getThrown,
  SECRET,
  signer,
  startScm,
  startScripted,
  tokenResponse,
  TSG_ID,
} from "../support/client-fixtures.ts";
import { waitUntil } from "../support/poll.ts";
import { runProcess } from "../support/processes.ts";
import type { Script, ScriptedRequest } from "../support/scripted-server.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { createSigner } from "../support/tokens.ts";
import { setVariables } from "../support/variables.ts";

// parity.test.ts tests the promises of the Python page.

forbidUnhandledRejections();
const HOUR = 3_600_000;
const FIELDS: AuthRequestInput = { clientId: CLIENT_ID, clientSecret: SECRET };

test("connect accepts a request or its fields, and reads the environment by default", async (t) => {
  const { server, request } = await startScripted(t, { other: { body: { id: 1 } } });
  const { tokenUrl, origin: apiUrl } = server;
  assert.equal((await OAuth2Client.connect(request)).isExpired, false);
  assert.equal((await OAuth2Client.connect({ ...FIELDS, tokenUrl: new URL(tokenUrl) })).isExpired, false);
  setVariables(t, {
    ...{ SCM_CLIENT_ID: CLIENT_ID, SCM_CLIENT_SECRET: SECRET, SCM_TOKEN_URL: tokenUrl, SCM_API_URL: apiUrl },
    ...{ SCM_TSG_ID: undefined, SCM_SCOPE: undefined, SCM_AUTH_URL: undefined },
  });
  const client = await OAuth2Client.connect();
  assert.equal(client.authRequest.clientId, CLIENT_ID);
  assert.deepEqual(await client.session.request("GET", "/x"), { id: 1 });
});

const NO_VARIABLES = { SCM_API_URL: undefined, SCM_HOST: undefined, SCM_PORT: undefined, SCM_PROTOCOL: undefined };
const API_ORIGINS: readonly (readonly [variables: Record<string, string>, origin: string])[] = [
  [{}, "https://api.strata.paloaltonetworks.com"],
  [{ SCM_API_URL: "https://a.test", SCM_HOST: "b.test" }, "https://a.test"],
  [{ SCM_HOST: " api.scm.test ", SCM_PORT: "0" }, "https://api.scm.test"],
  [{ SCM_HOST: "https://api.scm.test" }, "https://api.scm.test"],
  [{ SCM_HOST: "127.0.0.1", SCM_PORT: "8080", SCM_PROTOCOL: "http" }, "http://127.0.0.1:8080"],
  [{ SCM_PORT: "8443" }, "https://api.strata.paloaltonetworks.com:8443"],
];
for (const [variables, origin] of API_ORIGINS)
  test(`sends API requests to ${origin} with ${JSON.stringify(variables)}, as the scm providers do`, async (t) => {
    setVariables(t, { ...NO_VARIABLES, ...variables });
    const { hint } = await getAuthError(new OAuth2Client(FIELDS).session.request("GET", "//other.test"));
    assert.ok(hint.endsWith(` ${origin}.`), hint);
  });

const INVALID_ORIGINS: readonly (readonly [variables: Record<string, string>, field: string])[] = [
  [{ SCM_HOST: "api.scm.test/path" }, "SCM_HOST"],
  [{ SCM_HOST: "api.scm.test", SCM_PROTOCOL: "http" }, "SCM_PROTOCOL, SCM_HOST"],
  [{ SCM_PORT: "x" }, "SCM_PORT"],
  [{ SCM_API_URL: "api.scm.test", SCM_HOST: "api.scm.test" }, "SCM_API_URL"],
];
for (const [variables, field] of INVALID_ORIGINS)
  test(`names ${field} if the API's origin in it is invalid`, (t) => {
    setVariables(t, { ...NO_VARIABLES, ...variables });
    const { issues } = getThrown(() => new OAuth2Client(FIELDS, { timeout: 0 }));
    assert.deepEqual(
      issues.map((issue) => issue.field),
      ["timeout", field],
    );
  });

test("gets the secret for each token request from a function", async (t) => {
  const { server, request } = await startScripted(t);
  const failure = new TypeError("store");
  const results = ["first-secret-1", Promise.resolve(" second-secret-2\n"), failure, "line\nline"];
  const { clock, age } = createMovableClock();
  const clientSecret: ClientSecretFunction = () => {
    const result = results.shift() ?? assert.fail();
    if (result instanceof Error) throw result;
    return result;
  };
  const client = createClient(request.with({ clientSecret }), { clock });
  assert.equal(client.authRequest.clientSecret, "");
  for (const secret of ["first-secret-1", "second-secret-2"]) {
    await client.refreshToken();
    assert.equal(new URLSearchParams(server.requestsTo("token").at(-1)?.body).get("client_secret"), secret);
    assert.equal(client.authRequest.clientSecret, secret);
  }
  for (const [code, cause, message] of [
    ["client_secret_unavailable", failure, /function that returns the client secret failed/],
    ["invalid_config", undefined, /clientSecret contains a line break/],
  ] as const) {
    const error = await getAuthError(client.refreshToken());
    assert.deepEqual([error.kind, error.code, error.cause, error.requestSent], ["config", code, cause, false]);
    assert.match(error.message, message);
    age(60_000);
  }
  assert.equal(server.requestsTo("token").length, 2);
});

test("stops waiting for the function that returns the secret after the time limit or an abort", async () => {
  const signals: AbortSignal[] = [];
  const clientSecret: ClientSecretFunction = ({ signal }) => {
    signals.push(signal);
    return new Promise(() => undefined);
  };
  const late = await getAuthError(
    createClient(AuthRequest.parse({ ...FIELDS, clientSecret }), { timeout: 0.05 }).accessToken(),
  );
  assert.equal(late.code, "client_secret_unavailable");
  assert.match(late.message, /did not end in time/);
  const reason = new RangeError("enough");
  const abort = new AbortController();
  const waiting = OAuth2Client.connect({ ...FIELDS, clientSecret }, { signal: abort.signal });
  await waitUntil("the function is called", () => signals.length === 2);
  abort.abort(reason);
  assert.equal((await getAuthError(waiting)).cause, reason);
  await waitUntil("the functions are told to stop", () => signals.every(({ aborted }) => aborted));
});

const INVALID_OPTIONS: readonly object[] = [
  { maxRetries: -1 },
  { maxRetries: 21 },
  { retryBackoff: Number.NaN },
  { tokenExpiryBuffer: Infinity },
  { timeout: 0 },
  { timeout: "5" },
  { verify: "false" },
  { apiUrl: "http://api.scm.test" },
  { apiUrl: "https://api.scm.test/path" },
  { apiUrl: "https://user@api.scm.test" },
  { maxResponseBytes: 0 },
  { onEvent: {} },
  { max_retries: 3 },
  { signal: AbortSignal.abort() },
];
test("names all invalid options in one config error", async () => {
  for (const options of INVALID_OPTIONS) {
    const error = getThrown(() => new OAuth2Client(FIELDS, options));
    assert.deepEqual([error.kind, error.issues.map(({ field }) => field)], ["config", Object.keys(options)]);
  }
  const several = { maxRetries: -1, timeout: 0, apiUrl: "x" };
  assert.equal(getThrown(() => new OAuth2Client(FIELDS, several)).issues.length, 3);
  const client = new OAuth2Client(FIELDS);
  for (const options of [{ minTtl: Number.NaN }, { minTTL: 5 }, { signal: {} }] as object[])
    assert.equal((await getAuthError(client.accessToken(options))).kind, "config");
  assert.equal((await getAuthError(client.refreshToken({ minTtl: 5 } as object))).kind, "config");
});

test("is not affected by changes to the dates, keys, and claims that it has returned", async (t) => {
  const { request } = await startScripted(t);
  const client = await OAuth2Client.connect(request);
  const time = client.expiresAt?.getTime();
  client.expiresAt?.setFullYear(1970);
  assert.equal(client.expiresAt?.getTime(), time);
  assert.throws(() => Object.assign(client.signingKey ?? {}, { n: "AQAB" }), TypeError);
  Object.assign(await client.decodeToken(), { aud: "other" });
  assert.equal((await client.decodeToken()).aud, CLIENT_ID);
});

test("emits the event for a new token only once the token is current", async (t) => {
  const { request } = await startScripted(t);
  const seen: unknown[] = [];
  const client = createClient(request, {
    onEvent: (event) => {
      if (event.type === "token") seen.push(client.isExpired, client.tsgId, event.scope === client.scope);
    },
  });
  await client.refreshToken();
  assert.deepEqual(seen, [false, TSG_ID, true]);
});

test("aborts each method that accepts a signal with the signal's reason, and leaves no request open", async (t) => {
  const reason = new RangeError("enough");
  const abort = new AbortController();
  const hang: Script = ({ n }) => {
    if (n === 3) abort.abort(reason);
    return { hang: true };
  };
  const { server, request } = await startScripted(t, { token: [tokenResponse(), hang] });
  const client = await OAuth2Client.connect(request);
  const { signal } = abort;
  const aborted = { signal: AbortSignal.abort(reason) };
  for (const work of [
    client.accessToken(aborted),
    client.decodeToken(aborted),
    client.refreshToken({ signal }),
    OAuth2Client.connect(request, { signal }),
    createClient(request).accessToken({ signal }),
  ]) {
    const error = await getAuthError(work);
    assert.deepEqual([error.kind, error.cause], ["aborted", reason]);
  }
  const requests = server.requestsTo("token").slice(1);
  assert.equal(requests.length, 3);
  await waitUntil("the requests are aborted", () => requests.every(({ closed }) => closed.aborted));
});

test("returns the same rejection to all callers for a second, and then sends a new request", async (t) => {
  const rejection = { status: 401, body: { error: "invalid_client" } };
  const { server, request } = await startScripted(t, { token: [rejection, rejection, tokenResponse()] });
  const { clock, age } = createMovableClock();
  const errors: unknown[] = [];
  const client = createClient(request, {
    clock,
    onEvent: (event) => {
      if (event.type === "error") errors.push(event.error);
    },
  });
  const first = await getAuthError(client.accessToken());
  for (let call = 0; call < 100; call++) assert.equal(await getError(client.accessToken()), first);
  assert.deepEqual([first.code, server.requestsTo("token").length, errors], ["invalid_client", 1, [first]]);
  age(1000);
  await getAuthError(client.refreshToken());
  age(2000);
  await client.refreshToken();
  assert.equal(server.requestsTo("token").length, 3);
});

test("does not treat a 401 from the JWKS URL as a rejection, after which the pauses would grow", async (t) => {
  const { server, request } = await startScripted(t, { jwks: { status: 401 } });
  const { clock, age } = createMovableClock();
  const client = createClient(request, { maxRetries: 0, clock });
  for (let call = 1; call <= 3; call++) {
    assert.equal((await getAuthError(client.refreshToken())).status, 401);
    assert.equal(server.requestsTo("token").length, call);
    age(1000);
  }
});

test("continues to return the current token after a rejection in the background", async (t) => {
  const rejection = { status: 401, body: { error: "invalid_client" } };
  const { server, request } = await startScripted(t, { token: [tokenResponse(), rejection] });
  const { clock, age } = createMovableClock();
  const failed = new Promise<void>((resolve) => {
    const client = createClient(request, {
      ...{ clock, random: () => 0 },
      onEvent: ({ type }) => {
        if (type === "error") resolve();
      },
    });
    void (async () => {
      const first = await client.accessToken();
      age(620_000);
      for (let call = 0; call < 5; call++) assert.equal(await client.accessToken(), first);
    })();
  });
  await failed;
  assert.equal(server.requestsTo("token").length, 2);
});

test("calculates the lifetime from the time at which the request was sent", async (t) => {
  const { clock, age } = createMovableClock();
  const token: Script = () => {
    age(10_000);
    return tokenResponse({ access_token: "opaque-token-0123456789", expires_in: 20 });
  };
  const { request } = await startScripted(t, { token });
  const client = createClient(request, { clock, verify: false });
  await client.refreshToken();
  age(9000);
  assert.equal(client.isExpired, false);
  age(1000);
  assert.equal(client.isExpired, true);
});

test("validates and decodes claims without requesting keys if verify is false", async (t) => {
  const claims = clientClaims();
  const other = await createSigner({ kid: signer.kid });
  const { clock, pass } = createMovableClock();
  const { server, request } = await startScripted(t, { token: tokenResponse({ access_token: other.sign(claims) }) });
  const client = createClient(request, { verify: false, clock });
  await client.refreshToken();
  assert.deepEqual([client.signingKey, (await client.decodeToken())["jti"]], [undefined, claims.jti]);
  assert.equal(server.requestsTo("jwks").length, 0);
  pass(901_000);
  assert.ok((await getError(client.decodeToken())) instanceof TokenExpiredError);
  const forged = tokenResponse({ access_token: signer.sign({ ...claims, aud: "other" }) });
  const bad = await startScripted(t, { token: forged });
  assert.equal((await getAuthError(OAuth2Client.connect(bad.request, { verify: false }))).code, "audience_mismatch");
});

test("accepts an opaque token but cannot decode it if verify is false", async (t) => {
  const { request } = await startScripted(t, { token: tokenResponse({ access_token: "opaque-token-0123456789" }) });
  const client = await OAuth2Client.connect(request, { verify: false });
  assert.equal(await client.accessToken(), "opaque-token-0123456789");
  assert.deepEqual([client.isExpired, client.scope, client.tsgId], [false, `tsg_id:${TSG_ID}`, TSG_ID]);
  const error = await getAuthError(client.decodeToken());
  assert.deepEqual([error.kind, error.code], ["verification", "opaque_token"]);
});

for (const offset of [-5 * HOUR, 5 * HOUR])
  test(`reports at sign-in a wall clock that is off by ${offset / HOUR} h, and ignores it afterward`, async (t) => {
    const { server, request } = await startScripted(t);
    const { clock, age, setWallClock } = createMovableClock();
    const client = createClient(request, { clock });
    setWallClock(offset);
    const error = await getAuthError(client.accessToken());
    assert.equal(error.code, "clock_skew");
    assert.match(error.message, /(5 h|4 h 59 min).* (behind|ahead of) the server's/);
    setWallClock(0);
    age(1000);
    const token = await client.accessToken();
    setWallClock(offset);
    assert.deepEqual([client.isExpired, client.tokenExpiresSoon], [false, false]);
    assert.equal(await client.accessToken(), token);
    assert.equal((await client.decodeToken()).aud, CLIENT_ID);
    assert.equal(server.requestsTo("token").length, 2);
  });

test("accepts an AuthRequest created by another copy of the package", async () => {
  const url = new URL("../../shared/auth-request.ts?copy", import.meta.url);
  const copy = (await import(url.href)) as { readonly AuthRequest: typeof AuthRequest };
  const request = copy.AuthRequest.parse(FIELDS);
  assert.ok(!(request instanceof AuthRequest));
  assert.equal(new OAuth2Client(request).authRequest, request);
});

/** Runs a program with the library's exports in scope. */
async function runProgram(program: string, env: Readonly<Record<string, string>>) {
  const index = new URL("../../shared/index.ts", import.meta.url).href;
  const source = `import { AuthRequest, OAuth2Client } from ${JSON.stringify(index)};\n${program}`;
  return runProcess(process.execPath, ["--input-type=module", "--eval", source], { env: { ...process.env, ...env } });
}

const ENDS: readonly (readonly [what: string, program: string, token: Script])[] = [
  [
    "requests, decodeToken, and accessToken have completed",
    'await client.session.request("GET", "/x"); await client.decodeToken();',
    () => tokenResponse(),
  ],
  [
    "a token is being refreshed in the background by a silent server",
    "await client.accessToken();",
    [() => tokenResponse({ access_token: signer.sign(clientClaims(Date.now() / 1000 - 700)) }), { hang: true }],
  ],
  [
    "all callers have aborted while the server is silent",
    "await client.refreshToken({ signal: AbortSignal.timeout(50) }).catch(() => undefined);",
    [() => tokenResponse(), { hang: true }],
  ],
];
for (const [what, program, token] of ENDS)
  test(`lets the program exit when ${what}`, async (t) => {
    const { server, request } = await startScripted(t, { token, other: { body: {} }, secure: true });
    const start =
      "const client = await OAuth2Client.connect(JSON.parse(process.env.FIELDS), { apiUrl: process.env.API_URL, tokenExpiryBuffer: 86400 });";
    const wait = "await new Promise((resolve) => setTimeout(resolve, 100));";
    const report =
      'const done = performance.now(); process.on("exit", () => console.log(Math.round(performance.now() - done)));';
    const { stdout, stderr, exitCode } = await runProgram(`${start} ${program} ${wait} ${report}`, {
      FIELDS: JSON.stringify({ ...FIELDS, tokenUrl: server.tokenUrl, ca: request.ca }),
      API_URL: server.origin,
    });
    assert.deepEqual([stderr, exitCode], ["", 0]);
    assert.match(stdout, /^\d+\n$/);
    assert.ok(Number(stdout) < 5000, `it exited after ${stdout} ms`);
  });

test("keeps a program that waits for a token alive", async (t) => {
  const { server } = await startScripted(t, { token: { ...tokenResponse(), delayMs: 300 } });
  const { stdout } = await runProgram("console.log((await OAuth2Client.connect()).isExpired);", {
    ...{ SCM_CLIENT_ID: CLIENT_ID, SCM_CLIENT_SECRET: SECRET, SCM_TOKEN_URL: server.tokenUrl, SCM_TSG_ID: TSG_ID },
  });
  assert.equal(stdout, "false\n");
});

/** Returns the output of all common ways to print a value. */
function print(value: object): Readonly<Record<string, string>> {
  const everything = { depth: Infinity, showHidden: true } as const;
  const clone = (): string => {
    try {
      return inspect(structuredClone(value), everything);
    } catch (error) {
      return inspect(error, everything);
    }
  };
  return {
    inspect: inspect(value, everything),
    "inspect of a container": inspect([new Map([["key", { value }]])], everything),
    "inspect without custom functions": inspect(value, { ...everything, customInspect: false, getters: false }),
    "JSON.stringify": JSON.stringify([value]),
    String: Reflect.apply(String, undefined, [value]),
    descriptors: inspect(Object.getOwnPropertyDescriptors(value), everything),
    copy: inspect({ ...value }, everything),
    structuredClone: clone(),
    ...(value instanceof Error && {
      stack: value.stack ?? "",
      cause: `${inspect(value.cause, everything)} ${inspect(new Error("mine", { cause: value }), everything)}`,
    }),
    ...(AuthError.isAuthError(value) && { hint: value.hint, issues: JSON.stringify(value.issues) }),
  };
}

test("does not reveal the secret or the token when a client or its parts are printed", async (t) => {
  const { server, request } = await startScripted(t, { other: { body: { id: 1 } } });
  const client = createClient(request, { apiUrl: server.origin });
  for (const part of [client, client.session, client.authRequest]) assertNoSecret(print(part), [SECRET]);
  await client.session.request("GET", "/x");
  const secrets = [SECRET, await client.accessToken()];
  for (const part of [client, client.session, client.authRequest, client.signingKey ?? {}])
    assertNoSecret(print(part), secrets);
  assert.match(inspect(client), new RegExp(`^OAuth2Client \\{ ${CLIENT_ID} `));
});

const FORMS = [
  SECRET,
  encodeURIComponent(SECRET),
  JSON.stringify({ SECRET }),
  ...["base64", "base64url", "hex"].map((encoding) => Buffer.from(SECRET).toString(encoding as BufferEncoding)),
].join(" ");
const claims = clientClaims();
const ECHOES: Readonly<Record<string, Script>> = {
  "an OAuth error": ({ body }) => ({ status: 401, body: { error: "invalid_client", error_description: body } }),
  "an OAuth error in every encoding": { status: 400, body: { error: "x", error_description: FORMS } },
  "an HTML page": ({ body }) => ({ status: 400, body: `<html>${body} ${FORMS}</html>` }),
  "a server error": ({ body }) => ({ status: 500, body: `${body} ${FORMS}` }),
  "an error code": { status: 400, body: { error: SECRET } },
  "a truncated response": { ...tokenResponse({ secret: SECRET }), destroyAfterBytes: 40 },
  "a redirect": { status: 302, headers: { location: `https://evil.test/${SECRET}` } },
  "forged claims": tokenResponse({ access_token: signer.sign({ ...claims, aud: SECRET, iss: SECRET }) }),
  "a key ID": tokenResponse({ access_token: signer.sign(claims, { kid: SECRET }) }),
  "a token type": tokenResponse({ token_type: SECRET }),
};
for (const [what, token] of Object.entries(ECHOES))
  test(`does not reveal the secret in errors and events if a server echoes it in ${what}`, async (t) => {
    const { request } = await startScripted(t, { token });
    const events: object[] = [];
    const options = { maxRetries: 1, retryBackoff: 0, onEvent: (event: object) => events.push(event) };
    const error = await getAuthError(OAuth2Client.connect(request, options));
    for (const value of [error, ...events]) assertNoSecret(print(value), [SECRET]);
  });

test("does not reveal the secret or any token in the error if an API echoes it", async (t) => {
  const tokens: string[] = [];
  const token: Script = () => {
    tokens.push(signer.sign(clientClaims()));
    return tokenResponse({ access_token: tokens.at(-1) });
  };
  const echo = ({ headers, body }: ScriptedRequest) => {
    const all = [headers.authorization ?? "", body, SECRET, ...tokens];
    const text = all.join(" ");
    const details = {
      why: "all",
      nested: [{ [text]: text }],
      base64: all.map((part) => Buffer.from(part).toString("base64")),
    };
    return { status: 400, body: { _errors: [{ code: text, message: text, details }], _request_id: text } };
  };
  const { server, request } = await startScripted(t, { token, other: [{ status: 401 }, echo] });
  const { clock, age } = createMovableClock();
  const client = createClient(request, { apiUrl: server.origin, clock });
  await client.accessToken();
  age(60_000);
  const error = await getError(client.session.request("PUT", "/x", { body: { secret: SECRET } }));
  assert.ok(error instanceof ApiError && error.status === 400);
  assert.equal(tokens.length, 2);
  assert.match(JSON.stringify(error.details), /all.*\*\*\*/);
  assertNoSecret(print(error), [SECRET, ...tokens]);
});

const UNCAUGHT: Readonly<Record<string, string>> = {
  "an unhandled rejection": "OAuth2Client.connect(AuthRequest.fromEnv(), { maxRetries: 0 });",
  "an uncaught error": "await OAuth2Client.connect(AuthRequest.fromEnv(), { maxRetries: 0 });",
  "an uncaught config error":
    "AuthRequest.fromEnv({ ...process.env, SCM_CLIENT_SECRET: `${process.env.SCM_CLIENT_SECRET}\\n1` });",
};
for (const [what, program] of Object.entries(UNCAUGHT))
  test(`makes Node print the message and the hint, but no secret, for ${what}`, async (t) => {
    const token: Script = ({ body }) => ({ status: 401, body: { error: "invalid_client", error_description: body } });
    const { server } = await startScripted(t, { token });
    const { exitCode, stderr } = await runProgram(program, {
      ...{ SCM_CLIENT_ID: CLIENT_ID, SCM_CLIENT_SECRET: SECRET, SCM_TSG_ID: TSG_ID, SCM_TOKEN_URL: server.tokenUrl },
    });
    assert.equal(exitCode, 1);
    assert.match(stderr, /AuthError: (Authentication|Configuration) error: .*(invalid_client|SCM_CLIENT_SECRET)/);
    assert.match(stderr, /hint: /);
    assertNoSecret({ stderr }, [SECRET]);
  });

test("ignores a listener that throws, rejects, or returns a thenable that throws", async (t) => {
  const { request } = await startScripted(t);
  const fail = (): never => assert.fail("by the listener");
  const listeners: readonly (() => unknown)[] = [
    fail,
    () => Promise.reject(new Error("by it")),
    () => ({ then: fail }),
  ];
  for (const onEvent of listeners) {
    assert.equal((await OAuth2Client.connect(request, { onEvent })).isExpired, false);
    await delay(1);
  }
});

test("trusts a private CA for sign-in and API calls only in the client that has it", async (t) => {
  const { server, request } = await startScm(t);
  const client = await OAuth2Client.connect(request, { apiUrl: server.apiUrl });
  await client.session.request("GET", "/config/objects/v1/tags", { query: { folder: "All" } });
  const { clientId, clientSecret, tokenUrl } = server;
  const other = await getAuthError(OAuth2Client.connect({ clientId, clientSecret, tokenUrl }));
  assert.equal(other.code, "untrusted_certificate");
});
