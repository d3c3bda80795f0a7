import type { AuthErrorCauses } from "./cause.ts";

/** The causes of errors before there is a token: settings, connections, and responses. */

export const CONFIGURATION = {
  invalid_config: {
    kind: "config",
    message: "<name> is required.",
    cause:
      "An input, option, variable, or argument is missing or invalid. All problems are reported at once. Nothing was sent.",
    more: "If the message says that `client-secret` is required although the workflow passes it, GitHub passed an empty value. The secret does not exist under this name, it belongs to an environment that the job does not use, or a fork or Dependabot started the run.",
  },
  client_secret_unavailable: {
    kind: "config",
    message: "the function that returns the client secret failed.",
    cause: "A program passed a function as `clientSecret`. It threw an error, or did not return in time.",
  },
  not_signed_in: {
    kind: "config",
    message: "not signed in: no token has been requested yet.",
    cause: "A program called `decodeToken()` before the client requested a token.",
  },
} satisfies AuthErrorCauses;

export const NETWORK = {
  host_not_found: {
    kind: "network",
    message: "token request: host not found: <host> (<error>).",
    cause:
      "The name server says that this host does not exist. The host in `token-url` or in a proxy variable is misspelled, or the machine uses a name server that does not know it.",
    more: "Run `nslookup <host>` on the same machine. In a closed network, only the proxy may be able to resolve the name: set `https_proxy` ([proxies](network.md#proxies)).",
  },
  dns_lookup_failed: {
    kind: "network",
    message: "token request: the DNS lookup for <host> failed (<error>).",
    cause: "The name server did not answer in time, or answered with an error.",
    more: "Run `nslookup <host>` on the same machine ([DNS](network.md#dns-and-addresses)).",
  },
  connection_refused: {
    kind: "network",
    message: "token request: <host:port> refused the connection (<error>).",
    cause:
      "The host or a firewall answered that no connection is possible. `ECONNREFUSED` means that the port is closed, and `EHOSTUNREACH` or `ENETUNREACH` that there is no route to the host.",
    more: "[network.md](network.md#hosts-and-ports) lists the hosts and ports.",
  },
  connect_timeout: {
    kind: "timeout",
    message: "token request: could not connect to <host:port> within <time>.",
    cause: "No answer arrived from the host. Most firewalls drop packets that they do not allow.",
    more: "[network.md](network.md#hosts-and-ports) lists the hosts and ports. If the network has a proxy, set `https_proxy`.",
  },
  connection_lost: {
    kind: "network",
    message: "token request: the connection to <host:port> was lost before a response arrived (<error>).",
    cause: "The connection was open, and something closed it before the server responded.",
  },
  response_timeout: {
    kind: "timeout",
    message: "token request: <host:port> accepted the connection but did not respond within <time>.",
    cause: "The server was reached, but it sent no response to any attempt.",
    more: "[retries.md](retries.md#what-to-set) says which settings help with many jobs, and [sealed-token.md](sealed-token.md) how jobs share one sign-in.",
  },
  response_truncated: {
    kind: "network",
    message: "token request: the response from <host:port> was truncated.",
    cause: "The response started, but the connection was closed before it was complete.",
  },
} satisfies AuthErrorCauses;

export const PROXY = {
  proxy_url_invalid: {
    kind: "config",
    message: "<variable> is not a valid proxy URL.",
    cause:
      "The value of the variable cannot be used. It may contain quotes, a path, a backslash, or a password with a `/`, `?`, or `#` that is not percent-encoded. The value is not shown, because it may contain a password.",
    more: "`@` becomes `%40`, and the `\\` in `CORP\\user` becomes `%5C` ([proxies](network.md#proxies)).",
  },
  proxy_auth_required: {
    kind: "network",
    message: "token request: the proxy <host:port> (from <variable>) requires a user and password (407).",
    cause: "The proxy responded with status 407. The user and password are missing or wrong.",
    more: "Only Basic authentication is supported. For Negotiate or NTLM, run a local forwarder such as Cntlm or Px.",
  },
  proxy_refused: {
    kind: "rejected",
    message:
      "token request: the proxy <host:port> (from <variable>) refused the tunnel to <host:port> (status <status>).",
    cause:
      "The proxy was reached, but does not open a connection to this host. Status 403 means that its rules forbid it.",
  },
  proxy_unreachable: {
    kind: "network",
    message: "token request: could not connect to the proxy <host:port> (from <variable>): <error>.",
    cause: "The proxy did not accept the connection, or did not respond as a proxy.",
    more: "Most proxies need `http://` in the variable, also for https targets.",
  },
} satisfies AuthErrorCauses;

export const TLS = {
  untrusted_certificate: {
    kind: "network",
    message: "token request: the certificate of <host:port> is not trusted (<reason>, issued by <issuer>).",
    cause:
      "No trusted CA signed the certificate, it has expired, or it belongs to another host. If the issuer is your company, a proxy inspects TLS.",
    more: "The library also takes the certificate as `ca` ([private CAs](network.md#tls-and-private-cas)). Verification cannot be turned off.",
  },
  tls_handshake_failed: {
    kind: "network",
    message: "token request: the TCP connection to <host:port> works, but the TLS handshake failed (<error>).",
    cause: "The connection was open, but no TLS connection could be agreed on.",
    more: "[network.md](network.md#tcp-connects-but-tls-does-not) describes the test.",
  },
} satisfies AuthErrorCauses;

export const RESPONSE = {
  rate_limited: {
    kind: "rate_limited",
    message: "the token request failed with status 429.",
    cause:
      "The server responded with status 429 to every attempt. It accepts about ten token requests at a time per tenant.",
    more: "[sealed-token.md](sealed-token.md) says how jobs share one sign-in.",
  },
  server_error: {
    kind: "server",
    message: "the token request failed with status <status>.",
    cause:
      "The server responded with status 408, 500, 502, 503, or 504 to every attempt, or with the OAuth error `server_error` or `temporarily_unavailable`.",
    more: "The status page is <https://status.paloaltonetworks.com>.",
  },
  unexpected_redirect: {
    kind: "rejected",
    message: "the token request failed with status <status> (redirect to <URL>).",
    cause: "The server responded with a redirect (a 3xx status).",
  },
  http_error: {
    kind: "rejected",
    message: "the token request failed with status <status>.",
    cause:
      "The server responded with a status that is not retried, and without an OAuth error. With status 404, the path of the URL is probably wrong.",
  },
  html_response: {
    kind: "protocol",
    message: "the token request returned an HTML page.",
    cause: "The response has status 200, but it is a page for people, such as a login page or a block page.",
  },
  invalid_json: {
    kind: "protocol",
    message: "the token request did not return JSON.",
    cause: "The response has status 200, but its body is neither JSON nor HTML.",
  },
  response_too_large: {
    kind: "protocol",
    message: "token request: the response exceeds <size> KiB.",
    cause: "A response was larger than the limit. The limit for an API response is the option `maxResponseBytes`.",
  },
  invalid_token_response: {
    kind: "protocol",
    message: "invalid token response: <reason>.",
    cause: "The response is JSON, but one of its members is missing or malformed. The message names it.",
  },
  invalid_jwks: {
    kind: "protocol",
    message: "the JWKS contains no RSA key for verifying signatures.",
    cause:
      "The response from the JWKS URL contains no key with which a token could be verified (RSA, 2048 bits or more).",
  },
} satisfies AuthErrorCauses;
