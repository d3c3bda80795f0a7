import { hasMinRemaining, type AccessToken } from "../shared/access-token.ts";
import { ensureTokenFile, resolveAuthFilePath } from "../shared/auth-file/ensure-auth-file.ts";
import {
  isCanonical,
  parseAuthFile,
  parseTokenServerPort,
  PLACEHOLDER_SECRET,
  type RunningTokenServer,
} from "../shared/auth-file/format.ts";
import { checkPrivateDirectory } from "../shared/auth-file/private-directory.ts";
import { readAuthFile } from "../shared/auth-file/read-auth-file.ts";
import { TokenRefresher } from "../shared/auth-file/refresher.ts";
import { readPrivateFile } from "../shared/auth-file/safe-files.ts";
import { backgroundClock, type Seconds } from "../shared/clock.ts";
import { formatDuration } from "../shared/duration.ts";
import { abortedError, configError, type AuthError } from "../shared/errors.ts";
import { DEFAULTS } from "../shared/options.ts";
import { TokenSource } from "../shared/token-source.ts";
import { createLimits, getToken, type ServiceAccount, type ServiceAccounts } from "./service-accounts.ts";
import { collectIssues, hasCredentials, parseSignInArgs, type Args } from "./sign-in-args.ts";

/** The state shared by all resources and functions of a deployment or of a dynamic provider process. */
export interface ProviderState {
  readonly accounts: ServiceAccounts;
  readonly files: AuthFiles;
}

/** A token is considered newer than the one in the file if it expires at least this much later. */
const MIN_GAIN: Seconds = 1;

/** The job of the token servers of Pulumi's processes, which end with an operation. */
export const PULUMI_JOB_ID = "pulumi";

/** Renews the token in one auth file. */
export type FileRefresher = Pick<TokenRefresher, "current" | "rejection" | "requestRenewal">;

/** The token servers that auth files refer to. */
export interface AuthFileServers {
  /**
   * Returns the server for the file at an absolute path, or undefined if the `scm` provider needs none. Never rejects.
   *
   * @param refresher - renews the token that the server serves
   */
  readonly get: (
    path: string,
    account: ServiceAccount,
    refresher: FileRefresher,
  ) => Promise<RunningTokenServer | undefined>;
}

/** The auth files that this process has ensured. It refreshes them until it exits. */
export class AuthFiles {
  readonly #isEngineConnected: () => boolean;
  readonly #servers: AuthFileServers | undefined;
  /** By absolute path. */
  readonly #refreshers = new Map<string, { readonly account: ServiceAccount; readonly refresher: TokenRefresher }>();

  /**
   * @param isEngineConnected - checked before each refresh; once it returns false, refreshing stops
   * @param servers - the token servers of this process. Default: none
   */
  constructor(isEngineConnected: () => boolean = () => true, servers?: AuthFileServers) {
    this.#isEngineConnected = isEngineConnected;
    this.#servers = servers;
  }

  /**
   * Ensures that the file exists and contains a valid token, and refreshes it from then on.
   *
   * @param path - relative to the working directory, or absolute
   * @returns warnings for the user
   * @throws AuthError
   */
  async ensure(path: string, account: ServiceAccount, minTtl?: Seconds): Promise<readonly string[]> {
    const limits = createLimits(account.timeout);
    const ownServer = await this.#getServer(resolveAuthFilePath(path), account);
    const file = await ensureTokenFile(account.context, account.tokens, { path, minTtl, limits, ownServer });
    // The process that runs a token server also refreshes the file.
    if (file.server === undefined || file.server.jobId === PULUMI_JOB_ID)
      this.#startRefresher(file.path, account, file.token);
    return file.warnings;
  }

  async #getServer(path: string, account: ServiceAccount): Promise<RunningTokenServer | undefined> {
    const getRefresher = (): TokenRefresher | undefined => this.#refreshers.get(path)?.refresher;
    // The refresher is not running yet. It is replaced if another resource with this path has other options.
    const refresher = {
      get current() {
        return getRefresher()?.current;
      },
      get rejection() {
        return getRefresher()?.rejection;
      },
      requestRenewal: () => getRefresher()?.requestRenewal(),
    };
    return this.#servers?.get(path, account, refresher);
  }

  #startRefresher(path: string, account: ServiceAccount, token: AccessToken): void {
    const active = this.#refreshers.get(path);
    if (active?.account === account && active.refresher.rejection === undefined) return;
    active?.refresher.stop();
    const options = { clock: backgroundClock, random: Math.random };
    // Every token from this source has already been written to the file.
    const tokens: TokenSource = new TokenSource((signal) => this.#refresh(path, account, tokens, signal), options);
    tokens.adopt(token);
    const refresher = new TokenRefresher(tokens, { ...options, write: () => Promise.resolve() });
    this.#refreshers.set(path, { account, refresher });
    refresher.start();
  }

  /**
   * Returns a newer token in the file, written by another process or by this one. A file that was removed is not
   * created again.
   */
  async #refresh(path: string, account: ServiceAccount, file: TokenSource, signal: AbortSignal) {
    const { context, tokens, timeout } = account;
    if (!this.#isEngineConnected()) {
      this.#refreshers.get(path)?.refresher.stop();
      this.#refreshers.delete(path);
      throw abortedError();
    }
    const minTtl = Math.max(0, file.current?.remaining(backgroundClock) ?? 0) / 1000 + MIN_GAIN;
    const limits = { ...createLimits(timeout), signal };
    const ownServer = await this.#getServer(path, account);
    return (await ensureTokenFile(context, tokens, { path, minTtl, limits, ownServer, onlyIfExists: true })).token;
  }
}

/**
 * Ensures the auth file specified in the arguments of an AuthFile. Without a client ID or a secret, the file cannot be
 * created, but an existing file written by the action or by another process is used if its token can be verified.
 *
 * @returns the request that the token is for, unless only the file identifies it, and warnings for the user
 * @throws AuthError, of kind `config` with all issues of the arguments
 */
export async function ensureAuthFileFromArgs(args: Args, { accounts, files }: ProviderState) {
  const { path } = args;
  if (isPath(path) && !hasCredentials(args)) {
    const { warnings } = await reuseToken("path", path, args, accounts);
    return { authRequest: undefined, warnings };
  }
  const config = parseSignInArgs(args, "AuthFile");
  const warnings = await files.ensure(path as string, accounts.get(config), config.minTtl);
  return { authRequest: config.authRequest, warnings };
}

/**
 * Returns the token for the arguments of getAccessToken: the token in the auth file if it is valid for long enough. If
 * not, a token for the service account.
 *
 * @throws AuthError, of kind `config` with all issues of the arguments
 */
export async function getTokenFromArgs(args: Args, accounts: ServiceAccounts): Promise<AccessToken> {
  const { authFile } = args;
  if (isPath(authFile) && !hasCredentials(args)) return (await reuseToken("authFile", authFile, args, accounts)).token;
  const config = parseSignInArgs(args, "getAccessToken");
  const account = accounts.get(config);
  const { context, timeout } = account;
  const { token } = isPath(authFile)
    ? await readAuthFile(context, resolveAuthFilePath(authFile, "authFile"), createLimits(timeout))
    : {};
  if (token !== undefined && hasMinRemaining(token, config.minTtl, context.clock)) return token;
  return getToken(account, config.minTtl);
}

const isPath = (value: unknown): value is string => typeof value === "string" && value.trim() !== "";

const REFRESH_HINT = "Refresh the file where it was created, or provide credentials.";
const NO_FILE_HINT =
  "Create the file or provide credentials. Relative paths are resolved from the program's directory.";

/**
 * Returns the token in an auth file, for arguments without complete credentials, and warnings about the directory. The
 * client ID and scope are those in the arguments, or those in the file if not set. Requests no token and writes nothing.
 *
 * @param field - the argument that contains the path
 * @throws AuthError of kind `config` if there is no usable token. It says why, and what a sign-in would need
 */
async function reuseToken(
  field: "path" | "authFile",
  givenPath: string,
  args: Args,
  accounts: ServiceAccounts,
): Promise<{ readonly token: AccessToken; readonly warnings: readonly string[] }> {
  const owner = field === "path" ? "AuthFile" : "getAccessToken";
  const path = resolveAuthFilePath(givenPath, field);
  const unusable = (reason: string, hint = REFRESH_HINT): AuthError => {
    const message = `refers to an auth file with no usable token (${path}: ${reason})`;
    const { issues } = collectIssues(() => parseSignInArgs(args, owner));
    // The hint for a missing argument would not say which one it means.
    const others = issues.map((issue) => (issue.code === "required" ? { ...issue, hint } : issue));
    return configError([{ field, message, hint }, ...others]);
  };
  const { timeout } = args;
  // The arguments are validated below, because they depend on the file.
  const limits = createLimits(typeof timeout === "number" && timeout > 0 ? timeout : DEFAULTS.timeout);
  const file = await readPrivateFile(path, limits);
  if (file === undefined) throw unusable("no such file", NO_FILE_HINT);
  // The `scm` provider trusts the file, and it is not replaced here.
  const warnings = await checkPrivateDirectory(path, limits);
  const content = parseAuthFile(file.text);
  if (content === undefined) throw unusable("it was not created by scm-auth");

  const clientId = args["clientId"] ?? content.clientId;
  const scope = args["scope"] ?? (args["tsgId"] === undefined ? content.scope : undefined);
  const config = parseSignInArgs({ ...args, clientId, scope, clientSecret: PLACEHOLDER_SECRET }, owner);
  const { context } = accounts.get(config);
  const { token, reason } = await readAuthFile(context, path, limits);
  if (token === undefined) {
    // The hint for an expired token assumes that the token was just requested.
    const hint = reason?.code === "token_expired" ? undefined : reason?.hint;
    throw unusable(reason?.description.replace(/\.$/, "") ?? "it is for another identity", hint);
  }
  if (!hasMinRemaining(token, config.minTtl, context.clock))
    throw unusable(`it expires in ${formatDuration(token.remaining(context.clock) ?? 0)}`);
  // The providers honor additional fields and request the next token from this URL.
  const isKnownUrl =
    content.authUrl === context.authRequest.tokenUrl.href || parseTokenServerPort(content.authUrl) !== undefined;
  if (!isCanonical(file.text) || !isKnownUrl) throw unusable("it contains values that scm-auth does not write");
  return { token, warnings };
}
