// Intercepts requests like msw and nock: replaces https.request and lets the requests through another agent.
import assert from "node:assert/strict";
import https from "node:https";
import { createRequire } from "node:module";
import * as imported from "scm-auth";

class PassThroughAgent extends https.Agent {
  constructor(agent) {
    super();
    this.agent = agent;
  }

  createConnection(options, callback) {
    const socket = this.agent.createConnection({ ...options, ...this.agent.options }, callback);
    assert.ok(socket, "the agent returns a socket");
    return socket;
  }
}

const intercepted = [];
const { request } = https;
https.request = (options, callback) => {
  intercepted.push(options.path);
  return request({ ...options, agent: new PassThroughAgent(options.agent) }, callback);
};

for (const { AuthError, AuthRequest, OAuth2Client } of [imported, createRequire(import.meta.url)("scm-auth")]) {
  const client = await OAuth2Client.connect(AuthRequest.fromEnv());
  await client.session.request("GET", "/config/objects/v1/tags?folder=All");
  assert.throws(
    () => AuthRequest.parse({}),
    ({ constructor }) => constructor === AuthError && constructor.name === "AuthError",
  );
}
console.log(intercepted.length);
