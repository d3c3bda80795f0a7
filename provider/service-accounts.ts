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

  get({ authRequest, timeout, maxRetries }: SignInConfig): ServiceAccount {
    const { clientId, clientSecret, scope, tokenUrl, jwksUrl, ca } = authRequest;
    const urls = [tokenUrl.href, jwksUrl.href];
    const key = JSON.stringify([clientId, clientSecret, normalizeScope(scope), urls, ca, timeout, maxRetries]);
    const known = this.#accounts.get(key);
    if (known !== undefined) return known;
    const context = createSignInContext(authRequest, {
      policy: { maxRetries },
      userAgent: `scm-auth-pulumi/${VERSION}`,
      // Refreshing in the background must not keep a program alive. Callers that wait use `holdProcess`.
      clock: backgroundClock,
    });
    const { clock, random } = context;
    const request = (signal: AbortSignal) => requestToken(context, { ...createLimits(timeout), signal });
    const account = { context, timeout, tokens: new TokenSource(request, { clock, random }) };
    this.#accounts.set(key, account);
    return account;
  }
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

/** A collection of values returned by getAccessToken. */
export interface GetAccessTokenResult {
  /** The string to send as `Authorization: Bearer <accessToken>`. */
  readonly accessToken: string;
  /** When the token expires: UTC, whole seconds (RFC 3339). */
  readonly expiresAt: string;
  /** The granted scope, separated by spaces. */
  readonly scope: string;
  /** The ID of the tenant (TSG); empty if there are several or none. */
  readonly tsgId: string;
}

/** What programs and the engine get of a verified token, which has an expiration (claim `exp`). */
export const toResult = ({ value, expiresAt, scope, tsgId = "" }: AccessToken): GetAccessTokenResult => ({
  accessToken: value,
  expiresAt: expiresAt?.toISOString().replace(/\.\d+Z$/, "Z") ?? "",
  scope,
  tsgId,
});
