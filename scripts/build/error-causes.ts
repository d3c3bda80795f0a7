import type { ApiErrorGroup } from "../../shared/api-error.ts";
import type { AuthErrorCode, AuthErrorKind } from "../../shared/errors.ts";

/**
 * The texts of docs/troubleshooting.md that no program shows. The hints are in shared/hints.ts. A message shows values
 * that vary in angle brackets; a test finds its other words in the sources.
 */

export interface ErrorCause {
  /** The usual description, without its prefix. */
  readonly message: string;
  /** When the error occurs, in Markdown. */
  readonly cause: string;
  /** What else to do if the hint is not enough, in Markdown. */
  readonly more?: string;
}

interface AuthErrorCause extends ErrorCause {
  readonly kind: AuthErrorKind;
  /** Set for an OAuth error response. */
  readonly oauthError?: string;
}

/** A section of the page. */
export interface ErrorSection {
  readonly title: string;
  readonly text: string;
  readonly errors: Readonly<Record<string, AuthErrorCause>>;
}

const CONFIGURATION = {
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
} satisfies ErrorSection["errors"];

const NETWORK = {
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
} satisfies ErrorSection["errors"];

const PROXY = {
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
} satisfies ErrorSection["errors"];

const TLS = {
  untrusted_certificate: {
    kind: "network",
    message: "token request: the certificate of <host:port> is not trusted (<reason>, issued by <issuer>).",
    cause:
      "No trusted CA signed the certificate, it has expired, or it belongs to another host. If the issuer is your company, a proxy inspects TLS.",
    more: "The command takes the certificate as `--ca-cert`, and the library as `ca` ([private CAs](network.md#tls-and-private-cas)). Verification cannot be turned off.",
  },
  tls_handshake_failed: {
    kind: "network",
    message: "token request: the TCP connection to <host:port> works, but the TLS handshake failed (<error>).",
    cause: "The connection was open, but no TLS connection could be agreed on.",
    more: "[network.md](network.md#tcp-connects-but-tls-does-not) describes the test.",
  },
} satisfies ErrorSection["errors"];

const RESPONSE = {
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
} satisfies ErrorSection["errors"];

const rejected = (error: string): string => `token request rejected (status <status>): ${error}: <description>.`;

const REJECTION = {
  invalid_client: {
    kind: "rejected",
    oauthError: "invalid_client",
    message: "token request rejected (status <status>): invalid_client: <description> (client ID <client ID>).",
    cause: "The auth server does not accept this client ID with this secret.",
    more: "Compare the client ID in the message with the one in Strata Cloud Manager. SCM shows a secret only once: if it was not stored, create a new one there.",
  },
  invalid_scope: {
    kind: "rejected",
    oauthError: "invalid_scope",
    message: "token request rejected (status <status>): invalid_scope: <description> (requested <scope>).",
    cause: "The client ID and the secret are correct, but the account cannot get a token for this tenant.",
  },
  unauthorized_client: {
    kind: "rejected",
    oauthError: "unauthorized_client",
    message: rejected("unauthorized_client"),
    cause: "The server knows the client, but the client is not a service account.",
  },
  access_denied: {
    kind: "rejected",
    oauthError: "access_denied",
    message: rejected("access_denied"),
    cause: "The server knows the client, but denies it a token.",
  },
  oauth_error: {
    kind: "rejected",
    oauthError: "invalid_request",
    message: rejected("<error>"),
    cause:
      "The server rejected the token request with an OAuth error that is not listed above. The message contains the error.",
  },
} satisfies ErrorSection["errors"];

const VERIFICATION = {
  opaque_token: {
    kind: "verification",
    message: "the access token is opaque (not a JWT).",
    cause: "SCM issues JWTs, which consist of three parts. This token does not.",
  },
  malformed_token: {
    kind: "verification",
    message: "the token is not a compact JWS.",
    cause: "The token looks like a JWT, but its header or its payload cannot be decoded.",
  },
  algorithm_not_allowed: {
    kind: "verification",
    message: "the token is not signed with RS256.",
    cause: "The header of the token names another algorithm.",
  },
  signing_key_not_found: {
    kind: "verification",
    message: "no key in the JWKS matches the token's key ID (kid).",
    cause:
      "The keys from the JWKS URL do not include the one that signed the token. They were requested again several times within about seven seconds.",
  },
  invalid_signature: {
    kind: "verification",
    message: "the token's signature could not be verified with the JWKS.",
    cause: "The key was found, but the signature does not match the token.",
  },
  missing_claim: {
    kind: "verification",
    message: "the <name> claim is missing.",
    cause: "The token does not contain a claim that SCM's tokens have: `aud`, `exp`, or `iat`.",
  },
  invalid_claim: {
    kind: "verification",
    message: "the <name> claim is invalid.",
    cause: "A claim of the token has a value that is not allowed, for example a date in milliseconds.",
  },
  audience_mismatch: {
    kind: "verification",
    message: "the aud claim does not contain the client ID.",
    cause: "The token is for another service account than the one that is configured.",
  },
  issuer_mismatch: {
    kind: "verification",
    message: "the iss claim is not the expected issuer.",
    cause:
      "The library or Pulumi was told which issuer to expect, and the token has another one. SCM's issuer contains a port: `https://auth.apps.paloaltonetworks.com:443/am/oauth2`.",
  },
  tenant_mismatch: {
    kind: "verification",
    message: "the token's scope does not grant tenant <TSG ID>.",
    cause:
      "The auth server issued a token, but not for the requested tenant. SCM does this if the account has no role there.",
  },
  token_expired: {
    kind: "verification",
    message: "the token expired <time> ago (exp).",
    cause: "The token's expiration time has passed according to this machine's clock.",
  },
  token_not_yet_valid: {
    kind: "verification",
    message: "the token does not become valid until <time> from now (iat, nbf).",
    cause: "The token was issued more than 30 seconds in the future according to this machine's clock.",
  },
  clock_skew: {
    kind: "verification",
    message: "this machine's clock is <time> behind the server's (clock skew).",
    cause: "The token is valid according to the server's clock, but not according to this machine's clock.",
    more: "[network.md](network.md#clock-skew) describes how to compare the clocks.",
  },
  token_lifetime_unknown: {
    kind: "protocol",
    message: "the token's lifetime is unknown, so it cannot be stored in an auth file.",
    cause: "The token is opaque, and the token response contains no `expires_in`.",
  },
} satisfies ErrorSection["errors"];

const AUTH_FILE = {
  auth_file_invalid_path: {
    kind: "file",
    message: "the auth file <path> cannot be written: <reason>.",
    cause: "The path does not exist and cannot be created, or it is a directory.",
  },
  auth_file_not_managed: {
    kind: "file",
    message: "the auth file <path> already exists and was not created by scm-auth.",
    cause: "There is a file at this path, and its content is not an auth file that scm-auth wrote.",
  },
  auth_file_in_use: {
    kind: "file",
    message: "the auth file <path> contains a valid token for another identity (client ID or scope).",
    cause:
      "Another job or another step uses this file with a different account or tenant, or a background process keeps it fresh.",
  },
  auth_file_insecure: {
    kind: "file",
    message: "the auth file <path> is accessible to other users.",
    cause:
      "What is at this path is a symbolic link, belongs to another user, has another hard link, or can be read or written by other users.",
  },
  auth_file_dir_insecure: {
    kind: "file",
    message: "the directory <path> can be written to by every user.",
    cause:
      "Other users could replace the file, because its directory or one above it belongs to them or can be written to by them.",
    more: "[auth-file.md](auth-file.md#path-and-removal) lists suitable paths.",
  },
  auth_file_permission_denied: {
    kind: "file",
    message: "the auth file <path> cannot be written: permission denied.",
    cause: "The operating system denied access, or the file system is read-only.",
  },
  auth_file_disk_full: {
    kind: "file",
    message: "the auth file <path> cannot be written: no space left on device.",
    cause: "The disk, the quota, or the maximum file size has been reached.",
  },
  auth_file_io_error: {
    kind: "file",
    message: "the auth file <path> cannot be written: the file system does not respond.",
    cause:
      "The file system reported an error or did not respond within 10 seconds, or another process removed the file.",
  },
  refresher_failed: {
    kind: "file",
    message: "the auth file cannot be refreshed: <reason>.",
    cause:
      "The background process that keeps the token fresh did not start. Without it, an apply that takes longer than 15 minutes would fail.",
    more: "[auth-file.md](auth-file.md#how-the-token-is-kept-fresh) describes the process.",
  },
} satisfies ErrorSection["errors"];

const SEALED_TOKEN = {
  sealed_token_expired: {
    kind: "verification",
    message: "the sealed token is valid for only <time>, less than the required minimum.",
    cause: "The job started too long after the sign-in, for example after a re-run or an approval.",
  },
  sealed_token_malformed: {
    kind: "verification",
    message: "the sealed token is not a JWE created by sealToken().",
    cause: "The value is not a sealed token. It may have been cut off, or it may be the access token itself.",
  },
  sealed_token_decryption_failed: {
    kind: "verification",
    message: "the sealed token cannot be decrypted: it was sealed with a different client secret, or was modified.",
    cause: "The two jobs have different client secrets, or the value was changed on its way.",
    more: "Check that both jobs use the same secret of the same environment.",
  },
  sealed_token_too_large: {
    kind: "verification",
    message: "the sealed token is longer than <size> KiB.",
    cause: "The value is too long to be a sealed token.",
  },
  sealed_token_not_jwt: {
    kind: "verification",
    message: "only JWTs can be sealed.",
    cause: "The token to be sealed is opaque.",
  },
} satisfies ErrorSection["errors"];

const PROGRAM = {
  output_write_failed: {
    kind: "file",
    message: "the output <name> cannot be written: the file that <variable> refers to is not writable (<error>).",
    cause: "In the action, one of the runner's files cannot be written. In the command, stdout cannot be written.",
    more: "`EPIPE` from the command means that the program that reads its output has ended.",
  },
  aborted: {
    kind: "aborted",
    message: "the caller's signal was aborted.",
    cause: "The `signal` that a program passed to the library was aborted, or the job was canceled.",
  },
  internal_error: {
    kind: "protocol",
    message: "unexpected failure: <error>.",
    cause: "Something failed that scm-auth does not expect, or the step did not end within its time limit.",
    more: "Report it at <https://github.com/OWNER/scm-auth/issues>. The [summary of a check](check.md) contains the versions and no secrets.",
  },
} satisfies ErrorSection["errors"];

// A missing code is a type error.
const ALL: Readonly<Record<AuthErrorCode, AuthErrorCause>> = {
  ...CONFIGURATION,
  ...NETWORK,
  ...PROXY,
  ...TLS,
  ...RESPONSE,
  ...REJECTION,
  ...VERIFICATION,
  ...AUTH_FILE,
  ...SEALED_TOKEN,
  ...PROGRAM,
};
export const ERROR_COUNT = Object.keys(ALL).length;

export const ERROR_SECTIONS: readonly ErrorSection[] = [
  { title: "A setting is missing or wrong", text: "No request was sent.", errors: CONFIGURATION },
  {
    title: "The server cannot be reached",
    text: "The message names the request that failed: the token request, the JWKS request (for the signing keys), or the API request. Temporary failures were retried ([retries.md](retries.md)).",
    errors: NETWORK,
  },
  {
    title: "The proxy",
    text: "`https_proxy` or `HTTPS_PROXY` configures a proxy. [network.md](network.md#proxies) describes these variables.",
    errors: PROXY,
  },
  {
    title: "TLS",
    text: "The server or a proxy was reached, but no secure connection was established. No secret was sent.",
    errors: TLS,
  },
  {
    title: "The auth server rejects the sign-in",
    text: "These errors are not retried, because the same request would be rejected again. A `<description>` is the server's own text.",
    errors: REJECTION,
  },
  {
    title: "The response is not usable",
    text: "A server responded, but not with a token or with keys. The message can also name the JWKS request.",
    errors: RESPONSE,
  },
  {
    title: "The token is not valid",
    text: "The token was received, but it failed verification. No output was set, and no program got the token.",
    errors: VERIFICATION,
  },
  {
    title: "The auth file",
    text: "[auth-file.md](auth-file.md) describes the file. `scm-auth` never overwrites a file that it did not create.",
    errors: AUTH_FILE,
  },
  {
    title: "The sealed token",
    text: "If a sealed token cannot be used, the action and the command sign in instead and log the reason. The library throws these errors. [sealed-token.md](sealed-token.md) describes sealed tokens.",
    errors: SEALED_TOKEN,
  },
  {
    title: "The step, the command, or the program",
    text: "The command also reports errors without a code, for example for an unknown option. Their hints contain everything that is known about them.",
    errors: PROGRAM,
  },
];

export const API_CAUSES: Readonly<Record<ApiErrorGroup, ErrorCause>> = {
  400: {
    message: "the API responded with status 400: <code>: <message>.",
    cause:
      "The API does not accept the request. All 4xx statuses that are not listed here are handled in the same way.",
    more: "`error.details` contains the API's own explanation.",
  },
  401: {
    message: "the API responded with status 401: <code>: <message>.",
    cause: "The API rejected the token, and also a new one that the session requested.",
  },
  403: {
    message: "the API responded with status 403: <code>: <message>.",
    cause: "The token is valid, but the service account may not do this.",
  },
  404: {
    message: "the API responded with status 404: <code>: <message>.",
    cause: "There is no such path or object, or it is in another folder.",
  },
  409: {
    message: "the API responded with status 409: <code>: <message>.",
    cause: "The request conflicts with the current configuration.",
  },
  429: {
    message: "the API responded with status 429: <code>: <message>.",
    cause: "The API received too many requests. The retries did not help.",
  },
  "5xx": {
    message: "the API responded with status <status>: <code>: <message>.",
    cause: "The API failed. Requests that can be repeated safely were retried.",
    more: "`error.requestId` identifies the request in a support case.",
  },
  "3xx": {
    message: "the API responded with status <status>.",
    cause: "The API responded with a redirect.",
  },
  "2xx": {
    message: "the API responded with status <status> and a body that is not JSON.",
    cause: "The request succeeded, but its response is not what `request` or `list` expects.",
  },
};
