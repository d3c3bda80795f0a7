import type { Milliseconds } from "../clock.ts";
import { formatDuration } from "../duration.ts";
import { AuthError, getErrorCode, type AuthErrorCode } from "../errors.ts";
import { HINTS } from "../hints.ts";
import { UPGRADE_CODE, type Phase, type Progress } from "./connection.ts";
import { getConnectionHint, getHostPort, getProxyName, type ProxySettings } from "./proxy.ts";

/** The server of a request and the proxy through which it is reached. */
export interface Target {
  readonly url: URL;
  readonly proxy: ProxySettings | undefined;
}

const CLOCK_HINT = "No secret was sent. Check this machine's clock first, then the server's certificate.";

/**
 * Error codes for a failed verification of the server's certificate. Codes that start with ERR_SSL are alerts sent by
 * the server.
 */
const CERTIFICATE_CODE = /^(?!ERR_SSL).*CERT|^UNABLE_TO_|SELF_SIGNED|^INVALID_(CA|PURPOSE)|^PATH_LENGTH|^UNSPECIFIED$/;

/** Hints for certificates that no additional CA certificate would make valid. */
const CERTIFICATE_HINTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: CLOCK_HINT,
  CERT_NOT_YET_VALID: CLOCK_HINT,
  UNSPECIFIED:
    "No secret was sent. Another CA certificate does not help: the server, or the proxy that inspects TLS, needs another certificate.",
  ERR_TLS_CERT_ALTNAME_INVALID:
    "No secret was sent. The certificate belongs to another host. Check the host name, and whether DNS or a firewall redirects the connection.",
};

const INVALID_RESPONSE_HINT =
  "Check the host and the port in the URL, and whether a proxy or a firewall responds instead of the server.";

/**
 * Meanings of error codes while connecting. Any other code, for example EHOSTUNREACH, means that a firewall or a router
 * rejected the connection.
 */
const TCP_CODES: Readonly<Record<string, AuthErrorCode>> = {
  ECONNRESET: "connection_lost",
  ETIMEDOUT: "connect_timeout",
};

/** Codes for a failed TLS handshake with the server, or with the proxy. */
const TLS_CODES = { tls: "tls_handshake_failed", "proxy-tls": "proxy_unreachable" } as const;

/** Describes what works when TLS does not. */
const getTransport = ({ url, proxy }: Target, phase: Phase): string => {
  if (proxy && phase !== "proxy-tls") return `the proxy ${proxy.host} opened a tunnel to ${getHostPort(url)}`;
  return `the TCP connection to ${proxy ? getProxyName(proxy) : getHostPort(url)} works`;
};

/** Creates the error for an attempt that did not complete in time. */
export function timeoutError({ phase, isSent }: Progress, target: Target, timeout: Milliseconds): AuthError {
  const host = getHostPort(target.url);
  const proxy = target.proxy ? getProxyName(target.proxy) : "the proxy";
  const limit = `within ${formatDuration(timeout)}`;
  const fail = (description: string, code: AuthErrorCode): AuthError =>
    new AuthError(description, { kind: "timeout", code, requestSent: isSent, hint: getHint(code, phase, target) });
  if (target.proxy && (phase === "dns" || phase === "tcp"))
    return fail(`could not connect to ${proxy} ${limit}.`, "proxy_unreachable");
  switch (phase) {
    case "dns":
      return fail(`the DNS lookup for ${target.url.hostname} did not complete ${limit}.`, "dns_lookup_failed");
    case "tcp":
      return fail(`could not connect to ${host} ${limit}.`, "connect_timeout");
    case "proxy":
      return fail(
        `${proxy} accepted the connection but did not open a tunnel to ${host} ${limit}.`,
        "proxy_unreachable",
      );
    case "proxy-tls":
    case "tls":
      return fail(`${getTransport(target, phase)}, but the TLS handshake did not complete ${limit}.`, TLS_CODES[phase]);
    case "waiting":
      return fail(`${host} accepted the connection but did not respond ${limit}.`, "response_timeout");
    case "reading":
      return fail(`the response from ${host} was incomplete after ${formatDuration(timeout)}.`, "response_truncated");
  }
}

/**
 * Converts an error thrown by Node in a phase of an attempt.
 *
 * @throws `error` itself if it is a bug rather than a system or network error
 */
export function connectionError(error: unknown, { phase, isSent, issuer }: Progress, target: Target): AuthError {
  if (AuthError.isAuthError(error)) return error;
  const errno = getErrorCode(error);
  if (errno === undefined || error instanceof TypeError) throw error;
  const host = getHostPort(target.url);
  const proxy = target.proxy ? getProxyName(target.proxy) : "the proxy";
  const fail = (description: string, code: AuthErrorCode, hint = getHint(code, phase, target)): AuthError =>
    new AuthError(description, { kind: "network", code, requestSent: isSent, cause: error, hint });
  if (CERTIFICATE_CODE.test(errno) && (phase === "tls" || phase === "proxy-tls")) {
    // Node has no code for some reasons, for example a weak key or a violated name constraint, but OpenSSL's text.
    const reason = errno === "UNSPECIFIED" && error instanceof Error ? error.message : errno;
    const detail = issuer === undefined ? reason : `${reason}, issued by ${issuer}`;
    const description = `the certificate of ${phase === "proxy-tls" ? proxy : host} is not trusted (${detail}).`;
    return fail(description, "untrusted_certificate", CERTIFICATE_HINTS[errno]);
  }
  if (target.proxy && (phase === "dns" || phase === "tcp"))
    return errno === "ENOTFOUND"
      ? fail(
          `could not find the host of ${proxy}: ${errno}.`,
          "host_not_found",
          getHint("proxy_unreachable", phase, target),
        )
      : fail(`could not connect to ${proxy}: ${errno}.`, "proxy_unreachable");
  // The error codes of Node's HTTP parser.
  const isInvalid = errno.startsWith("HPE_");
  switch (phase) {
    case "dns":
      return errno === "ENOTFOUND"
        ? fail(`host not found: ${target.url.hostname} (${errno}).`, "host_not_found")
        : fail(`the DNS lookup for ${target.url.hostname} failed (${errno}).`, "dns_lookup_failed");
    case "tcp":
      return errno === "ECONNREFUSED"
        ? fail(`${host} refused the connection (${errno}).`, "connection_refused")
        : fail(`could not connect to ${host} (${errno}).`, TCP_CODES[errno] ?? "connection_refused");
    case "proxy":
      return isInvalid
        ? fail(`${proxy} did not send a valid HTTP response (${errno}).`, "proxy_unreachable")
        : fail(`${proxy} closed the connection without opening a tunnel to ${host} (${errno}).`, "proxy_unreachable");
    case "proxy-tls":
    case "tls":
      return fail(`${getTransport(target, phase)}, but the TLS handshake failed (${errno}).`, TLS_CODES[phase]);
    case "waiting": {
      if (errno === UPGRADE_CODE)
        return fail(
          `${host} responded with status 101 (Switching Protocols), which was not requested.`,
          "connection_lost",
        );
      return isInvalid
        ? fail(`${host} did not send a valid HTTP response (${errno}).`, "connection_lost", INVALID_RESPONSE_HINT)
        : fail(`the connection to ${host} was lost before a response arrived (${errno}).`, "connection_lost");
    }
    case "reading":
      return fail(`the response from ${host} was truncated.`, "response_truncated");
  }
}

/**
 * The hint to show instead of the default, or undefined. Before TLS, proxy variables may be the cause; in TLS with the
 * proxy, the scheme in the variable.
 */
function getHint(code: AuthErrorCode, phase: Phase, { url, proxy }: Target): string | undefined {
  if (proxy && phase === "proxy-tls" && code === "proxy_unreachable")
    return `Most proxies need http:// in ${proxy.variable}, not https://. ${HINTS.tls_handshake_failed}`;
  return phase === "dns" || phase === "tcp" || phase === "proxy" ? getConnectionHint(code, url) : undefined;
}
