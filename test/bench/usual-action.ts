import * as core from "@actions/core";
import { HttpClient } from "@actions/http-client";
import { BasicCredentialHandler } from "@actions/http-client/lib/auth";
import { createRemoteJWKSet, jwtVerify } from "jose";

/**
 * The sign-in as an action of every day does it: the toolkit and jose as their pages show them, one thing after
 * another. It masks the token, proves its signature and gives the same outputs. It is what scm-auth is compared with,
 * and no part of it.
 */

async function run(): Promise<void> {
  const clientId = core.getInput("client-id", { required: true });
  const clientSecret = core.getInput("client-secret", { required: true });
  core.setSecret(clientSecret);
  const tsgId = core.getInput("tsg-id", { required: true });
  const http = new HttpClient("usual-action", [new BasicCredentialHandler(clientId, clientSecret)]);
  const form = new URLSearchParams({ grant_type: "client_credentials", scope: `tsg_id:${tsgId}` });
  const answer = await http.post(core.getInput("token-url"), form.toString(), {
    "content-type": "application/x-www-form-urlencoded",
    accept: "application/json",
  });
  const body = await answer.readBody();
  if (answer.message.statusCode !== 200) throw new Error(`The token endpoint answered ${answer.message.statusCode}.`);
  const { access_token: token } = JSON.parse(body) as { access_token: string };
  core.setSecret(token);
  const keys = createRemoteJWKSet(new URL(core.getInput("jwks-url")));
  const { payload } = await jwtVerify(token, keys, { algorithms: ["RS256"] });
  core.setOutput("access-token", token);
  core.setOutput("expires-at", new Date((payload.exp ?? 0) * 1000).toISOString());
  core.setOutput("scope", [payload["scope"]].flat().join(" "));
  core.setOutput("tsg-id", tsgId);
  core.info("Signed in.");
}

run().catch((error: unknown) => {
  core.setFailed(error instanceof Error ? error.message : String(error));
});
