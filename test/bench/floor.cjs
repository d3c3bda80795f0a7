"use strict";
// The least that a step can cost: a new process, a raw sign-in with the same trust, the outputs appended to the
// runner's file. With FOUND_TOKEN, a file, the token is read there and none is asked for.
const { appendFileSync, readFileSync } = require("node:fs");
const { rawSignIn } = require("./raw-sign-in.cjs");

const input = (name) => process.env[`INPUT_${name.toUpperCase()}`];
const textOf = (path) => (path ? readFileSync(path, "utf8") : undefined);

rawSignIn({
  clientId: input("client-id"),
  clientSecret: input("client-secret"),
  tsgId: input("tsg-id"),
  tokenUrl: input("token-url"),
  jwksUrl: input("jwks-url"),
  ca: textOf(input("ca-cert")),
  found: textOf(process.env.FOUND_TOKEN),
}).then(({ token, exp, scope }) => {
  const outputs = {
    "access-token": token,
    "expires-at": new Date(exp * 1000).toISOString(),
    scope: scope.join(" "),
    "tsg-id": input("tsg-id"),
  };
  for (const [name, value] of Object.entries(outputs)) appendFileSync(process.env.GITHUB_OUTPUT, `${name}=${value}\n`);
});
