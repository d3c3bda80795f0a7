import * as core from "@actions/core";
import { HttpClient } from "@actions/http-client";
import { createRemoteJWKSet, jwtVerify } from "jose";

/**
 * An action as it is usually written, with each package used as its documentation shows: it requests a token, verifies
 * it, masks it, and sets the outputs. It does not retry requests and does not check the tenant.
 */

interface TokenResponse {
  readonly access_token: string;
}

async function run(): Promise<void> {
  const clientId = core.getInput("client-id", { required: true });
  const clientSecret = core.getInput("client-secret", { required: true });
  const tsgId = core.getInput("tsg-id", { required: true });
  core.setSecret(clientSecret);
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: clientId,
    client_secret: clientSecret,
    scope: `tsg_id:${tsgId}`,
  });
  const client = new HttpClient("usual-action");
  const response = await client.post(core.getInput("token-url"), form.toString(), {
    "content-type": "application/x-www-form-urlencoded",
  });
  const { access_token: token } = JSON.parse(await response.readBody()) as TokenResponse;
  core.setSecret(token);
  const keys = createRemoteJWKSet(new URL(core.getInput("jwks-url")));
  const { payload } = await jwtVerify(token, keys, { algorithms: ["RS256"], audience: clientId });
  core.setOutput("access-token", token);
  core.setOutput("expires-at", new Date((payload.exp ?? 0) * 1000).toISOString());
  core.setOutput("tsg-id", tsgId);
}

// The process ends when it has nothing left to do, but idle connections of `fetch` would delay that.
run().then(
  () => process.exit(),
  (error: unknown) => {
    core.setFailed(String(error));
    process.exit();
  },
);
