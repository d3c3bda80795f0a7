"use strict";
// The least that a step can cost: a new process, a raw sign-in with the same CA, the outputs appended to the runner's
// file.
const { appendFileSync, readFileSync } = require("node:fs");
const { rawSignIn } = require("./raw-sign-in.cjs");

const input = (name) => process.env[`INPUT_${name.toUpperCase()}`];

rawSignIn({
  clientId: input("client-id"),
  clientSecret: input("client-secret"),
  tsgId: input("tsg-id"),
  tokenUrl: input("token-url"),
  jwksUrl: input("jwks-url"),
  ca: readFileSync(input("ca-cert")),
}).then(({ token, exp, scope }) => {
  const outputs = {
    "access-token": token,
    "expires-at": new Date(exp * 1000).toISOString(),
    scope: scope.join(" "),
    "tsg-id": input("tsg-id"),
  };
  for (const [name, value] of Object.entries(outputs)) appendFileSync(process.env.GITHUB_OUTPUT, `${name}=${value}\n`);
});
