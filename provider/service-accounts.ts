import { getMinRemaining, type AccessToken } from "../shared/access-token.ts";
import { backgroundClock, type Seconds } from "../shared/clock.ts";
import type { RequestLimits } from "../shared/http/request-context.ts";
import { normalizeScope } from "../shared/scope.ts";
import { createSignInContext, requestToken, type SignInContext } from "../shared/sign-in.ts";
import { TokenSource } from "../shared/token-source.ts";
import { VERSION } from "../shared/version.ts";
import type { SignInConfig } from "./sign-in-args.ts";

/** One service account in one process. */
export interface ServiceAccount {
  readonly context: SignInContext;
  /** Limit for one sign-in. */
  readonly timeout: Seconds;
  /** The token of all resources and functions that use this account. */
  readonly tokens: TokenSource;
}

/** The service accounts of a process. The same arguments result in the same account. */
export class ServiceAccounts {
  readonly #accounts = new Map<string, ServiceAccount>();

  get(config: SignInConfig): ServiceAccount {
    const { timeout, maxRetries } = config;
    const { clientId, clientSecret, scope, tokenUrl, jwksUrl, ca } = config.authRequest;
    const urls = [tokenUrl.href, jwksUrl.href];
    const key = JSON.stringify([clientId, clientSecret, normalizeScope(scope), urls, ca, timeout, maxRetries]);
    let account = this.#accounts.get(key);
    if (account === undefined) this.#accounts.set(key, (account = createAccount(config)));
    return account;
  }
}

function createAccount({ authRequest, timeout, maxRetries }: SignInConfig): ServiceAccount {
  const userAgent = `scm-auth-pulumi/${VERSION}`;
  // Refreshing in the background must not keep a program alive. Callers that wait use `holdProcess`.
  const clock = backgroundClock;
  const context = createSignInContext(authRequest, { policy: { maxRetries }, userAgent, clock });
  const tokens = new TokenSource((signal) => requestToken(context, { ...createLimits(timeout), signal }), {
    clock,
    random: Math.random,
  });
  return { context, timeout, tokens };
}

/** The limits of a sign-in that starts now. */
export const createLimits = (timeout: Seconds): RequestLimits => ({
  deadline: backgroundClock.monotonic() + timeout * 1000,
});

/**
 * A token with the minimum remaining lifetime, or a new one.
 *
 * @throws AuthError; after a rejection the same one without a request, for a pause that grows
 */
export const getToken = ({ tokens }: ServiceAccount, minTtl: Seconds | undefined): Promise<AccessToken> =>
  tokens.getToken({ minTtl: getMinRemaining(minTtl, tokens.current?.lifetime ?? 0) / 1000 });
