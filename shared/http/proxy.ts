import type { IncomingMessage } from "node:http";
import { checkBypass, getProxyUrl } from "@actions/http-client/lib/proxy";
import { AuthError } from "../errors.ts";

/** The proxy for a URL and the variable that specifies it. */
export interface ProxySettings {
  /** `username` and `password` are decoded, unlike in other URL objects. */
  readonly url: URL;
  /** `host:port`. */
  readonly host: string;
  /** The environment variable that specifies the proxy, for example `HTTPS_PROXY`. */
  readonly variable: string;
}

const HTTPS_VARIABLES = ["https_proxy", "HTTPS_PROXY"];
const HTTP_VARIABLES = ["http_proxy", "HTTP_PROXY"];

const findVariable = (names: readonly string[]): string | undefined => names.find((name) => process.env[name]);

/** `host:port` of a URL. */
export const getHostPort = ({ protocol, hostname, port }: URL): string =>
  `${hostname}:${port || (protocol === "https:" ? "443" : "80")}`;

/**
 * The proxy for a URL according to `https_proxy` and `no_proxy`, in lowercase or uppercase. Plain HTTP URLs are
 * loopback URLs and never use a proxy.
 *
 * @throws AuthError with code `proxy_url_invalid` if the HTTP client would ignore the proxy and connect directly
 */
export function getProxy(url: URL): ProxySettings | undefined {
  const variable = findVariable(HTTPS_VARIABLES);
  if (url.protocol !== "https:" || variable === undefined || isBypassed(url)) return undefined;
  const proxy = parseProxyUrl(url, process.env[variable] ?? "");
  if (proxy) return { url: proxy, host: getHostPort(proxy), variable };
  // The value is not shown, because it may contain a password.
  throw new AuthError(`${variable} is not a valid proxy URL.`, { kind: "config", code: "proxy_url_invalid" });
}

function parseProxyUrl(target: URL, value: string): URL | undefined {
  // URL parsers treat `\` as `/`, so the host in `CORP\user` would be CORP.
  if (/["'\\]/.test(value)) return undefined;
  try {
    const proxy = getProxyUrl(target);
    if (!proxy || !/^https?:$/.test(proxy.protocol) || proxy.hostname === "") return undefined;
    // These indicate an unencoded `/`, `?`, or `#` in a password.
    return proxy.pathname.length > 1 || proxy.search !== "" || proxy.hash !== "" ? undefined : proxy;
  } catch {
    return undefined;
  }
}

/**
 * Whether `no_proxy` excludes the URL, as interpreted by the HTTP client. In addition, `*.example.com` means
 * `.example.com`.
 */
function isBypassed(url: URL): boolean {
  if (checkBypass(url)) return true;
  const noProxy = process.env[findVariable(["no_proxy", "NO_PROXY"]) ?? ""] ?? "";
  return noProxy
    .toLowerCase()
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry.startsWith("*."))
    .some((entry) => url.hostname.endsWith(entry.slice(1)) || getHostPort(url).endsWith(entry.slice(1)));
}

/** The proxy variable that is set but does not apply to https URLs; undefined if another variable applies. */
export function getUnusedProxyVariable(url: URL): string | undefined {
  if (url.protocol !== "https:" || findVariable(HTTPS_VARIABLES) !== undefined || isBypassed(url)) return undefined;
  return findVariable([...HTTP_VARIABLES, "all_proxy", "ALL_PROXY"]);
}

/** Minimum length of a masked password. Masking every occurrence of a shorter one would make logs unreadable. */
const MIN_PASSWORD_LENGTH = 4;

/** The passwords to mask from the proxy variables, both as written and decoded, even if a URL is invalid. */
export function getProxyPasswords(env: Readonly<NodeJS.ProcessEnv>): readonly string[] {
  const passwords = [...HTTPS_VARIABLES, ...HTTP_VARIABLES].flatMap((name) => {
    // The password ends at the last `@`, as in URL parsers.
    const [, raw = ""] = /^["'\s]*(?:\w+:\/\/)?[^/@:]*:(?!\/\/)(.*)@/.exec(env[name] ?? "") ?? [];
    return [raw, tryDecode(raw)];
  });
  return [...new Set(passwords)].filter((password) => password.length >= MIN_PASSWORD_LENGTH);
}

function tryDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The headers of a CONNECT request (RFC 9110 section 9.3.6). */
export function getConnectHeaders(target: URL, { url }: ProxySettings): Readonly<Record<string, string>> {
  const host = getHostPort(target);
  if (url.username === "" && url.password === "") return { host };
  const credentials = Buffer.from(`${url.username}:${url.password}`).toString("base64");
  return { host, "proxy-authorization": `Basic ${credentials}` };
}

/** The error for a response to CONNECT; undefined if the tunnel is open (a 2xx response without content). */
export function getTunnelError(
  { statusCode: status = 0, headers }: IncomingMessage,
  head: Buffer,
  target: URL,
  proxy: ProxySettings,
): AuthError | undefined {
  if (status >= 200 && status < 300 && head.length === 0) return undefined;
  if (status === 407) return proxyAuthError(headers["proxy-authenticate"] ?? "", proxy);
  const detail = `status ${status}${status >= 200 && status < 300 ? " with content" : ""}`;
  const isTransient = status >= 500 || status === 429 || status === 408;
  return new AuthError(`the proxy ${proxy.host} refused the tunnel to ${getHostPort(target)} (${detail}).`, {
    kind: isTransient ? "network" : "rejected",
    code: "proxy_refused",
    status,
    requestSent: false,
  });
}

function proxyAuthError(authenticate: string, { host, variable }: ProxySettings): AuthError {
  const schemes = authenticate.match(/\b(basic|negotiate|ntlm|kerberos|digest|bearer)\b/gi) ?? [];
  const needsOther = schemes.length > 0 && !/\bbasic\b/i.test(authenticate);
  const reason = needsOther
    ? `requires authentication by ${[...new Set(schemes)].join(" or ")}`
    : "requires authentication, or rejected the user and password";
  const hint = `Only Basic authentication is supported. Run a local forwarder for the other schemes, for example Cntlm or Px, and set ${variable} to it.`;
  return new AuthError(`the proxy ${host} (from ${variable}) ${reason} (407).`, {
    ...{ kind: "network", code: "proxy_auth_required", status: 407, requestSent: false },
    hint: needsOther ? hint : undefined,
  });
}
