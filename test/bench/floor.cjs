"use strict";
// The least that a sign-in can cost: a new process, TLS with the same CA, the same POST and GET at once, RS256
// by node:crypto, the outputs appended to the runner's file. It checks nothing else and hides nothing.
const { createPublicKey, verify } = require("node:crypto");
const { appendFileSync, readFileSync } = require("node:fs");
const { request } = require("node:https");

const input = (name) => process.env[`INPUT_${name.toUpperCase()}`];
const ca = readFileSync(input("ca-cert"));

const ask = (url, method, body) =>
  new Promise((resolve, reject) => {
    const headers =
      body === undefined
        ? {}
        : { "content-type": "application/x-www-form-urlencoded", "content-length": Buffer.byteLength(body) };
    const sent = request(url, { method, ca, headers, agent: false }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
    });
    sent.on("error", reject);
    sent.end(body);
  });

const form = new URLSearchParams({
  grant_type: "client_credentials",
  client_id: input("client-id"),
  client_secret: input("client-secret"),
  scope: `tsg_id:${input("tsg-id")}`,
}).toString();

Promise.all([ask(input("token-url"), "POST", form), ask(input("jwks-url"), "GET")]).then(
  ([{ access_token: token }, { keys }]) => {
    const [header, payload, signature] = token.split(".");
    const { kid } = JSON.parse(Buffer.from(header, "base64url").toString());
    const key = createPublicKey({ key: keys.find((candidate) => candidate.kid === kid), format: "jwk" });
    if (!verify("RSA-SHA256", `${header}.${payload}`, key, Buffer.from(signature, "base64url")))
      throw new Error("not proved");
    const { exp, scope } = JSON.parse(Buffer.from(payload, "base64url").toString());
    const outputs = {
      "access-token": token,
      "expires-at": new Date(exp * 1000).toISOString(),
      scope: scope.join(" "),
      "tsg-id": input("tsg-id"),
    };
    for (const [name, value] of Object.entries(outputs))
      appendFileSync(process.env.GITHUB_OUTPUT, `${name}=${value}\n`);
  },
);
