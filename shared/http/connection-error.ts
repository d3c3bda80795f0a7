import type { Milliseconds } from "../clock.ts";
import { formatDuration } from "../duration.ts";
import { AuthError, getErrorCode, type AuthErrorCode, type AuthErrorOptions } from "../errors.ts";
import { HINTS } from "../hints.ts";
import type { Phase, Progress } from "./connection.ts";
import { getHostPort, getUnusedProxyVariable, type ProxySettings } from "./proxy.ts";

/** The server of a request, and the proxy on the way. */
export interface Target {
  readonly url: URL;
  readonly proxy: ProxySettings | undefined;
}

/** Verification of the server's certificate failed. Codes with ERR_SSL are alerts that the server sent. */
const CERTIFICATE_CODE = /^(?!ERR_SSL).*CERT|^UNABLE_TO_|SELF_SIGNED|^INVALID_(CA|PURPOSE)|^PATH_LENGTH/;
const VALIDITY_CODE = /^CERT_(NOT_YET_VALID|HAS_EXPIRED)/;

/** Codes of errors while connecting. All others are rejections by a firewall or a router, for example EHOSTUNREACH. */
const TCP_CODES: Readonly<Record<string, AuthErrorCode>> = {
  ECONNRESET: "connection_lost",
  ETIMEDOUT: "connect_timeout",
};

const getProxyName = ({ host, variable }: ProxySettings): string => `the proxy ${host} (from ${variable})`;

/** What works when TLS does not. */
const getTransport = ({ url, proxy }: Target): string =>
  proxy
    ? `the proxy ${proxy.host} opened a tunnel to ${getHostPort(url)}`
    : `the TCP connection to ${getHostPort(url)} works`;

/** The attempt did not end in time. */
export function timeoutError({ phase, isSent }: Progress, target: Target, timeout: Milliseconds): AuthError {
  const host = getHostPort(target.url);
  const limit = `within ${formatDuration(timeout)}`;
  const fail = (description: string, code: AuthErrorCode): AuthError =>
    new AuthError(description, { kind: "timeout", code, requestSent: isSent, hint: getHint(code, phase, target) });
  if (target.proxy && (phase === "dns" || phase === "tcp"))
    return fail(`could not connect to ${getProxyName(target.proxy)} ${limit}.`, "proxy_unreachable");
  switch (phase) {
    case "dns":
      return fail(`the DNS lookup for ${target.url.hostname} did not complete ${limit}.`, "dns_lookup_failed");
    case "tcp":
      return fail(`could not connect to ${host} ${limit}.`, "connect_timeout");
    case "proxy": {
      const name = target.proxy ? getProxyName(target.proxy) : "the proxy";
      return fail(`${name} accepted the connection but opened no tunnel to ${host} ${limit}.`, "proxy_unreachable");
    }
    case "tls":
      return fail(`${getTransport(target)}, but the TLS handshake did not complete ${limit}.`, "tls_handshake_failed");
    case "waiting":
      return fail(`${host} accepted the connection but did not respond ${limit}.`, "response_timeout");
    case "reading":
      return fail(`the response from ${host} was incomplete after ${formatDuration(timeout)}.`, "response_truncated");
  }
}

/**
 * The meaning of an error of Node in a phase of an attempt.
 *
 * @throws `error` itself if it is not an error of the system or the network but a bug
 */
export function connectionError(error: unknown, { phase, isSent, issuer }: Progress, target: Target): AuthError {
  if (AuthError.isAuthError(error)) return error;
  const errorCode = getErrorCode(error);
  if (errorCode === undefined || error instanceof TypeError) throw error;
  const host = getHostPort(target.url);
  const fail = (description: string, code: AuthErrorCode, options: Partial<AuthErrorOptions> = {}): AuthError =>
    new AuthError(description, {
      kind: "network",
      code,
      requestSent: isSent,
      cause: error,
      hint: getHint(code, phase, target),
      ...options,
    });
  const isCertificate = CERTIFICATE_CODE.test(errorCode);
  if (isCertificate && (phase === "tls" || phase === "proxy")) {
    const name = phase === "proxy" && target.proxy ? getProxyName(target.proxy) : host;
    const hint = "No secret was sent. Check this machine's clock first, then the certificate of the server.";
    return fail(
      `the certificate of ${name} is not trusted (${errorCode}${issuer === undefined ? "" : `, issued by ${issuer}`}).`,
      "untrusted_certificate",
      VALIDITY_CODE.test(errorCode) ? { hint } : {},
    );
  }
  if (target.proxy && (phase === "dns" || phase === "tcp" || phase === "proxy")) {
    const name = getProxyName(target.proxy);
    return errorCode === "ENOTFOUND"
      ? fail(`could not find the host of ${name}: ${errorCode}.`, "host_not_found", { hint: HINTS.proxy_unreachable })
      : fail(`could not connect to ${name}: ${errorCode}.`, "proxy_unreachable");
  }
  switch (phase) {
    case "dns":
      return errorCode === "ENOTFOUND"
        ? fail(`host not found: ${target.url.hostname} (${errorCode}).`, "host_not_found")
        : fail(`the DNS lookup for ${target.url.hostname} failed (${errorCode}).`, "dns_lookup_failed");
    case "tcp":
      return errorCode === "ECONNREFUSED"
        ? fail(`${host} refused the connection (${errorCode}).`, "connection_refused")
        : fail(`could not connect to ${host} (${errorCode}).`, TCP_CODES[errorCode] ?? "connection_refused");
    case "proxy":
    case "tls":
      return fail(`${getTransport(target)}, but the TLS handshake failed (${errorCode}).`, "tls_handshake_failed");
    case "waiting":
      return errorCode.startsWith("HPE_")
        ? fail(`${host} did not send a valid HTTP response (${errorCode}).`, "connection_lost")
        : fail(`the connection to ${host} was lost before a response arrived (${errorCode}).`, "connection_lost");
    case "reading":
      return fail(`the response from ${host} was truncated.`, "response_truncated");
  }
}

/** The hint of the code; without a connection, a proxy variable that does not apply may be the reason. */
function getHint(code: AuthErrorCode, phase: Phase, { url, proxy }: Target): string | undefined {
  const variable = !proxy && (phase === "dns" || phase === "tcp") ? getUnusedProxyVariable(url) : undefined;
  if (variable === undefined) return undefined;
  return `${variable} is set, but it is not used for https URLs: set https_proxy. Otherwise: ${HINTS[code]}`;
}
