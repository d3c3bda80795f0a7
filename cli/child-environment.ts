import type { AccessToken } from "../shared/access-token.ts";
import type { TokenServerAddress } from "../shared/auth-file/format.ts";
import type { AuthRequest } from "../shared/auth-request.ts";
import type { Environment } from "../shared/environment.ts";
import { getToolVariables } from "./tools.ts";

/** What the environment of a command is made of. */
export interface ChildCredentials {
  readonly authRequest: AuthRequest;
  readonly token: AccessToken;
  /** The path of the auth file. */
  readonly path: string;
  readonly server: TokenServerAddress;
  /** The tools of `--export`. */
  readonly tools: readonly string[];
}

/** Variables that would lead the command to other credentials than those of the token server. */
const REPLACED = ["SCM_CLIENT_SECRET_FILE", "SCM_SEALED_TOKEN", "SCM_TSG_ID"];

/**
 * Creates the environment of a command. It contains the secret of the token server instead of the client secret.
 *
 * @returns `removed`: the names of other variables that contained the client secret
 */
export function createChildEnvironment(
  env: Environment,
  { authRequest, token, path, server, tools }: ChildCredentials,
): { readonly env: NodeJS.ProcessEnv; readonly removed: readonly string[] } {
  const { clientId, clientSecret, scope, tsgIds } = authRequest;
  const tsgId = tsgIds.length === 1 ? tsgIds[0] : undefined;
  const { authUrl: tokenUrl, clientSecret: secret } = server;
  const own: Environment = {
    SCM_CLIENT_ID: clientId,
    SCM_CLIENT_SECRET: secret,
    SCM_SCOPE: scope,
    SCM_TSG_ID: tsgId,
    SCM_TOKEN_URL: tokenUrl,
    SCM_AUTH_URL: tokenUrl,
    SCM_AUTH_FILE: path,
    TF_VAR_scm_auth_file: path,
    ...getToolVariables(tools, { clientId, scope, tsgId, tokenUrl, secret, accessToken: token.value }),
  };
  const inherited = Object.entries(env).filter(([name]) => !REPLACED.includes(name) && !(name in own));
  const removed = inherited.filter(([, value = ""]) => value.includes(clientSecret)).map(([name]) => name);
  const all = [...inherited.filter(([name]) => !removed.includes(name)), ...Object.entries(own)];
  return { env: Object.fromEntries(all.filter(([, value]) => value !== undefined)), removed };
}
