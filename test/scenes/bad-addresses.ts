import { foreignTls, tls } from "./cast.ts";
import { refuses, type Scene } from "./scene.ts";
import { NO_FILE, wrong } from "./wrong-input.ts";

/** What is wrong with a URL, whichever of the two it is. */
const URLS: readonly (readonly [url: string, cause: string, hint: string])[] = [
  ["http://auth.example.com/oauth2/access_token", "is not an https URL.", "Begin it with https://"],
  ["http://127.0.0.1.evil.test/token", "is not an https URL.", "loopback alone"],
  ["http://localhost.evil.test/token", "is not an https URL.", "loopback alone"],
  ["http://0.0.0.0/token", "is not an https URL.", "loopback alone"],
  ["http://10.0.0.1/token", "is not an https URL.", "since the secret travels to it"],
  ["ftp://auth.example.com/token", "is not an https URL.", "Begin it with https://"],
  ["file:///etc/passwd", "is not an https URL.", "Begin it with https://"],
  ["javascript:alert(1)", "is not an https URL.", "Begin it with https://"],
  ["https://user:hunter2-hunter2@auth.example.com/token", "holds a user name or password.", "before the @"],
  ["https://user@auth.example.com/token", "holds a user name or password.", "before the @"],
  ["https://auth.example.com/token?realm=alpha", "holds a query.", "Leave out the ?"],
  ["https://auth.example.com/token?", "holds a query.", "Leave out the ?"],
  ["https://auth.example.com/token#top", "holds a fragment.", "Leave out the #"],
  ["https://auth.example.com/to ken", "holds white space or control characters.", "Write it like https://auth"],
  ["https://auth.example.com/to\tken", "holds white space or control characters.", "Write it like https://auth"],
  [
    "https://auth.example\u0000.com/".replace("\u0000", "\u0001"),
    "holds white space or control characters.",
    "Write it like",
  ],
  ["auth.example.com/oauth2/access_token", "is no URL.", "Write it like https://auth"],
  ["//auth.example.com/token", "is no URL.", "Write it like https://auth"],
  ["https:///", "is no URL.", "Write it like https://auth"],
  ["https://:99999/x", "is no URL.", "Write it like https://auth"],
  ["none", "is no URL.", "Write it like https://auth"],
];

const urls: readonly Scene[] = URLS.map(([url, cause, hint]) =>
  wrong(url, { "token-url": [`token-url ${cause}`, hint], "jwks-url": [`jwks-url ${cause}`, hint] }),
);

const JUNK = "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";
const NO_CERTIFICATE = "ca-cert holds no certificate that can be read.";

const pem = (name: string, text: string): Scene => ({
  name: `ca-cert: ${name} holds no certificate`,
  inputs: { "ca-cert": text },
  expect: refuses([[NO_CERTIFICATE, "Give one or more certificates in PEM form"]], { never: [text.slice(30, 80)] }),
});
const pemFile = (name: string, content: string | Uint8Array): Scene => ({
  name: `ca-cert: a file of ${name} holds no certificate`,
  files: { "ca.pem": content },
  inputs: ({ file }) => ({ "ca-cert": file("ca.pem") }),
  expect: refuses([[NO_CERTIFICATE, "Give one or more certificates in PEM form"]]),
});

const cas: readonly Scene[] = [
  pem("PEM text around junk", JUNK),
  pem("a private key", foreignTls.key),
  pem("a certificate whose end is missing", tls.ca.slice(0, -40)),
  pem("one certificate and junk", tls.ca + JUNK),
  pemFile("junk in PEM", JUNK),
  pemFile("text", "not a certificate at all"),
  ...["", " \n"].map((content) => ({
    name: `ca-cert: an empty file is one: ${JSON.stringify(content)}`,
    files: { "ca.pem": content },
    inputs: ({ file }: { readonly file: (name: string) => string }) => ({ "ca-cert": file("ca.pem") }),
    expect: refuses([["ca-cert names an empty file.", "Put the certificates into it"]]),
  })),
  pemFile(
    "random bytes",
    Uint8Array.from({ length: 500 }, (_, at) => (at * 91) % 256),
  ),
  pemFile("a private key", foreignTls.key),
  wrong("certs/missing.pem", { "ca-cert": [NO_FILE, "check out the repository first"] }),
  wrong("yes", { "ca-cert": [NO_FILE, "Give the certificates themselves"] }),
  {
    name: "ca-cert: a folder is no file",
    inputs: ({ file }) => ({ "ca-cert": file(".") }),
    expect: refuses([[NO_FILE, "a path, seen from the workspace"]]),
  },
];

/** URLs and certificates that are none, told before any request is made. */
export const badAddresses: readonly Scene[] = [...urls, ...cas];
