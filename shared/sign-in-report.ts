import { isIP } from "node:net";
import type { AccessToken } from "./access-token.ts";
import type { Milliseconds } from "./clock.ts";
import { formatDuration } from "./duration.ts";
import { abortedError, AuthError, type AuthErrorCode } from "./errors.ts";
import type { AuthEvent, RequestName } from "./events.ts";
import { getProxy } from "./http/proxy.ts";
import type { RequestLimits } from "./http/request-context.ts";
import { decodeJwt, getScope, type JWTClaims } from "./jwt.ts";
import { sanitize } from "./redact.ts";
import { getTsgIds, parseScope } from "./scope.ts";
import { requestToken, type SignInContext } from "./sign-in.ts";
import { VERSION } from "./version.ts";

/** One row of the report. */
export interface Row {
  readonly name: string;
  /** The outcome of a step; undefined if the row is not a step. */
  readonly result?: "ok" | "FAILED" | "skipped" | "not run" | undefined;
  readonly durationMs?: Milliseconds | undefined;
  /** The redactor quotes text from servers and settings. */
  readonly details: string;
}

/** A short summary of a sign-in, and the outcome of each step. */
export interface SignInReport {
  readonly headline: string;
  readonly rows: readonly Row[];
}

/**
 * Signs in and describes each step.
 *
 * @returns the report, and the error from the sign-in if it failed
 */
export async function reportSignIn(
  context: SignInContext,
  limits: RequestLimits,
): Promise<{ readonly report: SignInReport; readonly error: AuthError | undefined }> {
  const signIn = await recordSignIn(context, limits);
  // Another failure is already being reported.
  if (limits.signal?.aborted) throw abortedError();
  return { report: createReport(signIn, context), error: signIn.error };
}

/** Signs in and returns everything that is known afterward. `received` is the token before verification. */
async function recordSignIn(context: SignInContext, limits: RequestLimits) {
  const events: AuthEvent[] = [];
  const tokens: string[] = [];
  const recording: SignInContext = {
    ...context,
    onEvent: (event) => {
      context.onEvent(event);
      events.push(event);
    },
    onToken: (token) => {
      context.onToken(token);
      tokens.push(token);
    },
  };
  const [result] = await Promise.allSettled([requestToken(recording, limits)]);
  const known = { events, received: tokens.at(-1) };
  if (result.status === "fulfilled") return { ...known, token: result.value, error: undefined };
  if (!AuthError.isAuthError(result.reason)) throw result.reason;
  return { ...known, token: undefined, error: result.reason };
}

type SignIn = Awaited<ReturnType<typeof recordSignIn>>;

function createReport(signIn: SignIn, context: SignInContext): SignInReport {
  const { events, received, token, error } = signIn;
  const { authRequest, verify } = context;
  const tokenEvents = getLastAttempt(events, "token");
  const jwksEvents = getLastAttempt(events, "jwks");
  const failed = error && findFailedRow(error, received);
  const rows: readonly Row[] = [
    ...connectionRows(authRequest.tokenUrl, tokenEvents),
    requestRow("Token", tokenEvents, received !== undefined),
    verify
      ? requestRow("Keys", jwksEvents, getResponse(jwksEvents)?.status === 200)
      : { name: "Keys", result: "skipped", details: "verify: false" },
    verificationRow(token, context),
    ...(error ? [{ name: "Hint", details: error.hint }] : []),
    { name: "Clock", details: describeClock((getResponse(tokenEvents) ?? getResponse(jwksEvents))?.clockOffsetMs) },
    { name: "Tenant requested", details: formatTenants(authRequest.tsgIds) },
    ...claimRows(token, received),
    { name: "Versions", details: describeVersions() },
  ];
  const toFailed = (row: Row): Row =>
    error && row.name === failed ? { ...row, result: "FAILED", details: `${error.code}: ${error.description}` } : row;
  return { headline: failed === undefined ? "success" : `failed at ${failed}`, rows: rows.map(toFailed) };
}

/** Returns the events of the last attempt of a request. */
function getLastAttempt(all: readonly AuthEvent[], name: RequestName): readonly AuthEvent[] {
  const events = all.filter((event) => "request" in event && event.request === name);
  return events.slice(events.findLastIndex(({ type }) => type === "request"));
}

const getResponse = (events: readonly AuthEvent[]) => events.find((event) => event.type === "response");

const VERIFICATION_ROW = "Signature and claims";
const ROW_NAMES = { dns: "DNS", tcp: "Connection", proxy: "Proxy", tls: "TLS" } as const;
type Step = keyof typeof ROW_NAMES;
const STEPS = Object.keys(ROW_NAMES) as readonly Step[];

const STEP_CODES: Readonly<Record<Step, readonly AuthErrorCode[]>> = {
  dns: ["host_not_found", "dns_lookup_failed"],
  tcp: ["connection_refused", "connect_timeout"],
  proxy: ["proxy_url_invalid", "proxy_auth_required", "proxy_refused", "proxy_unreachable"],
  tls: ["untrusted_certificate", "tls_handshake_failed"],
};

/**
 * Returns the name of the row that an error belongs to. If both requests fail, the error belongs to the token request.
 */
function findFailedRow({ kind, code }: AuthError, received: string | undefined): string {
  if (kind === "verification") return VERIFICATION_ROW;
  if (received !== undefined) return "Keys";
  const step = STEPS.find((name) => STEP_CODES[name].includes(code));
  return step === undefined ? "Token" : ROW_NAMES[step];
}

function connectionRows(url: URL, events: readonly AuthEvent[]): readonly Row[] {
  const connections = events.filter((event) => event.type === "connection");
  return STEPS.map((step) => {
    const name = ROW_NAMES[step];
    const event = connections.find((connection) => connection.step === step);
    if (event) return { name, result: "ok", durationMs: event.durationMs, details: event.detail };
    const reason = getSkipReason(step, url);
    return { name, result: reason === undefined ? "not run" : "skipped", details: reason ?? "" };
  });
}

/** Returns why a connection to `url` does not need a step, or undefined if it does. */
function getSkipReason(step: Step, url: URL): string | undefined {
  const proxy = getProxyUrl(url);
  const { hostname } = proxy ?? url;
  if (step === "dns" && isIP(hostname.replace(/^\[|\]$/g, "")) !== 0) return `${hostname} is an IP address`;
  if (step === "proxy" && proxy === undefined) return `no proxy configured for ${url.hostname}`;
  return step === "tls" && url.protocol === "http:" ? "http on loopback" : undefined;
}

function getProxyUrl(url: URL): URL | undefined {
  try {
    return getProxy(url)?.url;
  } catch {
    // The sign-in has already reported the invalid value.
    return undefined;
  }
}

function requestRow(name: string, events: readonly AuthEvent[], isComplete: boolean): Row {
  const request = events.find((event) => event.type === "request");
  const response = getResponse(events);
  const isRetry = response && request && request.attempt > 1;
  const details = joinDetails(
    response && `status ${response.status}`,
    isRetry && `attempt ${request.attempt} of ${request.maxAttempts}`,
    request?.url,
  );
  const result = isComplete ? "ok" : response ? "FAILED" : "not run";
  return { name, result, durationMs: response?.durationMs, details };
}

const joinDetails = (...details: readonly (string | false | undefined)[]): string => details.filter(Boolean).join(", ");

function verificationRow(token: AccessToken | undefined, { verify, redactor }: SignInContext): Row {
  const name = VERIFICATION_ROW;
  if (token === undefined) return { name, result: "not run", details: "" };
  const kid = token.signingKey?.kid;
  const verified = joinDetails("signature (RS256) and claims valid", kid && `key ID ${redactor.quote(kid)}`);
  return { name, result: "ok", details: verify ? verified : "signature not verified (verify: false); claims valid" };
}

/**
 * Clock differences up to this value are ignored, because the `Date` header is in whole seconds and the response takes
 * some time.
 */
const MAX_CLOCK_DIFFERENCE: Milliseconds = 2000;

function describeClock(offset: Milliseconds | undefined): string {
  if (offset === undefined) return "unknown: no Date header";
  if (Math.abs(offset) <= MAX_CLOCK_DIFFERENCE) return "in sync (± 2 s)";
  return `the server is ${formatDuration(Math.abs(offset))} ${offset < 0 ? "behind" : "ahead of"} this machine`;
}

type Claims = Pick<AccessToken, "scope" | "lifetime">;

/** Returns the rows for the tenant and lifetime in the token, even if it failed verification. */
function claimRows(token: AccessToken | undefined, received: string | undefined): readonly Row[] {
  const claims = token ?? readClaims(received);
  const suffix = token === undefined ? " (unverified)" : "";
  const unknown = `unknown: ${received === undefined ? "no token received" : "the token cannot be read"}`;
  const describe = (format: (claims: Claims) => string) => (claims ? format(claims) + suffix : unknown);
  const getTenants = ({ scope }: Claims) => formatTenants(getTsgIds(parseScope(scope)));
  const getLifetime = ({ lifetime }: Claims) => (lifetime === undefined ? "unknown" : formatDuration(lifetime));
  return [
    { name: "Tenant granted", details: describe(getTenants) },
    { name: "Lifetime", details: describe(getLifetime) },
  ];
}

const formatTenants = (tsgIds: readonly string[]): string => tsgIds.join(", ") || "none in scope";

function readClaims(token = ""): Claims | undefined {
  try {
    const claims = decodeJwt(token).payload as JWTClaims;
    const lifetime = (claims.exp - claims.iat) * 1000;
    return { scope: getScope(claims).join(" "), lifetime: Number.isFinite(lifetime) ? lifetime : undefined };
  } catch {
    return undefined;
  }
}

function describeVersions(): string {
  const join = (...names: readonly string[]): string =>
    names
      .map((name) => process.env[name]?.trim())
      .filter(Boolean)
      .join(" ");
  const runner = join("RUNNER_OS", "RUNNER_ARCH", "RUNNER_ENVIRONMENT");
  const image = join("ImageOS", "ImageVersion");
  return joinDetails(
    `scm-auth ${VERSION}`,
    `Node ${process.version} on ${process.platform} ${process.arch}`,
    runner && `runner ${runner}`,
    image && `image ${image}`,
  );
}

/** The maximum length of the details, because an error message may quote a long text from a server. */
const MAX_DETAILS = 600;

/** Formats the details of a row as one line without control characters. */
export const formatDetails = ({ details }: Row): string => sanitize(details, MAX_DETAILS);

/** Formats the report as log lines. */
export const toLines = (report: SignInReport): readonly string[] => [
  `Check: ${report.headline}.`,
  ...report.rows.map((row) => {
    const { name, result, durationMs } = row;
    const details = formatDetails(row);
    const outcome =
      result === undefined ? [] : [result + (durationMs === undefined ? "" : ` in ${toMs(durationMs)} ms`)];
    return [name, ...outcome, ...(details === "" ? [] : [details])].join(": ");
  }),
];

/** Formats a duration as a whole number of milliseconds. */
export const toMs = (duration: Milliseconds): string => String(Math.round(duration));
