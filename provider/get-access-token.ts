import * as pulumi from "@pulumi/pulumi";
import type { AccessToken } from "../shared/access-token.ts";
import { toAccessTokenResult, type GetAccessTokenResult } from "./access-token-result.ts";
import type { GetAccessTokenArgs, GetAccessTokenOutputArgs } from "./args.ts";
import type { ProviderState } from "./auth-files.ts";
import { getDeployment, isMocked, runForProgram } from "./deployment.ts";
import { readToken, reuseToken } from "./existing-token.ts";
import { getToken } from "./service-accounts.ts";
import { hasSecret, parseSignInArgs, type Args } from "./sign-in-args.ts";

/** The function that unit tests mock (`call` of `pulumi.runtime.Mocks`). */
const FUNCTION = "scm-auth:index:getAccessToken";

/**
 * A token for use inside the program: that of an auth file while it is valid, otherwise a new one, which all callers in
 * the process share. It is not stored in the state. It is not marked as a secret: use getAccessTokenOutput for that.
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
  if (isMocked()) return (await pulumi.runtime.invoke(FUNCTION, { ...args })) as GetAccessTokenResult;
  const deployment = getDeployment();
  return toAccessTokenResult(await runForProgram(deployment, () => findOrRequestToken({ ...args }, deployment)));
}

/**
 * Like getAccessToken, for arguments that are outputs. The result is a secret.
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

async function findOrRequestToken(args: Args, state: ProviderState): Promise<AccessToken> {
  const { authFile } = args;
  const hasFile = typeof authFile === "string" && authFile.trim() !== "";
  if (hasFile && !hasSecret(args, state.env)) return reuseToken("authFile", authFile, args, state);
  const config = parseSignInArgs(args, "getAccessToken", state.env);
  const account = state.accounts.get(config);
  const token = hasFile ? await readToken(authFile, account, config.minTtl) : undefined;
  return token ?? getToken(account, config.minTtl);
}
