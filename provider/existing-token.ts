import { hasMinRemaining, type AccessToken } from "../shared/access-token.ts";
import { resolveAuthFilePath } from "../shared/auth-file/ensure-auth-file.ts";
import { isCanonical, parseAuthFile, parseTokenServerPort, PLACEHOLDER_SECRET } from "../shared/auth-file/format.ts";
import { checkPrivateDirectory } from "../shared/auth-file/private-directory.ts";
import { readAuthFile } from "../shared/auth-file/read-auth-file.ts";
import { readPrivateFile } from "../shared/auth-file/safe-files.ts";
import { formatDuration } from "../shared/duration.ts";
import type { Environment } from "../shared/environment.ts";
import { configError, type AuthError } from "../shared/errors.ts";
import { createLimits, type ServiceAccount, type ServiceAccounts } from "./service-accounts.ts";
import { collectIssues, parseSignInArgs, type Args, type SignInConfig } from "./sign-in-args.ts";

/**
 * The token of the auth file at `path`, or of the token server that it names, if it can be verified and has the minimum
 * remaining lifetime. Requests no token and writes nothing.
 *
 * @throws AuthError of kind `file` if the file was not created by scm-auth or belongs to another identity
 */
export async function readToken(
  path: string,
  { context, timeout }: ServiceAccount,
  minTtl: SignInConfig["minTtl"],
): Promise<AccessToken | undefined> {
  const { token } = await readAuthFile(context, resolveAuthFilePath(path), createLimits(timeout));
  return token !== undefined && hasMinRemaining(token, minTtl, context.clock) ? token : undefined;
}

const REFRESH_HINT = "Refresh the file or provide credentials.";
const NO_FILE_HINT = "Create the file or provide credentials. A relative path starts at the program's directory.";

/**
 * Like {@link readToken} without a client secret. The identity is that of the arguments, otherwise that of the file.
 *
 * @param field - the argument with the path
 * @throws AuthError of kind `config` if there is no usable token: why, and what a sign-in would need
 */
export async function reuseToken(
  field: "path" | "authFile",
  givenPath: string,
  args: Args,
  { accounts, env }: { readonly accounts: ServiceAccounts; readonly env: Environment },
): Promise<AccessToken> {
  const owner = field === "path" ? "AuthFile" : "getAccessToken";
  const path = resolveAuthFilePath(givenPath);
  const unusable = (reason: string, hint = REFRESH_HINT): AuthError => {
    const message = `refers to an auth file with no usable token (${path}: ${reason})`;
    return configError([{ field, message, hint }, ...collectIssues(() => parseSignInArgs(args, owner, env)).issues]);
  };
  const file = await readPrivateFile(path);
  if (file === undefined) throw unusable("no such file", NO_FILE_HINT);
  // The scm provider trusts the file, and nothing replaces it here.
  await checkPrivateDirectory(path);
  const content = parseAuthFile(file.text);
  if (content === undefined) throw unusable("it was not created by scm-auth");

  const clientId = args["clientId"] ?? content.clientId;
  const scope = args["scope"] ?? (args["tsgId"] === undefined ? content.scope : undefined);
  const config = parseSignInArgs({ ...args, clientId, scope, clientSecret: PLACEHOLDER_SECRET }, owner, env);
  const { context, timeout } = accounts.get(config);
  const { token, reason } = await readAuthFile(context, path, createLimits(timeout));
  if (token === undefined) {
    // The hint of an expired token is about one that was just requested.
    const hint = reason?.code === "token_expired" ? undefined : reason?.hint;
    throw unusable(reason?.description.replace(/\.$/, "") ?? "it is for another identity", hint);
  }
  if (!hasMinRemaining(token, config.minTtl, context.clock))
    throw unusable(`it expires in ${formatDuration(token.remaining(context.clock) ?? 0)}`);
  // The providers honor further fields and request the next token from this URL.
  const isKnownUrl =
    content.authUrl === context.authRequest.tokenUrl.href || parseTokenServerPort(content.authUrl) !== undefined;
  if (!isCanonical(file.text) || !isKnownUrl) throw unusable("it contains values that scm-auth does not write");
  return token;
}
