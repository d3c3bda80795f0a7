import type { AccessToken } from "../shared/access-token.ts";
import { ensureTokenFile } from "../shared/auth-file/ensure-auth-file.ts";
import { TokenRefresher } from "../shared/auth-file/refresher.ts";
import { backgroundClock, type Seconds } from "../shared/clock.ts";
import type { Environment } from "../shared/environment.ts";
import { abortedError } from "../shared/errors.ts";
import { TokenSource } from "../shared/token-source.ts";
import { reuseToken } from "./existing-token.ts";
import { createLimits, type ServiceAccount, type ServiceAccounts } from "./service-accounts.ts";
import { hasSecret, parseSignInArgs, type Args, type SignInConfig } from "./sign-in-args.ts";

/** What all resources and functions of a deployment, or of a dynamic provider process, share. */
export interface ProviderState {
  readonly accounts: ServiceAccounts;
  readonly files: AuthFiles;
  readonly env: Environment;
}

/** An auth file with a valid token. */
export interface EnsuredFile {
  /** Whom the token is for; undefined if only the file says so. */
  readonly authRequest: SignInConfig["authRequest"] | undefined;
  /** Messages for the user. */
  readonly warnings: readonly string[];
}

/** A token is newer than that of the file if it expires at least this much later. */
const MIN_GAIN: Seconds = 1;

/** The auth files that this process has ensured. It refreshes them until it ends. */
export class AuthFiles {
  readonly #isEngineConnected: () => boolean;
  readonly #refreshers = new Map<string, { readonly account: ServiceAccount; readonly refresher: TokenRefresher }>();

  /** @param isEngineConnected - checked before each refresh; once it is false, refreshing ends */
  constructor(isEngineConnected: () => boolean = () => true) {
    this.#isEngineConnected = isEngineConnected;
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
    const file = await ensureTokenFile(account.context, account.tokens, { path, minTtl, limits });
    // The process of a token server also refreshes the file.
    if (file.server === undefined) this.#startRefresher(file.path, account, file.token);
    return file.warnings;
  }

  #startRefresher(path: string, account: ServiceAccount, token: AccessToken): void {
    const active = this.#refreshers.get(path);
    if (active?.account === account && active.refresher.rejection === undefined) return;
    active?.refresher.stop();
    const options = { clock: backgroundClock, random: Math.random };
    // The next token of this source is one that has been written to the file.
    const tokens: TokenSource = new TokenSource((signal) => this.#refresh(path, account, tokens, signal), options);
    tokens.adopt(token);
    const refresher = new TokenRefresher(tokens, { ...options, write: () => Promise.resolve() });
    this.#refreshers.set(path, { account, refresher });
    refresher.start();
  }

  /** A newer token in the file: that of a process that was faster, or a new one. A file that was removed stays removed. */
  async #refresh(path: string, { context, tokens, timeout }: ServiceAccount, file: TokenSource, signal: AbortSignal) {
    if (!this.#isEngineConnected()) {
      this.#refreshers.get(path)?.refresher.stop();
      this.#refreshers.delete(path);
      throw abortedError();
    }
    const minTtl = Math.max(0, file.current?.remaining(backgroundClock) ?? 0) / 1000 + MIN_GAIN;
    const limits = { ...createLimits(timeout), signal };
    return (await ensureTokenFile(context, tokens, { path, minTtl, limits, onlyIfExists: true })).token;
  }
}

/**
 * Ensures the auth file that the arguments of an AuthFile name. Without a secret it cannot be created, but an existing
 * file of the action or of another process is used if its token can be verified.
 *
 * @throws AuthError, of kind `config` with all issues of the arguments
 */
export async function ensureAuthFileFromArgs(args: Args, state: ProviderState): Promise<EnsuredFile> {
  const { path } = args;
  if (!hasSecret(args, state.env) && typeof path === "string" && path.trim() !== "") {
    await reuseToken("path", path, args, state);
    return { authRequest: undefined, warnings: [] };
  }
  const config = parseSignInArgs(args, "AuthFile", state.env);
  const warnings = await state.files.ensure(path as string, state.accounts.get(config), config.minTtl);
  return { authRequest: config.authRequest, warnings };
}
