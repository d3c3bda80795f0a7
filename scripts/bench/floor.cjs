"use strict";
// The minimum work of a sign-in step: it starts a process, sends the token request and the JWKS request in parallel
// over TLS, verifies an RS256 signature with node:crypto, and appends the outputs to the runner's file. It validates
// and masks nothing else.
const { createPublicKey, verify } = require("node:crypto");
const { appendFileSync, readFileSync } = require("node:fs");
const { request } = require("node:https");
const { createSecureContext, getCACertificates } = require("node:tls");

const input = (name) => process.env[`INPUT_${name.toUpperCase()}`];

const fetchJson = (url, method, secureContext, body) =>
  new Promise((resolve, reject) => {
    const headers =
      body === undefined
        ? {}
        : { "content-type": "application/x-www-form-urlencoded", "content-length": Buffer.byteLength(body) };
    const sent = request(url, { method, secureContext, headers, agent: false }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
    });
    sent.on("error", reject);
    sent.end(body);
  });

async function signIn() {
  const caFile = input("ca-cert");
  const secureContext =
    caFile && createSecureContext({ ca: [...getCACertificates("default"), readFileSync(caFile, "utf8")] });
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: input("client-id"),
    client_secret: input("client-secret"),
    scope: `tsg_id:${input("tsg-id")}`,
  }).toString();
  const [{ access_token: token }, { keys }] = await Promise.all([
    fetchJson(input("token-url"), "POST", secureContext, form),
    fetchJson(input("jwks-url"), "GET", secureContext),
  ]);
  const [header, payload, signature] = token.split(".");
  const { kid } = JSON.parse(Buffer.from(header, "base64url").toString());
  const key = createPublicKey({ key: keys.find((candidate) => candidate.kid === kid), format: "jwk" });
  if (!verify("RSA-SHA256", `${header}.${payload}`, key, Buffer.from(signature, "base64url")))
    throw new Error("invalid signature");
  const { exp, scope } = JSON.parse(Buffer.from(payload, "base64url").toString());
  const outputs = {
    "access-token": token,
    "expires-at": new Date(exp * 1000).toISOString(),
    scope: scope.join(" "),
    "tsg-id": input("tsg-id"),
  };
  for (const [name, value] of Object.entries(outputs)) appendFileSync(process.env.GITHUB_OUTPUT, `${name}=${value}\n`);
}

signIn();
