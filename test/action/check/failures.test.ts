import assert from "node:assert/strict";
import { createServer, type AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";

import type { CheckPart } from "../../../action/check/run-check.ts";
import { STEPS, type StepName } from "../../../action/check/diagnosis.ts";
import { AuthError, AuthRequest, type AuthErrorCode } from "../../../shared/index.ts";
import { makeCertificates } from "../../support/certificate.ts";
import { startChaosProxy, type Faults } from "../../support/chaos-proxy.ts";
import { check, type CheckRun } from "../../support/check-stage.ts";
import {
  CLIENT_ID,
  makeMovedClock,
  minted,
  scm,
  scripted,
  SECRET,
  signer,
  tls,
  TSG_ID,
  type Scripts,
} from "../../support/client-stage.ts";
import { startConnectProxy, type ConnectProxyOptions } from "../../support/connect-proxy.ts";
import { TOKEN_PATH } from "../../support/scm-provider.ts";
import type { Script } from "../../support/scripted-server.ts";
import { startSilentPort } from "../../support/silent-port.ts";
import { honestClaims, makeSigner } from "../../support/tokens.ts";
import { setVariables } from "../../support/variables.ts";

/** What a test prepares: whom to ask, and how. */
interface Set {
  readonly request: AuthRequest;
  readonly part?: Partial<Omit<CheckPart, "runner" | "request">>;
}

interface Case {
  readonly name: string;
  readonly at: StepName;
  readonly code: AuthErrorCode;
  readonly set: (t: TestContext) => Promise<Set> | Set;
  /** What the row of the step that failed says. */
  readonly found?: RegExp;
  /** Other rows, and what they say. */
  readonly rows?: Readonly<Record<string, RegExp>>;
}

const SHORT = { verify: true, policy: { maxRetries: 0, backoff: 0, spreadOverload: false }, timeout: 1 };

const requestTo = (origin: string, ca?: string): AuthRequest =>
  AuthRequest.parse({ clientId: CLIENT_ID, clientSecret: SECRET, tokenUrl: origin + TOKEN_PATH, ca });

/** A name server that knows one answer. */
const nameServer = (code: string | undefined): Pick<CheckPart, "lookup"> => ({
  lookup: (host, done) => {
    if (code !== undefined)
      process.nextTick(done, Object.assign(new Error(`getaddrinfo ${code} ${host}`), { code }), []);
  },
});

const atHost = (origin: string, part: Set["part"]) => (): Set => ({
  request: requestTo(origin),
  ...(part && { part }),
});

/** A server over TLS whose replies go wrong. */
const broken =
  (faults: Faults) =>
  async (t: TestContext): Promise<Set> => {
    const { server } = await scm(t);
    const proxy = await startChaosProxy(server.port, faults);
    t.after(proxy.close);
    return { request: requestTo(`https://127.0.0.1:${proxy.port}`, server.ca), part: { options: SHORT } };
  };

const names: readonly Case[] = [
  {
    name: "a host that nobody knows",
    at: "DNS",
    code: "unknown_host",
    set: atHost("https://unknown.invalid", nameServer("ENOTFOUND")),
    found: /^unknown\.invalid, unknown_host$/,
  },
  {
    name: "a name server that has no time",
    at: "DNS",
    code: "dns_unavailable",
    set: atHost("https://busy.invalid", nameServer("EAI_AGAIN")),
  },
  {
    name: "a name server that says nothing",
    at: "DNS",
    code: "dns_unavailable",
    set: atHost("https://busy.invalid", { ...nameServer(undefined), options: SHORT }),
  },
];

const connections: readonly Case[] = [
  { name: "a port that refuses", at: "TCP", code: "connection_refused", set: atHost("http://127.0.0.1:1", {}) },
  {
    name: "a port that drops what comes",
    at: "TCP",
    code: "connect_timeout",
    set: async (t) => ({
      request: requestTo(`https://127.0.0.1:${await startSilentPort(t)}`),
      part: { options: SHORT },
    }),
    rows: { "Reason (TCP)": /no connection to 127\.0\.0\.1:\d+ within 1 s/ },
  },
  {
    name: "a port that is silent to a handshake",
    at: "TLS",
    code: "connect_timeout",
    set: broken({ silentAfter: 0 }),
    rows: { "Reason (TLS)": /did not answer the TLS handshake within [\d.]+ s/, "What to do (TLS)": /firewall/ },
  },
  {
    name: "a connection that breaks in the handshake",
    at: "TLS",
    code: "connection_failed",
    set: broken({ resetAfter: 20 }),
  },
  {
    name: "a server that does not speak TLS",
    at: "TLS",
    code: "tls_failed",
    set: async (t) => {
      const { server } = await scripted(t, minted(), { plain: true });
      return { request: requestTo(server.origin.replace("http:", "https:")) };
    },
  },
  {
    name: "a certificate that nobody vouches for",
    at: "TLS",
    code: "untrusted_certificate",
    set: async (t) => {
      const { server } = await scm(t);
      return { request: requestTo(server.origin) };
    },
    found:
      /^TLSv1\.3, certificate issued by scm-auth test authority \w+, good until \d{4}-\d\d-\d\d, untrusted_certificate$/,
    rows: { "What to do (TLS)": /give its CA certificate \(ca-cert, .*never turn verification off/ },
  },
  {
    name: "a certificate that has ended",
    at: "TLS",
    code: "untrusted_certificate",
    set: async (t) => {
      const { server } = await scm(t, { tls: await makeCertificates(undefined, -60_000) });
      return { request: requestTo(server.origin, server.ca) };
    },
    rows: { "Reason (TLS)": /CERT_HAS_EXPIRED/, "What to do (TLS)": /clock/ },
  },
  {
    name: "a certificate for another host",
    at: "TLS",
    code: "untrusted_certificate",
    set: async (t) => {
      const { server } = await scm(t, { tls: await makeCertificates(["other.test"]) });
      return { request: requestTo(server.origin, server.ca) };
    },
    rows: { "Reason (TLS)": /ERR_TLS_CERT_ALTNAME_INVALID/ },
  },
];

/** A proxy in front of a server that goes by a name which it alone knows. */
const behind =
  (options: Partial<ConnectProxyOptions>, { ca = true, user = "" } = {}) =>
  async (t: TestContext): Promise<Set> => {
    const { server } = await scm(t);
    const proxy = await startConnectProxy({ to: server.port, ...options });
    t.after(proxy.close);
    setVariables(t, { https_proxy: proxy.url.replace("//", `//${user}`), no_proxy: undefined, NO_PROXY: undefined });
    return { request: requestTo("https://auth.scm.test", ca ? server.ca : undefined), part: { options: SHORT } };
  };

const proxyNamed =
  (https_proxy: string, part: Set["part"] = {}) =>
  (t: TestContext): Set => {
    setVariables(t, { https_proxy, no_proxy: undefined, NO_PROXY: undefined });
    return { request: requestTo("https://auth.scm.test"), part };
  };

const PASSWORD = "sesame-9f27c1aa";

const proxies: readonly Case[] = [
  {
    name: "a proxy whose name is unknown",
    at: "DNS",
    code: "proxy_unreachable",
    set: proxyNamed("http://unknown.invalid:3128", nameServer("ENOTFOUND")),
    rows: { "Reason (DNS)": /the proxy can't be reached \(ENOTFOUND\)/ },
  },
  {
    name: "a proxy that is not there",
    at: "TCP",
    code: "proxy_unreachable",
    set: proxyNamed("http://127.0.0.1:1"),
    rows: { "Reason (TCP)": /ECONNREFUSED/ },
  },
  {
    name: "a proxy variable that is no URL",
    at: "proxy",
    code: "proxy_invalid",
    set: proxyNamed("socks5://127.0.0.1:1080"),
    rows: { DNS: /^$/ },
  },
  {
    name: "a proxy that wants a password",
    at: "proxy",
    code: "proxy_auth_required",
    set: behind({ credentials: "bob:another-one" }, { user: `bob:${PASSWORD}@` }),
    found: /^127\.0\.0\.1:\d+, proxy_auth_required$/,
    rows: { "Reason (proxy)": /\(407\)/, TCP: /^port \d+ of the proxy over IPv4$/ },
  },
  {
    name: "a proxy that lets nobody through",
    at: "proxy",
    code: "proxy_refused",
    set: behind({ answer: 403 }),
    rows: { "Reason (proxy)": /answered 403 instead of connecting to auth\.scm\.test/ },
  },
  { name: "a proxy that says nothing", at: "proxy", code: "proxy_unreachable", set: behind({ answer: "hang" }) },
  {
    name: "a proxy that nobody vouches for",
    at: "proxy",
    code: "untrusted_certificate",
    set: async (t) => behind({ tls: await makeCertificates() })(t),
    rows: { "Reason (proxy)": /the certificate of the proxy is not trusted/ },
  },
  {
    name: "a server behind a proxy that nobody vouches for",
    at: "TLS",
    code: "untrusted_certificate",
    set: behind({}, { ca: false }),
    rows: { proxy: /^127\.0\.0\.1:\d+ opens a tunnel to auth\.scm\.test:443$/ },
  },
];

const answered =
  (token: Script, scripts: Scripts = {}, part: Set["part"] = {}) =>
  async (t: TestContext): Promise<Set> => ({ ...(await scripted(t, token, { plain: true, ...scripts })), part });

const claims = (change: object = {}) => ({ ...honestClaims({ clientId: CLIENT_ID, tsgId: TSG_ID }), ...change });
const stranger = await makeSigner();

const requests: readonly Case[] = [
  {
    name: "a secret that is wrong",
    at: "token",
    code: "invalid_client",
    set: answered({ status: 401, body: { error: "invalid_client", error_description: "no|such `client`" } }),
    found: /^status 401, invalid_client$/,
    rows: {
      "Reason (token)": /no¦such ´client´/,
      "What to do (token)": /client id or the secret is wrong/,
      keys: /status 200, 1 RSA key/,
      Clock: /agree/,
      "Names of claims": /no token came/,
    },
  },
  {
    name: "too many requests",
    at: "token",
    code: "rate_limited",
    set: answered({ status: 429 }),
    found: /^status 429,/,
  },
  {
    name: "a server that is down",
    at: "token",
    code: "server_error",
    set: answered({ status: 503 }, {}, { options: { ...SHORT, policy: { ...SHORT.policy, maxRetries: 2 } } }),
    found: /^status 503 \(try 3\), server_error$/,
  },
  {
    name: "a web page in place of a token",
    at: "token",
    code: "html_page",
    set: answered({ headers: { "content-type": "text/html" }, body: "<html><h1>Sign in to Wi-Fi</h1>" }),
  },
  { name: "a redirect", at: "token", code: "redirected", set: answered({ status: 302, headers: { location: "/" } }) },
  { name: "no answer", at: "token", code: "no_answer", set: answered({ hang: true }, {}, { options: SHORT }) },
  { name: "an answer of another shape", at: "token", code: "bad_token_answer", set: answered({ body: { token: 1 } }) },
  {
    name: "keys that are not there",
    at: "keys",
    code: "http_rejected",
    set: answered(minted(), { keys: { status: 404 } }),
    found: /^status 404, http_rejected$/,
    rows: { token: /status 200, a JWT/, "Tenant granted": /^1234567890 \(so the token says, which is not proved\)$/ },
  },
  {
    name: "a key set without keys",
    at: "keys",
    code: "bad_key_set",
    set: answered(minted(), { keys: { body: { keys: [] } } }),
  },
];

const proofs: readonly Case[] = [
  {
    name: "keys of another server",
    at: "verify",
    code: "unknown_key",
    set: answered(minted(), { keys: { body: { keys: [stranger.jwk] } } }),
    rows: { "Key id": /^[0-9a-f/]+=$/ },
  },
  {
    name: "a key of that name that did not sign",
    at: "verify",
    code: "bad_signature",
    set: answered(minted(), { keys: { body: { keys: [{ ...stranger.jwk, kid: signer.kid }] } } }),
  },
  {
    name: "a token for another client",
    at: "verify",
    code: "wrong_audience",
    set: answered(minted({ access_token: signer.sign(claims({ aud: "another-client" })) })),
  },
  {
    name: "a token for another tenant",
    at: "verify",
    code: "wrong_tenant",
    set: answered(minted({ access_token: signer.sign(claims({ scope: ["tsg_id:4711", "profile"] })) })),
    rows: { "Tenant asked": /^1234567890$/, "Tenant granted": /^4711 \(so the token says/ },
  },
  {
    name: "a token that is opaque",
    at: "verify",
    code: "opaque_token",
    set: answered(minted({ access_token: "an-opaque-token-of-some-length" })),
    rows: { token: /an opaque token/, "Names of claims": /none that can be read/ },
  },
  {
    name: "a token that has ended",
    at: "verify",
    code: "token_expired",
    set: answered(minted({ access_token: signer.sign(claims({ iat: 1, nbf: 1, exp: 2 })) })),
  },
  {
    name: "a clock that is wrong",
    at: "verify",
    code: "clock_skew",
    set: answered(minted(), {}, { clock: fast() }),
    rows: { Clock: /^the server is (2 h|1 h 59 min) behind this machine$/, "What to do (verify)": /NTP/ },
  },
];

/** Two hours ahead of the machine's. */
function fast(): NonNullable<CheckPart["clock"]> {
  const { clock, moved } = makeMovedClock();
  moved.wall = 7_200_000;
  return clock;
}

/** The steps that need the one that failed. */
const AFTER: Readonly<Record<StepName, readonly StepName[]>> = {
  DNS: ["TCP", "TLS", "token", "keys", "verify"],
  TCP: ["TLS", "token", "keys", "verify"],
  proxy: ["TLS", "token", "keys", "verify"],
  TLS: ["token", "keys", "verify"],
  token: ["verify"],
  keys: ["verify"],
  verify: [],
};

for (const { name, at, code, set, found = /./, rows = {} } of [
  ...names,
  ...connections,
  ...proxies,
  ...requests,
  ...proofs,
]) {
  test(`${name}: told at ${at}, with the reason and what to do`, async (t) => {
    const { request, part } = await set(t);
    const run = await check(t, request, part);
    assertFailure(run, at, code);
    const { rows: told } = run.summary;
    assert.match(told.get(at)?.found ?? "", found);
    for (const [row, text] of Object.entries(rows)) assert.match(told.get(row)?.found ?? "no such row", text, row);
    assert.ok(!run.markdown.includes(PASSWORD) && !run.log.includes(PASSWORD));
  });
}

function assertFailure({ summary, log, error }: CheckRun, at: StepName, code: AuthErrorCode): void {
  assert.ok(AuthError.isAuthError(error), String(error));
  assert.equal(error.code, code);
  assert.equal(summary.heading, `scm-auth check: failed at ${at}`);
  assert.match(log, new RegExp(`Check: failed at ${at}\\.`));
  const failed = [...summary.rows].filter(([, { result }]) => result === "FAILED").map(([row]) => row);
  assert.deepEqual(failed, [at]);
  for (const step of STEPS) assert.ok(summary.rows.has(step), step);
  for (const step of AFTER[at]) assert.equal(summary.rows.get(step)?.result, "not reached", step);
  assert.match(summary.rows.get(at)?.bar ?? "", /█/);
  assert.match(summary.rows.get(at)?.found ?? "", new RegExp(`${code}$`));
  assert.ok((summary.rows.get(`Reason (${at})`)?.found ?? "").length > 20);
  assert.ok((summary.rows.get(`What to do (${at})`)?.found ?? "").length > 20);
}

test("when both requests fail, both are told, and the step ends with what the token request came to", async (t) => {
  const { request } = await scripted(
    t,
    { status: 401, body: { error: "invalid_client" } },
    { plain: true, keys: { status: 404, delayMs: 100 } },
  );
  const { summary, error } = await check(t, request);
  assert.ok(AuthError.isAuthError(error));
  assert.equal(error.code, "invalid_client");
  assert.equal(summary.heading, "scm-auth check: failed at token");
  assert.deepEqual([summary.rows.get("token")?.result, summary.rows.get("keys")?.result], ["FAILED", "FAILED"]);
  for (const row of ["Reason (token)", "What to do (token)", "Reason (keys)", "What to do (keys)"])
    assert.ok(summary.rows.has(row), row);
  assert.match(summary.rows.get("Reason (keys)")?.found ?? "", /status 404/);
});

test("the way is tried without a request: a server that is not trusted gets neither a byte of HTTP nor the secret", async (t) => {
  const heard: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on("data", (bytes) => heard.push(bytes));
    socket.on("error", () => socket.destroy());
    setTimeout(() => socket.destroy(), 100);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  await check(t, requestTo(`https://127.0.0.1:${port}`, tls.ca), { options: SHORT });
  const text = Buffer.concat(heard).toString("latin1");
  assert.ok(text.length > 0);
  assert.doesNotMatch(text, /HTTP|POST|GET|3f0d8ab2/);
});
