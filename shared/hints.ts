import type { AuthErrorCode } from "./errors.ts";

const NO_ACCESS =
  "The service account has no access to this tenant. Check the TSG ID. If it is correct, assign the account a role in that tenant (Identity & Access in Strata Cloud Manager).";
const NOT_FROM_SCM = "This is not one of SCM's access tokens. Check the token URL.";
const SAME_SERVER = "check that the token URL and the JWKS URL belong to the same server.";

/**
 * The hint for each error code, shown by the action, the library, and Pulumi. No hint contains a secret. The causes in
 * docs/troubleshooting.md are in scripts/build/troubleshooting/.
 */
export const HINTS: Readonly<Record<AuthErrorCode, string>> = {
  invalid_config: "Fix the listed values.",
  client_secret_unavailable:
    "Check the function that was passed as clientSecret. If it threw an error, that error is the cause.",
  not_signed_in: "Call accessToken() or refreshToken() first, or start with OAuth2Client.connect().",

  host_not_found: "Check the spelling of the host name. If it is correct, check the DNS settings of this machine.",
  dns_lookup_failed: "Run again. If the problem persists, check the DNS settings of this machine.",
  connection_refused:
    "Nothing is listening on this port, or a firewall is rejecting the connection. Check the URL, and allow outgoing connections to it.",
  connection_lost:
    "The server, a firewall, or a proxy closed the connection. Run again. If the problem persists, check the firewall and the proxy.",
  connect_timeout: "A firewall may be dropping packets. Allow outgoing connections to this host and port.",
  response_timeout:
    "SCM's auth server does this above about ten concurrent token requests per tenant. Run fewer jobs in parallel, share one sign-in between them, or raise the timeout.",
  response_truncated:
    "The server, a proxy, or a load balancer closed the connection too early. Run again. If the problem persists, check the proxy.",
  untrusted_certificate:
    "No secret was sent. If a proxy inspects TLS, set NODE_EXTRA_CA_CERTS to the path of its CA certificate (in the action, use ca-cert). If the system trusts it already, set NODE_USE_SYSTEM_CA=1.",
  tls_handshake_failed:
    "No secret was sent. Check that the port serves https. If it does, a firewall may drop large TLS handshakes: try NODE_OPTIONS=--tls-max-v1.2.",
  proxy_url_invalid:
    "Set it to http://host:port or http://user:password@host:port. Percent-encode the user and the password.",
  proxy_auth_required:
    "Set https_proxy=http://user:password@host:port with the correct user and password. Percent-encode both.",
  proxy_refused: "The proxy blocks this host. Allow it there, or add it to no_proxy if it can be reached directly.",
  proxy_unreachable:
    "Check the host and port in the proxy variable. If the server can be reached without the proxy, add it to no_proxy.",

  rate_limited: "The server limits requests. Share one sign-in between steps and jobs, or raise the timeout.",
  server_error: "Run again later. If the problem persists, check the status page of Strata Cloud Manager.",
  unexpected_redirect:
    "Redirects are not followed, because they would send the secret to another host. Check the URL. If it is correct, a captive portal or a proxy responded instead of the server.",
  http_error:
    "Check the token URL and the JWKS URL. If they are correct, find out whether a gateway or a firewall blocks the request.",

  invalid_client:
    "The client ID or the secret is wrong. Was the secret rotated, or the service account deleted? Are the ID and the secret swapped, or from different accounts? Paste the secret again without quotes or whitespace.",
  invalid_scope: NO_ACCESS,
  unauthorized_client:
    "This client may not request tokens with client_credentials. Use a service account of Strata Cloud Manager.",
  access_denied: "The account exists, but access was denied. Check its roles in this tenant.",
  oauth_error: "Check the client ID, the tenant, and the token URL.",

  html_response:
    "The response is an HTML page instead of JSON. Check the URL. If it is correct, a proxy or a captive portal responded instead of the server.",
  invalid_json:
    "Check the URL. If it is correct, a proxy or a firewall responded instead of the server, or changed the response.",
  response_too_large: "The response did not come from SCM's auth server. Check the URL.",
  invalid_token_response: "SCM's auth server does not send such responses. Check the token URL.",
  invalid_jwks: "The response is not a JWK Set (RFC 7517) with an RSA key. Check the JWKS URL.",

  opaque_token:
    "An opaque token cannot be verified. Check the token URL. If the server is meant to issue such tokens, set verify to false.",
  malformed_token: NOT_FROM_SCM,
  algorithm_not_allowed: "Only tokens signed with RS256 are accepted. Check the token URL.",
  signing_key_not_found: `If the server has just rotated its keys, run again. Otherwise, ${SAME_SERVER}`,
  invalid_signature: `First, ${SAME_SERVER} If they do, the token was modified in transit: check the proxy.`,
  missing_claim: NOT_FROM_SCM,
  invalid_claim: NOT_FROM_SCM,
  audience_mismatch: "The token was issued to another client. Check the client ID.",
  issuer_mismatch: "The token was issued by another server. Check the token URL and the issuer.",
  tenant_mismatch: NO_ACCESS,
  token_expired: "Check this machine's clock. If it is correct, request a new token.",
  token_not_yet_valid: "Check this machine's clock, and that of the auth server.",
  clock_skew: "Synchronize this machine's clock (NTP), and run again.",
  token_lifetime_unknown: "Use the token directly, or configure the server to send expires_in (RFC 6749 section 5.1).",

  auth_file_invalid_path: "Use a file path in a directory that exists or can be created.",
  auth_file_not_managed: "The file was not overwritten. Use another path, or remove the file.",
  auth_file_in_use: "Use a separate auth file for each identity and each job.",
  auth_file_insecure:
    "Providers trust the auth file, so it must be a regular file that only this user can access. Remove it, or use another path.",
  auth_file_dir_insecure:
    "Providers trust the file in it. Use a directory that only this user can write to (chmod go-w).",
  auth_file_permission_denied: "Use a path in a directory that this user can write to.",
  auth_file_disk_full: "Free up disk space or inodes, or use a path on another disk.",
  auth_file_io_error: "Check the path and the file system, or use another path.",
  refresher_failed:
    "Run the job again. If the problem persists and one token lifetime is enough for the job, set keep-fresh to false.",

  sealed_token_expired: "Sign in again. Sealing does not extend a token's lifetime of about 15 minutes.",
  sealed_token_malformed: "Pass the whole value of the output sealed-token, unchanged.",
  sealed_token_decryption_failed:
    "Check that both jobs use the same client secret, of the same environment, and that the sealed token is passed on unchanged.",
  sealed_token_too_large:
    "Pass only the sealed token. A token that is too long to be sealed must be requested by each job.",
  sealed_token_not_jwt: "No other job could verify an opaque token. Sign in within each job that needs one.",

  aborted: "Your program aborted the call. The reason is the error's cause.",
  output_write_failed: "Check that the disk is not full and that the runner's files are writable.",
  internal_error: "This is a bug. Please report it with this line, the version, and the operating system.",
};
