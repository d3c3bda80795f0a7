import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { AuthError, type AuthErrorCode } from "../errors.ts";
import { HINTS } from "../hints.ts";
import { sanitize } from "../redact.ts";
import { isLoopback } from "./tls.ts";

/** The proxy for a URL and the variable that specifies it. */
export interface ProxySettings {
  readonly url: URL;
  /** Decoded; empty if the URL contains none. */
  readonly username: string;
  /** Decoded; empty if the URL contains none. */
  readonly password: string;
  /** `host:port`. */
  readonly host: string;
  /** The environment variable that specifies the proxy, for example `HTTPS_PROXY`. */
  readonly variable: string;
}

const HTTPS_VARIABLES = ["https_proxy", "HTTPS_PROXY"];
const HTTP_VARIABLES = ["http_proxy", "HTTP_PROXY"];
const NO_PROXY_VARIABLES = ["no_proxy", "NO_PROXY"];

const findVariable = (names: readonly string[]): string | undefined => names.find((name) => process.env[name]);

/** `host:port` of a URL. */
export const getHostPort = ({ protocol, hostname, port }: URL): string =>
  `${hostname}:${port || (protocol === "https:" ? "443" : "80")}`;

/** The name of a proxy in messages. */
export const getProxyName = ({ host, variable }: ProxySettings): string => `the proxy ${host} (from ${variable})`;

/**
 * The proxy for a URL according to `https_proxy` and `no_proxy`, in lowercase or uppercase. Plain HTTP URLs are
 * loopback URLs and never use a proxy.
 *
 * @throws AuthError with code `proxy_url_invalid`, so that an invalid value does not cause a direct connection
 */
export function getProxy(url: URL): ProxySettings | undefined {
  const variable = findVariable(HTTPS_VARIABLES);
  if (variable === undefined || !isProxied(url)) return undefined;
  const proxy = parseProxyUrl(process.env[variable] ?? "");
  if (proxy) return { ...proxy, host: getHostPort(proxy.url), variable };
  // The value is not shown, because it may contain a password.
  throw new AuthError(`${variable} is not a valid proxy URL.`, { kind: "config", code: "proxy_url_invalid" });
}

/** Names the proxy for a URL; undefined if there is none, or if its URL is invalid. */
export function describeProxy(url: URL): string | undefined {
  try {
    const proxy = getProxy(url);
    return proxy && getProxyName(proxy);
  } catch {
    return undefined;
  }
}

/** Parses a proxy URL. Without a scheme, it is an http URL, as for the Actions runner and curl. */
function parseProxyUrl(value: string): Pick<ProxySettings, "url" | "username" | "password"> | undefined {
  // URL parsers treat `\` as `/`, so the host in `CORP\user` would be CORP.
  if (/["'\\]/.test(value)) return undefined;
  try {
    const url = new URL(/^\s*(https?:|[\w+.-]+:\/\/)/i.test(value) ? value : `http://${value}`);
    if (!/^https?:$/.test(url.protocol)) return undefined;
    // These indicate an unencoded `/`, `?`, or `#` in a password.
    if (url.pathname.length > 1 || url.search !== "" || url.hash !== "") return undefined;
    return { url, username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
  } catch {
    return undefined;
  }
}

const isProxied = (url: URL): boolean =>
  url.protocol === "https:" && !isLoopback(url) && !getNoProxyEntries().some((entry) => matchesEntry(url, entry));

const getNoProxyEntries = (): readonly string[] =>
  (process.env[findVariable(NO_PROXY_VARIABLES) ?? ""] ?? "")
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean);

/** Whether an entry of `no_proxy` applies to a URL: all hosts, a host, or a domain, with or without a port. */
function matchesEntry(url: URL, entry: string): boolean {
  const name = entry.replace(/^\*\./, ".");
  const suffix = name.startsWith(".") ? name : `.${name}`;
  return entry === "*" || [url.hostname, getHostPort(url)].some((host) => host === name || host.endsWith(suffix));
}

/** `*`, or the name of a host or domain or an address, with or without a port. */
const NO_PROXY_ENTRY = /^(\*|((\*?\.)?[\w-]+(\.[\w-]+)*|\[[\da-f:.]+\])(:\d+)?)$/;
/** A range of addresses, or an IPv6 address without brackets. Neither applies to a host name. */
const ADDRESS_RANGE = /^[\da-f:.]+(\/\d+)?$/;

/** Names the entries of `no_proxy` that are not understood; undefined if there are none or `url` uses no proxy. */
export function describeIgnoredEntries(url: URL): string | undefined {
  if (findVariable(HTTPS_VARIABLES) === undefined || !isProxied(url)) return undefined;
  const isName = isIP(url.hostname.replace(/[[\]]/g, "")) === 0;
  const ignored = getNoProxyEntries().filter(
    (entry) => !NO_PROXY_ENTRY.test(entry) && !(isName && ADDRESS_RANGE.test(entry)),
  );
  if (ignored.length === 0) return undefined;
  // An entry may be a URL with a password.
  const shown = sanitize(ignored.map((entry) => entry.replace(/^.*@/, "")).join(", "), 100);
  const variable = findVariable(NO_PROXY_VARIABLES) ?? "";
  return `${variable} contains entries that are ignored: ${shown}. Use host names or domains, separated by commas.`;
}

/** Returns the hint for a failed connection. It names the proxy variable that may be the cause, if there is one. */
export function getConnectionHint(code: AuthErrorCode, url: URL): string {
  const reason = explainVariables(url);
  return reason === undefined ? HINTS[code] : `${reason} Otherwise: ${HINTS[code]}`;
}

function explainVariables(url: URL): string | undefined {
  if (url.protocol !== "https:" || isLoopback(url)) return undefined;
  const variable = findVariable(HTTPS_VARIABLES);
  if (variable !== undefined && !isProxied(url))
    return `${findVariable(NO_PROXY_VARIABLES) ?? ""} excludes ${url.hostname} from the proxy in ${variable}. Change it if this host needs the proxy.`;
  if (variable !== undefined) return describeIgnoredEntries(url);
  const unused = findVariable([...HTTP_VARIABLES, "all_proxy", "ALL_PROXY"]);
  if (unused === undefined || !isProxied(url)) return undefined;
  return `${unused} is set, but it is not used for https URLs. Set https_proxy if this host needs a proxy.`;
}

/** Minimum length of a masked password. Masking every occurrence of a shorter one would make logs unreadable. */
const MIN_PASSWORD_LENGTH = 4;

/** The passwords to mask from the proxy variables: as written, even if the URL is invalid, and as sent. */
export function getProxyPasswords(env: Readonly<NodeJS.ProcessEnv>): readonly string[] {
  const passwords = [...HTTPS_VARIABLES, ...HTTP_VARIABLES].flatMap((name) => {
    const value = env[name] ?? "";
    // The password ends at the last `@`, as in URL parsers.
    const [, raw = ""] = /^["'\s]*(?:\w+:\/\/)?[^/@:]*:(?!\/\/)(.*)@/s.exec(value) ?? [];
    return [raw, parseProxyUrl(value)?.password ?? ""];
  });
  return [...new Set(passwords)].filter((password) => password.length >= MIN_PASSWORD_LENGTH);
}

/** The headers of a CONNECT request (RFC 9110 section 9.3.6). */
export function getConnectHeaders(
  target: URL,
  { username, password }: ProxySettings,
): Readonly<Record<string, string>> {
  const host = getHostPort(target);
  if (username === "" && password === "") return { host };
  const credentials = Buffer.from(`${username}:${password}`).toString("base64");
  return { host, "proxy-authorization": `Basic ${credentials}` };
}

const TRANSIENT_REFUSAL_HINT =
  "The proxy could not connect to the host, or it is overloaded. Run again. If the problem persists, check the proxy, or add the host to no_proxy.";

/** The error for a response to CONNECT; undefined if the tunnel is open (a 2xx response without content). */
export function getTunnelError(
  { statusCode: status = 0, headers }: IncomingMessage,
  head: Buffer,
  target: URL,
  proxy: ProxySettings,
): AuthError | undefined {
  if (status >= 200 && status < 300 && head.length === 0) return undefined;
  if (status === 407) return proxyAuthError(headers["proxy-authenticate"] ?? "", target, proxy);
  const detail = `status ${status}${status >= 200 && status < 300 ? " with content" : ""}`;
  const isTransient = status >= 500 || status === 429 || status === 408;
  return new AuthError(`${getProxyName(proxy)} refused the tunnel to ${getHostPort(target)} (${detail}).`, {
    kind: isTransient ? "network" : "rejected",
    code: "proxy_refused",
    status,
    requestSent: false,
    hint: isTransient ? TRANSIENT_REFUSAL_HINT : getConnectionHint("proxy_refused", target),
  });
}

function proxyAuthError(authenticate: string, target: URL, proxy: ProxySettings): AuthError {
  const schemes = authenticate.match(/\b(basic|negotiate|ntlm|kerberos|digest|bearer)\b/gi) ?? [];
  const needsOther = schemes.length > 0 && !/\bbasic\b/i.test(authenticate);
  const reason = needsOther
    ? `requires authentication by ${[...new Set(schemes)].join(" or ")}`
    : proxy.username === "" && proxy.password === ""
      ? "requires a user and password"
      : "rejected the user and password";
  const hint = `Only Basic authentication is supported. Run a local forwarder for the other schemes, for example Cntlm or Px, and set ${proxy.variable} to it.`;
  return new AuthError(`${getProxyName(proxy)} ${reason} (407).`, {
    ...{ kind: "network", code: "proxy_auth_required", status: 407, requestSent: false },
    hint: needsOther ? hint : getConnectionHint("proxy_auth_required", target),
  });
}
