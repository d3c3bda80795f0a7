import { checkBypass, getProxyUrl } from "@actions/http-client/lib/proxy";
import { AuthError, errorCode } from "../report/errors.ts";

/**
 * The proxy that the usual variables (`https_proxy`, `http_proxy`, `no_proxy`, in either case) name for `url`.
 * A value that is no URL is an error here: the HTTP client would silently go without a proxy.
 */
export function proxyFor(url: URL): URL | undefined {
  const name = url.protocol === "https:" ? "https_proxy" : "http_proxy";
  if (checkBypass(url) || !(process.env[name] || process.env[name.toUpperCase()])) return undefined;
  try {
    const proxy = getProxyUrl(url);
    if (proxy && /^https?:$/.test(proxy.protocol) && proxy.hostname) return proxy;
  } catch {
    // Told below, without the value: it may hold a password.
  }
  throw new AuthError(`the variable ${name} holds no proxy URL.`, { kind: "config", code: "proxy_invalid" });
}

/** In characters. A shorter one, hidden wherever it stands, would black out the log. */
const SHORTEST_PASSWORD = 4;

/** The passwords that the proxy variables hold, as written and as sent. Those too short to be hidden are left out. */
export function proxyPasswords(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const passwords = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"].flatMap((name) => {
    // Without a scheme, too; a scheme's own colon begins no password.
    const [, written = ""] = /^(?:\w+:\/\/)?[^/@]*?:(?!\/\/)([^@]*)@/.exec(env[name] ?? "") ?? [];
    return [written, decoded(written)];
  });
  return [...new Set(passwords)].filter((password) => password.length >= SHORTEST_PASSWORD);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What the tunnel to a proxy reports, all under the one code ECONNRESET, told apart. */
export function proxyFailure(error: unknown, host: string): AuthError | undefined {
  const message = error instanceof Error ? error.message : "";
  if (!/^tunneling socket|^got illegal response body from proxy/.test(message)) return undefined;
  const status = Number(/statusCode=(\d{3})/.exec(message)?.[1] ?? 0);
  if (status !== 0) return proxyAnswered(status, host, error);
  if (/certificate|self[- ]signed/i.test(message)) return proxyUntrusted(error);
  const reason = /cause=.*?\b(E[A-Z_]{3,})\b/.exec(message)?.[1] ?? errorCode(error) ?? "no connection";
  return proxyUnreachable(reason, error);
}

/** A proxy's answer to CONNECT other than a 2xx (RFC 9110 section 9.3.6). */
export function proxyAnswered(status: number, host: string, cause?: unknown): AuthError {
  if (status === 407) {
    return new AuthError("the proxy wants a user and a password, or refuses those given (407).", {
      kind: "network",
      code: "proxy_auth_required",
      status,
      requestSent: false,
      cause,
    });
  }
  const passing = status >= 500 || status === 429 || status === 408;
  return new AuthError(`the proxy answered ${status} instead of connecting to ${host}.`, {
    kind: passing ? "network" : "rejected",
    code: "proxy_refused",
    status,
    requestSent: false,
    cause,
  });
}

/** A proxy that is itself reached by TLS, with a certificate that nobody vouches for. */
export const proxyUntrusted = (cause: unknown): AuthError =>
  new AuthError("the certificate of the proxy is not trusted.", {
    kind: "network",
    code: "untrusted_certificate",
    requestSent: false,
    cause,
  });

/** No tunnel, and no answer that says why. */
export const proxyUnreachable = (reason: string, cause?: unknown): AuthError =>
  new AuthError(`the proxy can't be reached (${reason}).`, {
    kind: "network",
    code: "proxy_unreachable",
    requestSent: false,
    cause,
  });
