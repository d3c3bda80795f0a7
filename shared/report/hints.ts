import { docs } from "../version.ts";
import type { handoffHints } from "./handoff-hints.ts";

const network = `${docs}/network.md`;

/**
 * What to do about each failure, by error code. A sentence for the person who reads the log;
 * `{field}` stands for what the reader's front door calls that field. Never a secret.
 */
export const hints = Object.freeze({
  invalid_config: "Correct the values named and run again.",

  unknown_host: "Check the spelling of the host in the URL, and that this machine can resolve it by DNS.",
  dns_unavailable:
    "The name server of this machine gave no answer. Run again; if it stays so, look at DNS and egress rules.",
  connection_refused: `Nothing listens at that address, or a firewall refuses it: check the URL and the egress rules (${network}).`,
  connection_failed: `The network or something in between broke the connection. Run again; if it stays so, look at firewall and proxy (${network}).`,
  connect_timeout: `No connection came about in time: a firewall may drop it. See ${network} for the hosts and ports to allow.`,
  no_answer:
    "The server took the connection and did not answer in time, as SCM's does when it has about ten token requests of one tenant at once. Start fewer jobs at a time, or raise {timeout}.",
  body_cut: "The answer ended before it was complete: the server, a proxy or a load balancer closed the connection.",
  untrusted_certificate: `No secret was sent. If a proxy or firewall inspects TLS here, give its CA certificate ({ca}, ${network}); never turn verification off.`,
  tls_failed:
    "The TLS handshake failed before anything was sent: check that the URL speaks https at that port and that nothing in between interferes.",
  proxy_auth_required:
    "Put the proxy's user and password into the proxy variable, percent-encoded: https_proxy=http://user:password@host:port.",
  proxy_refused: `The proxy does not let this host through: allow it there, or name it in no_proxy (${network}).`,
  proxy_unreachable: `Check the host and port in https_proxy / http_proxy, or name the host in no_proxy (${network}).`,
  proxy_invalid:
    "Write the proxy as http://host:port or http://user:password@host:port, with special characters percent-encoded.",

  rate_limited:
    "The server limits token requests. One sign-in can serve all steps of a job; start fewer jobs at a time, or raise {timeout}.",
  server_error: "The fault is on the server's side. Run again later; see the status page of Strata Cloud Manager.",
  redirected:
    "Redirects are never followed, since they would carry the secret to another host. Check the URL; a captive portal or proxy also answers so.",
  http_rejected: "Check the token URL and key URL, and whether a gateway in between blocks the request.",

  invalid_client:
    "The client id or the secret is wrong. Was the secret rotated or the service account deleted? Are id and secret swapped, or is the secret of another account? Paste the secret anew, without quotes or white space.",
  invalid_scope:
    "The service account may not have this tenant: check the TSG id, and give the account a role there (Identity & Access in Strata Cloud Manager).",
  unauthorized_client:
    "This client may not use the client_credentials grant. Use a service account of Strata Cloud Manager.",
  access_denied: "The server knows the account and refuses it: check its roles in this tenant.",
  oauth_error: "The server refused the request for the reason given. Check client id, tenant and token URL.",

  html_page: `A web page came instead of a token: a proxy, a captive portal or a block page stands in between, or the URL is wrong. Let this machine reach the host directly (${network}).`,
  not_json: `What answered is not SCM's auth server, or something in between changed the answer. Check the URL (${network}).`,
  body_too_large: "What answered is not SCM's auth server. Check the URL.",
  bad_token_answer: "What answered does not speak RFC 6749 section 5.1. Check the token URL.",
  bad_key_set: "What answered is no JSON Web Key Set (RFC 7517). Check the key URL.",

  opaque_token:
    "The server gave a token that is no JWT, so it can't be proved. If your server does so on purpose, set {verify} to false.",
  malformed_token:
    "The token is not as RFC 7515 writes it. It was not handed out; if it stays so, ask the vendor's support.",
  forbidden_algorithm: "Only RS256 is accepted. The token was not handed out.",
  unknown_key:
    "The key set does not hold the key that signed the token. Check that key URL and token URL belong to one server.",
  bad_signature:
    "The token was not signed by the keys at the key URL: it was changed on its way, or key URL and token URL belong to different servers. It was not handed out.",
  missing_claim: "The token lacks what is needed to prove it. It was not handed out.",
  bad_claim: "The token says something impossible. It was not handed out.",
  wrong_audience: "The token was made for another client. Check the client id. It was not handed out.",
  wrong_issuer: "The token was made by another server. It was not handed out.",
  wrong_tenant:
    "The account may not have this tenant: check the TSG id, and give the account a role there (Identity & Access in Strata Cloud Manager).",
  token_expired: "The token had ended when it came. Check this machine's clock.",
  token_from_the_future: "The token is not valid yet. Check this machine's clock.",
  clock_skew: "Set this machine's clock (NTP) and run again.",

  no_token: "Call accessToken() or refreshToken() first, or begin with OAuth2Client.connect().",
  aborted: "The caller ended the request.",
  outputs_unwritable: "The runner's output file could not be written: is the disk full?",
  unexpected: "This should not happen. Please report it with this line, the version and the runner's operating system.",
});

/**
 * The tables of hints, for the codes that they name.
 *
 * @interface
 */
export type Hints = typeof hints & typeof handoffHints;
