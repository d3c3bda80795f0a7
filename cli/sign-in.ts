import { join } from "node:path";
import type { AccessToken } from "../shared/access-token.ts";
import { ensureTokenFile } from "../shared/auth-file/ensure-auth-file.ts";
import { parseTokenServerPort } from "../shared/auth-file/format.ts";
import type { AuthRequest } from "../shared/auth-request.ts";
import type { Seconds } from "../shared/clock.ts";
import type { Environment } from "../shared/environment.ts";
import { AuthError } from "../shared/errors.ts";
import type { RequestLimits } from "../shared/http/request-context.ts";
import { unsealAndVerify } from "../shared/sealed-token.ts";
import { createSignInContext, requestToken, type SignInContext } from "../shared/sign-in.ts";
import { TokenSource } from "../shared/token-source.ts";
import { parseSeconds, type CommandArguments } from "./arguments.ts";
import { readCredentials } from "./credentials.ts";
import { removeAbandonedFiles } from "./run-files.ts";
import type { Terminal } from "./terminal.ts";
import { getCacheDirectory, getCacheFileName } from "./token-cache.ts";

/** What every command that signs in needs. */
export interface SignIn {
  readonly authRequest: AuthRequest;
  readonly context: SignInContext;
  readonly limits: RequestLimits;
  readonly minTtl: Seconds | undefined;
  readonly useCache: boolean;
}

const DEFAULT_TIMEOUT: Seconds = 60;

/**
 * Reads the credentials and the options of a sign-in.
 *
 * @throws CommandError or AuthError
 */
export async function prepareSignIn(
  args: CommandArguments,
  env: Environment,
  terminal: Terminal,
  { signal, onToken }: { readonly signal?: AbortSignal; readonly onToken?: (token: string) => void } = {},
): Promise<SignIn> {
  const timeout = parseSeconds(args, "timeout", [1, 3600]) ?? DEFAULT_TIMEOUT;
  const minTtl = parseSeconds(args, "min-ttl", [0, 86_400]);
  const authRequest = await readCredentials(args, env, terminal);
  const context = createSignInContext(authRequest, { onEvent: terminal.onEvent, ...(onToken && { onToken }) });
  const limits = { deadline: context.clock.monotonic() + timeout * 1000, signal };
  return { authRequest, context, limits, minTtl, useCache: args.values["no-cache"] !== true };
}

/**
 * Returns a verified token: from SCM_SEALED_TOKEN, from the user's cache, or from a new request.
 *
 * @throws AuthError
 */
export async function getToken(signIn: SignIn, env: Environment, terminal: Terminal): Promise<AccessToken> {
  await removeAbandonedFiles(env);
  terminal.showProgress(`Signing in as ${signIn.authRequest.clientId} ...`);
  try {
    return (await unseal(signIn, env, terminal)) ?? (await getSharedToken(signIn, env, terminal));
  } finally {
    terminal.clearProgress();
  }
}

async function getSharedToken(signIn: SignIn, env: Environment, terminal: Terminal): Promise<AccessToken> {
  const { authRequest, context, limits } = signIn;
  const directory = getCacheDirectory(env);
  // Inside `scm-auth run`, the token server has the token. It has another URL in every run.
  if (!signIn.useCache || isTokenServer(authRequest.tokenUrl)) return requestToken(context, limits);
  if (directory === undefined) {
    terminal.warn("The token is not shared with other calls: there is no home directory.");
    return requestToken(context, limits);
  }
  const path = join(directory, getCacheFileName(authRequest));
  const { clock, random } = context;
  const tokens = new TokenSource((signal) => requestToken(context, { ...limits, signal }), { clock, random });
  try {
    const { token, warnings } = await ensureTokenFile(context, tokens, { path, minTtl: signIn.minTtl, limits });
    for (const warning of warnings) terminal.warn(warning);
    return token;
  } catch (error) {
    if (!AuthError.isAuthError(error) || error.kind !== "file") throw error;
    terminal.warn(`The token is not shared with other calls: ${error.description} ${error.hint} See ${error.docs}`);
    return tokens.current ?? requestToken(context, limits);
  }
}

/** Whether a token URL is that of a token server, as inside `scm-auth run`. */
export const isTokenServer = ({ href }: URL): boolean => parseTokenServerPort(href) !== undefined;

/** Returns the token in SCM_SEALED_TOKEN, or undefined if there is none or it cannot be used. */
export async function unseal(
  { context, limits, minTtl }: SignIn,
  env: Environment,
  terminal: Terminal,
): Promise<AccessToken | undefined> {
  const sealed = env["SCM_SEALED_TOKEN"]?.trim() ?? "";
  if (sealed === "") return undefined;
  try {
    return await unsealAndVerify(context, sealed, { minTtl, limits });
  } catch (error) {
    // Any other error comes from the request for the signing keys, which a sign-in also needs.
    if (!AuthError.isAuthError(error) || error.kind !== "verification") throw error;
    terminal.warn(`SCM_SEALED_TOKEN is ignored: ${error.description} ${error.hint} See ${error.docs}`);
    return undefined;
  }
}
