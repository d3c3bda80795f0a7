import type { InputName } from "./inputs.ts";

/** What users read of each input, in Markdown. Beside the table of inputs, so that the bundle goes without it. */
export const inputDocs: Readonly<Record<InputName, string>> = {
  "client-id":
    "Client id of the service account: `name@<TSG id>.iam.panserviceaccount.com`. Keep it in `vars`, not in `secrets`.",
  "client-secret": "Secret of the service account. Always from `secrets`.",
  "tsg-id":
    "Id of the tenant (tenant service group), digits in quotes. Default: taken from `scope`, or else from the client id.",
  scope: "Scope to ask for. Default: `tsg_id:<tsg-id>`.",
  "token-url": "Where the token is asked for (https).",
  "jwks-url": "Where the signing keys are (https). Default: beside `token-url`, at `connect/jwk_uri`.",
  verify:
    "Prove the token's signature. With `false` its claims alone are checked; for servers whose tokens are opaque.",
  "ca-cert":
    "Certificates to trust beside the usual ones, as PEM text or the path of a PEM file: for proxies that inspect TLS.",
  "max-retries": "Repeats of each request after a failure that may pass, 0 to 20.",
  timeout: "Seconds for the whole sign-in, repeats and waits included, 1 to 3600.",
  "auth-file":
    "Write the auth file that the `scm` providers of Terraform, OpenTofu and Pulumi read: `true`, or its path.",
  "keep-fresh": "Keep the auth file fresh while the job runs, and serve its token on loopback.",
  "min-ttl":
    "Seconds of life that a token found in the auth file, or opened, must have left, 0 to 86400. Default: 300, at most a third of its life.",
  seal: "Give the output `sealed-token`, which other jobs with the same secret can open.",
  "sealed-token": "The output `sealed-token` of another job: its token serves here, without a token request.",
  check:
    "Try each step of the sign-in and write what came of it into the job summary. Hands out nothing, so it goes with no other output.",
};
