import * as pulumi from "@pulumi/pulumi";
import type { GetAccessTokenArgs, GetAccessTokenOutputArgs } from "./args.ts";
import { getTokenFromArgs } from "./auth-files.ts";
import { getDeployment, isMocked, runForProgram } from "./deployment.ts";
import { toResult, type GetAccessTokenResult } from "./service-accounts.ts";

/**
 * Returns a token for use inside the program: the token in an auth file while it is valid, or a new one shared by all
 * callers in the process. The token is not stored in the state. It is not marked as a secret; to get a secret, use
 * getAccessTokenOutput.
 *
 * @throws pulumi.RunError if the sign-in fails
 * @example
 * ```ts
 * import * as scmAuth from "scm-auth/pulumi";
 *
 * const { accessToken, expiresAt } = await scmAuth.getAccessToken();
 * ```
 */
export async function getAccessToken(args: GetAccessTokenArgs = {}): Promise<GetAccessTokenResult> {
  // Unit tests mock the function by this name (`call` of `pulumi.runtime.Mocks`).
  if (isMocked()) return (await pulumi.runtime.invoke("scm-auth:index:getAccessToken", args)) as GetAccessTokenResult;
  const deployment = getDeployment();
  return toResult(await runForProgram(deployment, () => getTokenFromArgs({ ...args }, deployment.accounts)));
}

/**
 * Like getAccessToken, but the arguments can be outputs, and the result is a secret.
 *
 * @example
 * ```ts
 * import * as scmAuth from "scm-auth/pulumi";
 *
 * const auth = new scmAuth.AuthFile("scm-auth", { path: ".scm/auth.json" });
 * const token = scmAuth.getAccessTokenOutput({ authFile: auth.path }).accessToken;
 * ```
 */
export function getAccessTokenOutput(args: GetAccessTokenOutputArgs = {}): pulumi.Output<GetAccessTokenResult> {
  const values = pulumi.output({ ...args });
  return pulumi.secret(values.apply((plain) => getAccessToken(plain as GetAccessTokenArgs)));
}
