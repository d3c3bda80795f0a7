import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { runCheck } from "../../action/check.ts";
import { AuthRequest } from "../../shared/auth-request.ts";
import { systemClock } from "../../shared/clock.ts";
import { AuthError, type AuthErrorCode } from "../../shared/errors.ts";
import type { Row } from "../../shared/sign-in-report.ts";
import { createSignInContext } from "../../shared/sign-in.ts";
import { VERSION } from "../../shared/version.ts";
import { createCertificates } from "../support/certificates.ts";
import { startChaosProxy, type Faults } from "../support/chaos-proxy.ts";
import { startConnectProxy, type ConnectProxyOptions } from "../support/connect-proxy.ts";
import { fc } from "../support/fuzzing.ts";
import { startScriptedServer, type Script, type ScriptedHandler } from "../support/scripted-server.ts";
import { assertNoSecret } from "../support/secrets.ts";
import { foreignText } from "../support/texts.ts";
import { createSigner, validClaims, type JsonObject } from "../support/tokens.ts";
import { setVariables } from "../support/variables.ts";
import { RecordingRunner } from "./recording-runner.ts";

const CLIENT_ID = "ci@1234567890.iam.panserviceaccount.com";
const SECRET = "3f0d8ab2-5b1c-4c7e-9d35-6f1f3f8d8a10";
const TSG_ID = "1234567890";
const PASSWORD = "sesame-9f27c1aa";
const PROXY_VARIABLES = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"];

const signer = await createSigner();
const tls = createCertificates();
// Variables that the check reports.
const RUNNER = { RUNNER_OS: "Linux", RUNNER_ARCH: "X64", ImageOS: "ubuntu24", ImageVersion: "20261101.1.0" };
Object.assign(process.env, RUNNER);
delete process.env["RUNNER_ENVIRONMENT"];

const issue = (claims: JsonObject = {}, header: JsonObject = {}): ScriptedHandler => ({
  body: {
    access_token: signer.sign({ ...validClaims({ clientId: CLIENT_ID, tsgId: TSG_ID }), ...claims }, header),
    token_type: "Bearer",
    expires_in: 899,
  },
});
const KEYS: ScriptedHandler = { body: { keys: [signer.jwk] } };

interface ServerScripts {
  readonly token?: Script;
  readonly jwks?: Script;
  /** Uses plain HTTP. Default: HTTPS. */
  readonly plain?: boolean;
  /** Connection faults. */
  readonly faults?: Faults;
}

/** Starts a server and returns it with the origin to which clients connect. */
async function startServer(t: TestContext, { token = issue(), jwks = KEYS, plain, faults }: ServerScripts = {}) {
  const server = await startScriptedServer({ token, jwks, ...(!plain && { tls }) });
  t.after(server.close);
  if (faults === undefined) return { server, origin: server.origin };
  const proxy = await startChaosProxy(server.port, faults);
  t.after(proxy.close);
  return { server, origin: server.origin.replace(`:${server.port}`, `:${proxy.port}`) };
}

const toRequest = (origin: string, ca = tls.ca): AuthRequest =>
  AuthRequest.parse({ clientId: CLIENT_ID, clientSecret: SECRET, tokenUrl: `${origin}/am/oauth2/access_token`, ca });

interface CheckOptions {
  readonly verify?: boolean;
  readonly timeoutMs?: number;
  readonly maxRetries?: number;
  readonly signal?: AbortSignal;
  readonly runner?: RecordingRunner;
}

interface CheckRun {
  readonly heading: string;
  readonly rows: ReadonlyMap<string, Row>;
  readonly log: string;
  readonly error: AuthError | undefined;
}

/** Runs a check. Fails if anything that it reports contains the secret or a token. */
async function check(authRequest: AuthRequest, options: CheckOptions = {}): Promise<CheckRun> {
  const { verify = true, timeoutMs = 10_000, maxRetries = 0, signal, runner = new RecordingRunner() } = options;
  const policy = { maxRetries, backoff: 0.01, spreadOnOverload: false };
  const limits = { deadline: systemClock.monotonic() + timeoutMs, signal };
  const context = createSignInContext(authRequest, {
    verify,
    policy,
    redactor: runner.redactor,
    onToken: (token) => {
      runner.mask(token);
    },
  });
  const error = await runCheck(runner, context, limits).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error === undefined || AuthError.isAuthError(error), String(error));
  const markdown = (runner.markdown ?? []).join("\n");
  assertNoSecret({ log: runner.log, markdown }, [SECRET, PASSWORD, ...runner.masked]);
  return { heading: runner.markdown?.[0] ?? "", rows: parseTable(runner.markdown ?? []), log: runner.log, error };
}

/** Parses the rows of the table. Fails unless each details cell is a single code span. */
function parseTable(lines: readonly string[]): ReadonlyMap<string, Row> {
  const rows = lines.filter((line) => line.startsWith("| ")).slice(2);
  return new Map(
    rows.map((line) => {
      const cells = /^\| ([\w ]+) \| ([\w ]*) \| (\d*) \| (?:`([^`|]+)`)? \|$/.exec(line);
      assert.ok(cells, line);
      const [, name = "", result = "", ms = "", details = ""] = cells;
      const durationMs = ms === "" ? undefined : Number(ms);
      return [name, { name, result: (result || undefined) as Row["result"], durationMs, details }];
    }),
  );
}

test("reports each step of a successful sign-in in the summary and in the log", async (t) => {
  const { server, origin } = await startServer(t);
  const { heading, rows, log, error } = await check(toRequest(origin));
  assert.equal(error, undefined);
  assert.equal(heading, "## scm-auth check: success");
  const expected: Readonly<Record<string, readonly [result: Row["result"], details: RegExp]>> = {
    DNS: ["skipped", /^127\.0\.0\.1 is an IP address$/],
    Connection: ["ok", new RegExp(`^127\\.0\\.0\\.1:${server.port}$`)],
    Proxy: ["skipped", /^no proxy configured for 127\.0\.0\.1$/],
    TLS: ["ok", /^TLSv1\.3, issued by scm-auth test authority \w+$/],
    Token: ["ok", new RegExp(`^status 200, ${origin}/am/oauth2/access_token$`)],
    Keys: ["ok", new RegExp(`^status 200, ${origin}/am/oauth2/connect/jwk_uri$`)],
    "Signature and claims": ["ok", /^signature \(RS256\) and claims valid, key ID [\w/=]+$/],
    Clock: [undefined, /^in sync \(± 2 s\)$/],
    "Tenant requested": [undefined, /^1234567890$/],
    "Tenant granted": [undefined, /^1234567890$/],
    Lifetime: [undefined, /^14 min 59 s$/],
    Versions: [undefined, new RegExp(`^scm-auth ${VERSION}, Node ${process.version} on .*, runner Linux X64, image ubuntu24 2026`)],
  }; // prettier-ignore
  assert.deepEqual([...rows.keys()], Object.keys(expected));
  for (const [name, [result, details]] of Object.entries(expected)) {
    const row = rows.get(name);
    assert.equal(row?.result, result, name);
    assert.match(row?.details ?? "", details);
    assert.ok(log.includes(`info: ${name}: `), name);
  }
  for (const name of ["Connection", "TLS", "Token", "Keys"]) assert.ok(rows.get(name)?.durationMs !== undefined, name);
  assert.match(log, /info: Check: success\./);
  assert.equal(server.requestsTo("token").length, 1);
});

test("reports the addresses of a host name, the absence of TLS with plain HTTP, and the number of a second attempt", async (t) => {
  const { origin } = await startServer(t, { plain: true, token: [{ status: 503 }, issue()] });
  const { rows, error } = await check(toRequest(origin.replace("127.0.0.1", "localhost")), { maxRetries: 1 });
  assert.equal(error, undefined);
  assert.match(rows.get("DNS")?.details ?? "", /127\.0\.0\.1/);
  assert.equal(rows.get("TLS")?.details, "http on loopback");
  assert.match(rows.get("Token")?.details ?? "", /^status 200, attempt 2 of 2, /);
});

test("skips the keys and reports the signature as not verified with verify: false", async (t) => {
  const token = { body: { access_token: "an-opaque-token-of-some-length", token_type: "Bearer", expires_in: 899 } };
  const { origin } = await startServer(t, { token });
  const { rows, error } = await check(toRequest(origin), { verify: false });
  assert.equal(error, undefined);
  assert.deepEqual(rows.get("Keys"), { name: "Keys", result: "skipped", durationMs: undefined, details: "verify: false" }); // prettier-ignore
  assert.match(rows.get("Signature and claims")?.details ?? "", /^signature not verified/);
});

async function startProxy(t: TestContext, port: number, options: Partial<ConnectProxyOptions> = {}): Promise<number> {
  const proxy = await startConnectProxy({ to: port, credentials: `bob:${PASSWORD}`, ...options });
  t.after(proxy.close);
  setVariables(t, Object.fromEntries(PROXY_VARIABLES.map((name) => [name, undefined])));
  setVariables(t, { https_proxy: `http://bob:${PASSWORD}@127.0.0.1:${proxy.port}` });
  return proxy.port;
}

test("reports the host and port of a proxy", async (t) => {
  const { server } = await startServer(t);
  const port = await startProxy(t, server.port);
  const { rows, log, error } = await check(toRequest("https://auth.scm.test"));
  assert.equal(error, undefined);
  assert.equal(rows.get("Proxy")?.details, `127.0.0.1:${port}`);
  assert.equal(rows.get("DNS")?.details, "127.0.0.1 is an IP address");
  assert.doesNotMatch(log, /bob/);
});

interface FailureCase {
  readonly what: string;
  readonly row: string;
  readonly code: AuthErrorCode;
  readonly start: (t: TestContext) => Promise<AuthRequest>;
  readonly timeoutMs?: number;
  /** Expected details by row name. */
  readonly details?: Readonly<Record<string, RegExp>>;
}

const withServer =
  (scripts: ServerScripts, ca?: string) =>
  async (t: TestContext): Promise<AuthRequest> =>
    toRequest((await startServer(t, scripts)).origin, ca);

const withProxy =
  (options: Partial<ConnectProxyOptions>) =>
  async (t: TestContext): Promise<AuthRequest> => {
    const { server } = await startServer(t);
    await startProxy(t, server.port, options);
    return toRequest("https://auth.scm.test");
  };

const failures: readonly FailureCase[] = [
  {
    what: "a nonexistent host",
    row: "DNS",
    code: "host_not_found",
    start: (t) => {
      setVariables(t, Object.fromEntries(PROXY_VARIABLES.map((name) => [name, undefined])));
      return Promise.resolve(toRequest("https://unknown.invalid"));
    },
    details: { Connection: /^$/, Clock: /^unknown: no Date header$/, Lifetime: /^unknown: no token received$/ },
  },
  {
    what: "a port that refuses connections",
    row: "Connection",
    code: "connection_refused",
    start: () => Promise.resolve(toRequest("http://127.0.0.1:1")),
  },
  {
    what: "a proxy that requires a password",
    row: "Proxy",
    code: "proxy_auth_required",
    start: withProxy({ credentials: "bob:another" }),
  },
  { what: "a proxy that refuses the tunnel", row: "Proxy", code: "proxy_refused", start: withProxy({ response: 403 }) },
  {
    what: "an invalid proxy variable",
    row: "Proxy",
    code: "proxy_url_invalid",
    start: (t) => {
      setVariables(t, { https_proxy: "ftp://[", no_proxy: undefined, NO_PROXY: undefined });
      return Promise.resolve(toRequest("https://auth.scm.test"));
    },
    details: { Token: /^https:\/\/auth|^$/ },
  },
  {
    what: "a server that does not respond during the TLS handshake",
    row: "TLS",
    code: "tls_handshake_failed",
    start: withServer({ faults: { stallAfter: 0 } }),
    timeoutMs: 1500,
    details: { Connection: /^127\.0\.0\.1:\d+$/, Hint: /./ },
  },
  {
    what: "an untrusted certificate",
    row: "TLS",
    code: "untrusted_certificate",
    start: withServer({}, createCertificates().ca),
    details: { TLS: /issued by scm-auth test authority/, Token: /^https:/ },
  },
  {
    what: "a server that does not respond",
    row: "Token",
    code: "response_timeout",
    start: withServer({ token: { hang: true } }),
    timeoutMs: 1500,
    details: { TLS: /^TLSv1/, Keys: /^status 200/ },
  },
  {
    what: "a wrong secret",
    row: "Token",
    code: "invalid_client",
    start: withServer({ token: { status: 401, body: { error: "invalid_client", error_description: `bad ${SECRET}` } } }),
    details: { Clock: /in sync/ },
  },
  {
    what: "a wrong secret and keys that cannot be read",
    row: "Token",
    code: "invalid_client",
    start: withServer({
      token: { status: 401, body: { error: "invalid_client" }, delayMs: 500 },
      jwks: { status: 404 },
    }),
    details: { Keys: /^status 404/ },
  },
  { what: "a missing JWKS", row: "Keys", code: "http_error", start: withServer({ jwks: { status: 404 } }) },
  { what: "an HTML page instead of a JWKS", row: "Keys", code: "html_response", start: withServer({ jwks: { body: "<html>", headers: { "content-type": "text/html" } } }) },
  {
    what: "a token with an invalid signature",
    row: "Signature and claims",
    code: "invalid_signature",
    start: async (t) => {
      const other = await createSigner({ kid: signer.kid });
      return withServer({ jwks: { body: { keys: [other.jwk] } } })(t);
    },
    details: { "Tenant granted": /^1234567890 \(unverified\)$/, Lifetime: /^15 min \(unverified\)$/ },
  },
  {
    what: "a token for another tenant",
    row: "Signature and claims",
    code: "tenant_mismatch",
    start: withServer({ token: issue({ scope: ["tsg_id:42"] }) }),
    details: { "Tenant requested": /^1234567890$/, "Tenant granted": /^42 \(unverified\)$/ },
  },
  {
    what: "an opaque token",
    row: "Signature and claims",
    code: "opaque_token",
    start: withServer({ token: { body: { access_token: "an-opaque-token", token_type: "Bearer", expires_in: 9 } } }),
    details: { "Tenant granted": /^unknown: the token cannot be read$/ },
  },
]; // prettier-ignore
for (const { what, row, code, start, timeoutMs, details = {} } of failures) {
  test(`reports ${what} as ${code} in the ${row} row`, async (t) => {
    const { heading, rows, log, error } = await check(await start(t), timeoutMs === undefined ? {} : { timeoutMs });
    assert.equal(error?.code, code);
    assert.equal(heading, `## scm-auth check: failed at ${row}`);
    assert.match(log, new RegExp(`info: Check: failed at ${row}\\.`));
    assert.equal(rows.get(row)?.result, "FAILED");
    assert.ok(rows.get(row)?.details.startsWith(`${code}: `), rows.get(row)?.details);
    assert.notEqual(rows.get("Hint")?.details ?? "", "");
    for (const [name, pattern] of Object.entries(details)) assert.match(rows.get(name)?.details ?? "missing", pattern);
    const names = [...rows.keys()].filter((name) => rows.get(name)?.result !== undefined);
    for (const later of names.slice(names.indexOf(row) + 1).filter((name) => name !== "Keys"))
      assert.notEqual(rows.get(later)?.result, "ok", later);
  });
}

test("text from a server cannot break out of its table cell", async (t) => {
  const text = fc.oneof(
    foreignText,
    foreignText.map((foreign) => `|${foreign}\`| <img src=x> @octocat #1 [x](https://evil.example) ::error::`),
  );
  const state = { kid: "", description: "", scope: "", isRejected: false };
  const { origin } = await startServer(t, {
    plain: true,
    token: () =>
      state.isRejected
        ? { status: 400, body: { error: "invalid_scope", error_description: state.description } }
        : (issue({ scope: [state.scope, `tsg_id:${TSG_ID}`] }, { kid: state.kid }) as { readonly body: object }),
    jwks: () => ({ body: { keys: [{ ...signer.jwk, kid: state.kid }] } }),
  });
  const request = toRequest(origin);
  await fc.assert(
    fc.asyncProperty(
      fc.record({ kid: text, description: text, scope: text, isRejected: fc.boolean() }),
      async (values) => {
        Object.assign(state, values);
        const { heading } = await check(request);
        assert.match(heading, /^## scm-auth check: (success|failed at (Token|Signature and claims))$/);
      },
    ),
    { numRuns: 40 },
  );
});

test("omits the secret from the report when a server returns it as the key ID", async (t) => {
  for (const kid of [SECRET, Buffer.from(SECRET).toString("hex"), `${"x".repeat(200)}${SECRET}`]) {
    const jwks = { body: { keys: [{ ...signer.jwk, kid }] } };
    const { origin } = await startServer(t, { token: issue({}, { kid }), jwks });
    const { rows, log } = await check(toRequest(origin));
    assert.ok(!`${rows.get("Signature and claims")?.details ?? ""}${log}`.includes(SECRET.slice(0, 8)));
  }
});

test("writes no report when the check is aborted", async (t) => {
  const { origin } = await startServer(t, { token: { hang: true } });
  const runner = new RecordingRunner();
  const { error } = await check(toRequest(origin), { runner, signal: AbortSignal.timeout(100) });
  assert.equal(error?.code, "aborted");
  assert.deepEqual([runner.markdown, runner.log.includes("Check:")], [[], false]);
});

test("warns that there is no summary file, and logs the result instead", async (t) => {
  setVariables(t, { GITHUB_STEP_SUMMARY: undefined });
  const { origin } = await startServer(t);
  const runner = new RecordingRunner();
  runner.markdown = undefined;
  const { error, log } = await check(toRequest(origin), { runner });
  assert.equal(error, undefined);
  assert.match(log, /warning: .*job summary cannot be written.* The result \(success\) is in the log\./);
});
