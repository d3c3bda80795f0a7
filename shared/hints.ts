import type { AuthErrorCode } from "./errors.ts";
import { DOCS_URL } from "./version.ts";

const NETWORK = `(${DOCS_URL}/network.md)`;
const NO_ACCESS =
  "The service account has no access to this tenant: check the TSG ID, and assign the account a role there (Identity & Access in Strata Cloud Manager).";

/** The hint for each error code, shown by the action, the library, and Pulumi. No hint contains a secret. */
export const HINTS: Readonly<Record<AuthErrorCode, string>> = {
  invalid_config: "Fix the listed values.",
  client_secret_unavailable:
    "Check the function that was passed as clientSecret. If it threw an error, that is the cause.",
  not_signed_in: "Call accessToken() or refreshToken() first, or start with OAuth2Client.connect().",

  host_not_found: "Check the spelling of the host name, and whether this machine can resolve it.",
  dns_lookup_failed: `The name server did not answer, or answered with an error. Run again; if the problem persists, check the DNS settings of this machine ${NETWORK}.`,
  connection_refused: `Nothing is listening there, or a firewall is rejecting the connection. Check the URL and the egress rules ${NETWORK}.`,
  connection_lost: `The network, a firewall, or a proxy closed the connection. Run again; if the problem persists, check them ${NETWORK}.`,
  connect_timeout: `A firewall may be dropping packets. Allow the hosts and ports listed in ${DOCS_URL}/network.md.`,
  response_timeout:
    "SCM's auth server does this above about ten concurrent token requests per tenant. Run fewer jobs in parallel, or raise the timeout.",
  response_truncated: "The server, a proxy, or a load balancer closed the connection too early. Run again.",
  untrusted_certificate: `No secret was sent. If a proxy inspects TLS, add its CA certificate, or set NODE_EXTRA_CA_CERTS; if the system trusts it already, set NODE_USE_SYSTEM_CA=1 ${NETWORK}.`,
  tls_handshake_failed: `No secret was sent. Check that the port serves https. If it does, a firewall may drop large TLS handshakes: try NODE_OPTIONS=--tls-max-v1.2 ${NETWORK}.`,
  proxy_url_invalid:
    "Set it to http://host:port or http://user:password@host:port, with the user and password percent-encoded.",
  proxy_auth_required:
    "Set https_proxy=http://user:password@host:port, with the correct user and password, percent-encoded.",
  proxy_refused: `The proxy blocks this host: allow it, or add it to no_proxy ${NETWORK}.`,
  proxy_unreachable: `Check the host and port in the proxy variable, or add the target to no_proxy ${NETWORK}.`,

  rate_limited: "The server limits token requests. Share one sign-in between steps and jobs, or raise the timeout.",
  server_error: "Retry later, and check the status page of Strata Cloud Manager.",
  unexpected_redirect:
    "Redirects are not followed: they would send the secret to another host. Check the URL; captive portals and proxies also cause this.",
  http_error: "Check the token URL and the JWKS URL, and whether a gateway blocks the request.",

  invalid_client:
    "The client ID or the secret is wrong. Was the secret rotated, or the service account deleted? Are the ID and the secret swapped, or from different accounts? Paste the secret again without quotes or whitespace.",
  invalid_scope: NO_ACCESS,
  unauthorized_client: "This client may not use client_credentials. Use a service account of Strata Cloud Manager.",
  access_denied: "The account exists but access was denied: check its roles in this tenant.",
  oauth_error: "Check the client ID, the tenant, and the token URL.",

  html_response: `Received an HTML page instead of JSON: a proxy or a captive portal is in the way, or the URL is wrong ${NETWORK}.`,
  invalid_json: `The response did not come from SCM's auth server, or was modified in transit. Check the URL ${NETWORK}.`,
  response_too_large: "The response did not come from SCM's auth server. Check the URL.",
  invalid_token_response: "The response violates RFC 6749 section 5.1. Check the token URL.",
  invalid_jwks: "The response is not a JWK Set (RFC 7517). Check the JWKS URL.",

  opaque_token: "It cannot be verified. If the server is meant to issue such tokens, set verify to false.",
  malformed_token: "It is not one of SCM's access tokens. Check the token URL.",
  algorithm_not_allowed: "Only RS256 is accepted. Check the token URL.",
  signing_key_not_found:
    "Retry if the server has just rotated its keys; otherwise check that the token URL and the JWKS URL belong to the same server.",
  invalid_signature:
    "The token was modified in transit, or the token URL and the JWKS URL belong to different servers.",
  missing_claim: "It is not one of SCM's access tokens. Check the token URL.",
  invalid_claim: "It is not one of SCM's access tokens. Check the token URL.",
  audience_mismatch: "The token was issued to another client. Check the client ID.",
  issuer_mismatch: "The token was issued by another server. Check the token URL and the issuer.",
  tenant_mismatch: NO_ACCESS,
  token_expired: "Check this machine's clock, or request a new token.",
  token_not_yet_valid: "Check this machine's clock, and that of the auth server.",
  clock_skew: "Synchronize this machine's clock (NTP) and run again.",
  token_lifetime_unknown: "Use the token directly, or configure the server to send expires_in (RFC 6749 section 5.1).",

  auth_file_invalid_path: "Use a file path in a directory that exists or can be created.",
  auth_file_not_managed:
    "The file was not created by scm-auth, so it was not overwritten. Use another path, or remove the file.",
  auth_file_in_use: "Use a separate auth file for each identity and each job.",
  auth_file_insecure:
    "Remove it, or use another path. Providers trust the auth file: it must be a regular file that only this user can access.",
  auth_file_dir_insecure:
    "Use a directory that only this user can write to (chmod go-w): providers trust the file in it.",
  auth_file_permission_denied: "Use a path in a directory that this user can write to.",
  auth_file_disk_full: "Free up disk space or inodes, or use a path on another disk.",
  auth_file_io_error: "Check the path and the file system, or use another path.",
  refresher_failed:
    "Without the background process, a long apply could fail midway. Run the job again, or turn off refreshing if one token lifetime is enough.",

  sealed_token_expired: "Sign in again. Sealing does not extend a token's lifetime of about 15 minutes.",
  sealed_token_malformed: "Pass the sealed token unchanged, or sign in again.",
  sealed_token_decryption_failed:
    "Seal and unseal with the same client secret, and pass the sealed token unchanged; or sign in again.",
  sealed_token_too_large:
    "Pass only the sealed token. A token that is too long to be sealed must be requested by each job.",
  sealed_token_not_jwt: "The recipient could not verify it. Sign in within the job that needs the token.",

  aborted: "The signal's abort reason is the error's cause.",
  output_write_failed: "Check that the disk is not full and that the runner's files are writable.",
  internal_error: "This is a bug. Please report it with this line, the version, and the operating system.",
};
