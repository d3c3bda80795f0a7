import assert from "node:assert/strict";

import { makeCertificates } from "../support/certificate.ts";
import { KEYS_PATH, TOKEN_PATH } from "../support/scm-provider.ts";
import { foreignTls, IGNORED, preload, tls, UNVERIFIED } from "./cast.ts";
import { fails, NOTHING, signsIn, type Part, type Scene } from "./scene.ts";

const NETWORK = "Network error: ";
const NO_SECRET = "No secret was sent.";

const [wrongHost, expired] = await Promise.all([
  makeCertificates(["other.test"]),
  makeCertificates(undefined, -1_800_000),
]);

const untrusted = (
  what: string,
  scene: Omit<Scene, "name" | "expect">,
  cause: Part,
  hint: Part = NO_SECRET,
): readonly Scene[] => [
  {
    name: `${what}: no secret is sent`,
    ...scene,
    expect: fails(cause, hint, NOTHING),
  },
  {
    name: `${what}: no secret is sent with NODE_TLS_REJECT_UNAUTHORIZED=0 either`,
    ...scene,
    env: UNVERIFIED,
    expect: fails(cause, hint, NOTHING, { warnings: [IGNORED] }),
  },
];

const trust: readonly Scene[] = [
  { name: "ca-cert as text is trusted", inputs: { "ca-cert": tls.ca }, server: { tls }, expect: signsIn() },
  {
    name: "ca-cert as a path is trusted",
    files: { "ca.pem": tls.ca },
    inputs: ({ file }) => ({ "ca-cert": ` ${file("ca.pem")}\n` }),
    server: { tls },
    expect: signsIn(),
  },
  {
    name: "a path in ca-cert begins in the workspace",
    files: { "ca.pem": tls.ca },
    env: ({ file }) => ({ GITHUB_WORKSPACE: file(".") }),
    inputs: ({ file }) => ({ "ca-cert": file("ca.pem") }),
    server: { tls },
    expect: signsIn(),
  },
  {
    name: "a bundle of several is trusted, with comments and foreign line ends",
    inputs: { "ca-cert": `# ours\r\n${foreignTls.ca}\n# theirs\n${tls.ca}`.replaceAll(/\r?\n/g, "\r\n") },
    server: { tls },
    expect: signsIn(),
  },
  {
    name: "ca-cert stands beside NODE_EXTRA_CA_CERTS, which goes on counting",
    files: { "extra.pem": tls.ca },
    env: ({ file }) => ({ NODE_EXTRA_CA_CERTS: file("extra.pem") }),
    inputs: { "ca-cert": foreignTls.ca },
    server: { tls },
    expect: signsIn(),
  },
  {
    name: "NODE_EXTRA_CA_CERTS counts without ca-cert",
    files: { "extra.pem": tls.ca },
    env: ({ file }) => ({ NODE_EXTRA_CA_CERTS: file("extra.pem") }),
    server: { tls },
    expect: signsIn(),
  },
  {
    name: "a NODE_EXTRA_CA_CERTS that is missing hides nothing else",
    env: ({ file }) => ({ NODE_EXTRA_CA_CERTS: file("missing.pem") }),
    inputs: { "ca-cert": tls.ca },
    server: { tls },
    // Node's own warning, written before any script runs.
    allowStderr: true,
    expect: signsIn(),
  },
  {
    name: "NODE_TLS_REJECT_UNAUTHORIZED=0 harms no one whose server is trusted",
    env: UNVERIFIED,
    inputs: { "ca-cert": tls.ca },
    server: { tls },
    expect: signsIn({ warnings: [IGNORED] }),
  },
  ...untrusted(
    "a server of an unknown authority",
    { server: { tls } },
    /certificate of 127\.0\.0\.1:\d+ is not trusted \(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)\./,
    "give its CA certificate (ca-cert",
  ),
  ...untrusted(
    "a server that brings its own authority",
    { server: { tls: { ...tls, cert: `${tls.cert}\n${tls.ca}` } } },
    "is not trusted (SELF_SIGNED_CERT_IN_CHAIN).",
  ),
  ...untrusted(
    "a server of another authority than ca-cert",
    { server: { tls }, inputs: { "ca-cert": foreignTls.ca } },
    "is not trusted (",
  ),
  ...untrusted(
    "a server with another host's certificate",
    { server: { tls: wrongHost }, inputs: { "ca-cert": wrongHost.ca } },
    "is not trusted (ERR_TLS_CERT_ALTNAME_INVALID).",
  ),
  ...untrusted(
    "a server whose certificate has ended",
    { server: { tls: expired }, inputs: { "ca-cert": expired.ca } },
    "is not trusted (CERT_HAS_EXPIRED).",
    "Check this machine's clock first",
  ),
  {
    name: "keys from an untrusted server are none",
    inputs: ({ other }) => ({ "jwks-url": other.jwksUrl }),
    other: { tls: foreignTls },
    expect: fails("request for the signing keys: the certificate", NO_SECRET, { token: [0, 1], keys: 0 }),
  },
  {
    name: "a server that speaks http at an https URL hears no request",
    inputs: ({ server }) => ({ "token-url": server.tokenUrl.replace("http:", "https:"), "max-retries": "0" }),
    expect: fails(
      /the TLS handshake with 127\.0\.0\.1:\d+ failed \((EPROTO|ERR_SSL_\w+)\)/,
      "check that the URL speaks https",
      NOTHING,
    ),
  },
  {
    name: "a server that speaks https at an http URL gets no answer read",
    inputs: ({ server }) => ({ "token-url": server.tokenUrl.replace("https:", "http:"), "max-retries": "0" }),
    server: { tls },
    expect: fails(/broke \(\w+\)/, /./, NOTHING),
  },
];

const names: readonly Scene[] = [
  {
    name: "a host that does not exist is told after one try",
    env: { NODE_OPTIONS: preload("dns") },
    inputs: { "token-url": `https://unknown.invalid${TOKEN_PATH}` },
    expect: fails(NETWORK, "Check the spelling of the host", NOTHING, {
      says: ["the host unknown.invalid is unknown (ENOTFOUND)."],
      never: ["tries", "Try 1"],
    }),
  },
  {
    name: "a name server that gives no answer is asked again",
    env: { NODE_OPTIONS: preload("dns") },
    inputs: { "token-url": `https://busy.invalid${TOKEN_PATH}` },
    expect: fails(/name server.*busy\.invalid \(EAI_AGAIN\) \(2 tries\)/, "look at DNS and egress rules", NOTHING),
  },
  {
    name: "a host that this machine really does not know is told",
    inputs: { "token-url": `https://no-such-host.invalid${TOKEN_PATH}`, timeout: "8" },
    expect: fails("no-such-host.invalid", /DNS/, NOTHING, { within: 10_000 }),
  },
  {
    name: "a port where nobody listens is told after as many tries as permitted",
    inputs: { "token-url": `http://127.0.0.1:1${TOKEN_PATH}` },
    expect: fails(
      "127.0.0.1:1 refused the connection (ECONNREFUSED) (2 tries).",
      "Nothing listens at that address",
      NOTHING,
    ),
  },
  {
    name: "keys where nobody listens leave the token unproved",
    inputs: { "jwks-url": `http://127.0.0.1:1${KEYS_PATH}` },
    expect: fails(
      "request for the signing keys: 127.0.0.1:1 refused",
      "Nothing listens",
      { token: 1, keys: 0 },
      {
        also: (run) => {
          assert.equal(run.token, undefined);
        },
      },
    ),
  },
];

/** Who is trusted, and who is not there at all. */
export const hosts: readonly Scene[] = [...trust, ...names];
