import { isIP } from "node:net";
import type { AccessToken } from "../shared/access-token.ts";
import type { AuthRequest } from "../shared/auth-request.ts";
import type { Milliseconds } from "../shared/clock.ts";
import { formatDuration } from "../shared/duration.ts";
import { abortedError, AuthError, type AuthErrorCode } from "../shared/errors.ts";
import type { AuthEvent, RequestName } from "../shared/events.ts";
import { getProxy } from "../shared/http/proxy.ts";
import type { RequestLimits } from "../shared/http/request-context.ts";
import { decodeJwt } from "../shared/jwt.ts";
import type { Redactor } from "../shared/redact.ts";
import { getTsgIds, parseScope } from "../shared/scope.ts";
import { createSignInContext, requestToken } from "../shared/sign-in.ts";
import { VERSION } from "../shared/version.ts";
import { getHeadline, toLines, toMarkdown, type CheckReport, type Row } from "./check-summary.ts";
import type { Inputs } from "./inputs.ts";
import { logEvent } from "./log.ts";
import type { Runner } from "./runner.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** What a check needs. */
export interface CheckContext {
  readonly runner: Runner;
  readonly inputs: Pick<Inputs, "authRequest" | "verify" | "policy">;
  readonly limits: RequestLimits;
  /** With the variables of the runner. */
  readonly env: Env;
}

/**
 * Signs in and reports each step to the log and the job summary. It sets no outputs.
 *
 * @throws AuthError of the sign-in, after the report
 */
export async function runCheck({ runner, inputs, limits, env }: CheckContext): Promise<void> {
  const events: AuthEvent[] = [];
  const received: string[] = [];
  const context = createSignInContext(inputs.authRequest, {
    verify: inputs.verify,
    policy: inputs.policy,
    redactor: runner.redactor,
    onToken: (token) => {
      runner.mask(token);
      received.push(token);
    },
    onEvent: (event) => {
      logEvent(runner, event);
      events.push(event);
    },
  });
  const result = await attempt(() => requestToken(context, limits));
  // Another failure is being reported.
  if (limits.signal?.aborted) throw abortedError();

  const { authRequest, verify } = inputs;
  const { quote } = runner.redactor;
  const report = createReport({ authRequest, verify, events, received: received.at(-1), quote, ...result }, env);
  await runner.flush();
  for (const line of toLines(report)) runner.info(line);
  try {
    runner.summary(toMarkdown(report));
  } catch (error) {
    if (!AuthError.isAuthError(error)) throw error;
    runner.warning(`${error.message} The result (${getHeadline(report)}) is in the log.`);
  }
  if (result.error !== undefined) throw result.error;
}

interface SignInResult {
  readonly token?: AccessToken;
  readonly error?: AuthError;
}

async function attempt(request: () => Promise<AccessToken>): Promise<SignInResult> {
  try {
    return { token: await request() };
  } catch (error) {
    if (AuthError.isAuthError(error)) return { error };
    throw error;
  }
}

/** What is known after a sign-in. */
interface SignIn extends SignInResult {
  readonly authRequest: AuthRequest;
  readonly verify: boolean;
  readonly events: readonly AuthEvent[];
  /** The token as it was received, before it was verified; undefined if there was none. */
  readonly received: string | undefined;
  readonly quote: Redactor["quote"];
}

/** The error, and the name of its row. */
interface Failure {
  readonly row: string;
  readonly error: AuthError;
}

function createReport(signIn: SignIn, env: Env): CheckReport {
  const { error, authRequest, verify, received } = signIn;
  const token = getLastAttempt(signIn.events, "token");
  const jwks = getLastAttempt(signIn.events, "jwks");
  const failure = error && { row: findFailedRow(error, received), error };
  const rows: readonly Row[] = [
    ...connectionRows(authRequest.tokenUrl, token, failure),
    requestRow("Token", token, received !== undefined, failure),
    verify
      ? requestRow("Keys", jwks, jwks.response?.status === 200, failure)
      : { name: "Keys", result: "skipped", details: "verify: false" },
    verificationRow(signIn, failure),
    ...(error ? [{ name: "Hint", details: error.hint }] : []),
    { name: "Clock", details: describeClock(token.response?.clockOffsetMs ?? jwks.response?.clockOffsetMs) },
    ...tokenRows(signIn),
    { name: "Versions", details: describeVersions(env) },
  ];
  return { failed: failure?.row, rows };
}

const STEPS = ["dns", "tcp", "proxy", "tls"] as const;
type Step = (typeof STEPS)[number];

const ROW_NAMES: Readonly<Record<Step, string>> = { dns: "DNS", tcp: "Connection", proxy: "Proxy", tls: "TLS" };
const VERIFICATION_ROW = "Signature and claims";

/** The events of the last attempt of a request. */
interface Attempt {
  readonly request: Extract<AuthEvent, { type: "request" }> | undefined;
  readonly steps: ReadonlyMap<Step, Extract<AuthEvent, { type: "connection" }>>;
  readonly response: Extract<AuthEvent, { type: "response" }> | undefined;
}

function getLastAttempt(all: readonly AuthEvent[], name: RequestName): Attempt {
  const events = all.filter((event) => "request" in event && event.request === name);
  const last = events.slice(events.findLastIndex(({ type }) => type === "request"));
  return {
    request: last.find((event) => event.type === "request"),
    steps: new Map(last.flatMap((event) => (event.type === "connection" ? [[event.step, event] as const] : []))),
    response: last.find((event) => event.type === "response"),
  };
}

/** The steps that a connection to `url` needs. */
function getNeededSteps(url: URL): readonly Step[] {
  const proxy = getProxyUrl(url);
  const isAddress = isIP((proxy ?? url).hostname.replace(/^\[|\]$/g, "")) !== 0;
  const isNeeded: Readonly<Record<Step, boolean>> = {
    dns: !isAddress,
    tcp: true,
    proxy: proxy !== undefined,
    tls: url.protocol === "https:",
  };
  return STEPS.filter((step) => isNeeded[step]);
}

function getProxyUrl(url: URL): URL | undefined {
  try {
    return getProxy(url)?.url;
  } catch {
    // The sign-in has reported the invalid value.
    return undefined;
  }
}

const STEPS_BY_CODE: Readonly<Partial<Record<AuthErrorCode, Step>>> = {
  host_not_found: "dns",
  dns_lookup_failed: "dns",
  connection_refused: "tcp",
  connect_timeout: "tcp",
  proxy_url_invalid: "proxy",
  proxy_auth_required: "proxy",
  proxy_refused: "proxy",
  proxy_unreachable: "proxy",
  untrusted_certificate: "tls",
  tls_handshake_failed: "tls",
};

/** The row that an error belongs to. When both requests fail, the error is the token request's. */
function findFailedRow({ kind, code }: AuthError, received: string | undefined): string {
  if (kind === "verification") return VERIFICATION_ROW;
  if (received !== undefined) return "Keys";
  const step = STEPS_BY_CODE[code];
  return step === undefined ? "Token" : ROW_NAMES[step];
}

const toFailedRow = (failure: Failure, durationMs?: Milliseconds): Row => ({
  name: failure.row,
  result: "FAILED",
  durationMs,
  details: `${failure.error.code}: ${failure.error.description}`,
});

function connectionRows(url: URL, { steps }: Attempt, failure: Failure | undefined): readonly Row[] {
  const needed = getNeededSteps(url);
  return STEPS.map((step) => {
    const name = ROW_NAMES[step];
    if (failure?.row === name) return toFailedRow(failure);
    const { durationMs, detail = "" } = steps.get(step) ?? {};
    if (steps.has(step)) return { name, result: "ok", durationMs, details: detail };
    if (needed.includes(step)) return { name, result: "not run", details: "" };
    return { name, result: "skipped", details: describeSkipped(step, url) };
  });
}

const joinDetails = (...details: readonly (string | undefined)[]): string =>
  details.filter((detail) => detail !== undefined && detail !== "").join(", ");

function describeSkipped(step: Step, url: URL): string {
  if (step === "proxy") return `no proxy configured for ${url.hostname}`;
  return step === "tls" ? "http on loopback" : `${(getProxyUrl(url) ?? url).hostname} is an IP address`;
}

function requestRow(
  name: string,
  { request, response }: Attempt,
  isComplete: boolean,
  failure: Failure | undefined,
): Row {
  if (failure?.row === name) return toFailedRow(failure, response?.durationMs);
  const status = response && `status ${response.status}`;
  const attempt =
    response && request && request.attempt > 1 ? `attempt ${request.attempt} of ${request.maxAttempts}` : "";
  const result = isComplete ? "ok" : response ? "FAILED" : "not run";
  return { name, result, durationMs: response?.durationMs, details: joinDetails(status, attempt, request?.url) };
}

function verificationRow({ token, verify, quote }: SignIn, failure: Failure | undefined): Row {
  const name = VERIFICATION_ROW;
  if (failure?.row === name) return toFailedRow(failure);
  if (token === undefined) return { name, result: "not run", details: "" };
  const kid = token.signingKey?.kid;
  const valid = joinDetails("signature (RS256) and claims valid", kid && `key ID ${quote(kid)}`);
  return { name, result: "ok", details: verify ? valid : "signature not verified (verify: false); claims valid" };
}

/** The `Date` header has whole seconds, and the response takes some time: a smaller difference is none. */
const MAX_CLOCK_DIFFERENCE: Milliseconds = 2000;

function describeClock(offset: Milliseconds | undefined): string {
  if (offset === undefined) return "unknown: no Date header";
  if (Math.abs(offset) <= MAX_CLOCK_DIFFERENCE) return "in sync (± 2 s)";
  return `the server is ${formatDuration(Math.abs(offset))} ${offset < 0 ? "behind" : "ahead of"} this machine`;
}

/** What the token says about tenant and lifetime, also if it failed verification. */
function tokenRows({ authRequest, token, received }: SignIn): readonly Row[] {
  const claims = token ?? readClaims(received);
  const suffix = token === undefined && claims ? " (unverified)" : "";
  const unknown = received === undefined ? "unknown: no token received" : "unknown: the token cannot be read";
  const granted = claims && formatTenants(getTsgIds(parseScope(claims.scope)));
  const lifetime = claims && (claims.lifetime === undefined ? "unknown" : formatDuration(claims.lifetime));
  return [
    { name: "Tenant requested", details: formatTenants(authRequest.tsgIds) },
    { name: "Tenant granted", details: granted === undefined ? unknown : granted + suffix },
    { name: "Lifetime", details: lifetime === undefined ? unknown : lifetime + suffix },
  ];
}

const formatTenants = (tsgIds: readonly string[]): string => tsgIds.join(", ") || "none in scope";

interface Claims {
  /** Separated by spaces. */
  readonly scope: string;
  readonly lifetime: Milliseconds | undefined;
}

function readClaims(token: string | undefined): Claims | undefined {
  try {
    const { payload } = decodeJwt(token ?? "");
    const { scope, exp, iat } = Object(payload) as Readonly<Record<string, unknown>>;
    const lifetime = (Number(exp) - Number(iat)) * 1000;
    return {
      scope: Array.isArray(scope) ? scope.join(" ") : typeof scope === "string" ? scope : "",
      lifetime: Number.isFinite(lifetime) ? lifetime : undefined,
    };
  } catch {
    return undefined;
  }
}

function describeVersions(env: Env): string {
  const runner = joinVariables(env, ["RUNNER_OS", "RUNNER_ARCH", "RUNNER_ENVIRONMENT"]);
  const image = joinVariables(env, ["ImageOS", "ImageVersion"]);
  return joinDetails(
    `scm-auth ${VERSION}`,
    `Node ${process.version} on ${process.platform} ${process.arch}`,
    runner && `runner ${runner}`,
    image && `image ${image}`,
  );
}

const joinVariables = (env: Env, names: readonly string[]): string =>
  names
    .flatMap((name) => env[name]?.trim() ?? [])
    .join(" ")
    .trim();
