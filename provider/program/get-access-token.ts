import * as pulumi from "@pulumi/pulumi";
import { factsOfToken, type TokenFacts } from "../sign-in/token-facts.ts";
import { hasSecret, KNOWN, signInOf, type Arguments } from "../sign-in/arguments.ts";
import { findToken, tokenWithoutSecret } from "../sign-in/found-token.ts";
import type { GetAccessTokenArgs, GetAccessTokenOutputArgs } from "./args.ts";
import { deployment, isMocked, type Deployment } from "./deployment.ts";
import { runError } from "./run-error.ts";

/** A collection of values returned by getAccessToken. */
export type GetAccessTokenResult = TokenFacts;

/** What unit tests answer for (`call` of `pulumi.runtime.Mocks`). */
const FUNCTION = "scm-auth:index:getAccessToken";

/**
 * A token for use inside the program: the one of an auth file while it lives, or else a new one, one for each process
 * and account. It stands in no state. Nothing marks it as a secret here: getAccessTokenOutput does.
 *
 * @throws pulumi.RunError when the sign-in fails
 * @example
 * ```ts
 * import * as scmAuth from "scm-auth/pulumi";
 *
 * const { accessToken, expiresAt } = await scmAuth.getAccessToken();
 * ```
 */
export async function getAccessToken(args: GetAccessTokenArgs = {}): Promise<GetAccessTokenResult> {
  if (isMocked()) return (await pulumi.runtime.invoke(FUNCTION, { ...args })) as GetAccessTokenResult;
  const here = deployment();
  try {
    return factsOfToken(await tokenFor({ ...args }, here));
  } catch (error) {
    throw runError(error);
  }
}

/**
 * As getAccessToken, for arguments that are outputs. The result is a secret.
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
  const given = pulumi.output({ ...args });
  return pulumi.secret(given.apply((plain) => getAccessToken(plain as GetAccessTokenArgs)));
}

async function tokenFor(args: Arguments, { accounts }: Deployment) {
  const known = KNOWN.getAccessToken;
  const { env } = process;
  const { authFile } = args;
  if (typeof authFile === "string" && authFile.trim() !== "" && !hasSecret(args, env))
    return tokenWithoutSecret("authFile", authFile, args, { known, env, accounts });
  const signIn = signInOf(args, known, env);
  const account = accounts.of(signIn);
  const found = typeof authFile === "string" ? await findToken(authFile, account, signIn.minTtl) : undefined;
  return found ?? (await account.token(signIn.minTtl));
}
