import { getMinRemaining, type AccessToken } from "../shared/access-token.ts";
import { backgroundClock, type Seconds } from "../shared/clock.ts";
import { AuthError } from "../shared/errors.ts";
import type { RequestLimits } from "../shared/http/request-context.ts";
import { normalizeScope } from "../shared/scope.ts";
import { createSeparateContext, createSignInContext, requestToken, type SignInContext } from "../shared/sign-in.ts";
import { isPermanentRejection, TokenSource } from "../shared/token-source.ts";
import { VERSION } from "../shared/version.ts";
import type { SignInConfig } from "./sign-in-args.ts";

/** One service account in one process. */
export interface ServiceAccount {
  readonly context: SignInContext;
  /** Time limit for one sign-in. */
  readonly timeout: Seconds;
  /** The source of the token shared by all resources and functions that use this account. */
  readonly tokens: TokenSource;
}

/** The service accounts of a process. The same arguments result in the same account. */
export class ServiceAccounts {
  readonly #accounts = new Map<string, ServiceAccount>();

  get({ authRequest, timeout, maxRetries }: SignInConfig): ServiceAccount {
    const fields = { ...authRequest.toInput(), scope: normalizeScope(authRequest.scope) };
    const key = JSON.stringify([fields, timeout, maxRetries]);
    const known = this.#accounts.get(key);
    if (known !== undefined) return known;
    const context = createSignInContext(authRequest, {
      policy: { maxRetries },
      userAgent: `scm-auth-pulumi/${VERSION}`,
      // Refreshing in the background must not keep a program alive. Callers that wait use `holdProcess`.
      clock: backgroundClock,
    });
    const { clock, random } = context;
    let rejection: AuthError | undefined;
    const request = async (signal: AbortSignal): Promise<AccessToken> => {
      if (rejection !== undefined) throw rejection;
      try {
        return await requestToken(createSeparateContext(context), { ...createLimits(timeout), signal });
      } catch (error) {
        // An operation sends a wrong secret only once, because the auth server may lock the account.
        if (AuthError.isAuthError(error) && isPermanentRejection(error) && !tokens.current) rejection = error;
        throw error;
      }
    };
    const tokens: TokenSource = new TokenSource(request, { clock, random });
    const account = { context, timeout, tokens };
    this.#accounts.set(key, account);
    return account;
  }
}

/** Returns the limits of a sign-in that starts now. */
export const createLimits = (timeout: Seconds): RequestLimits => ({
  deadline: backgroundClock.monotonic() + timeout * 1000,
});

/**
 * Returns the current token if it has the minimum remaining lifetime. If not, returns a new one.
 *
 * @throws AuthError. If the account's credentials were rejected before it had a token, the same error is thrown without
 *   a request
 */
export const getToken = ({ tokens }: ServiceAccount, minTtl: Seconds | undefined): Promise<AccessToken> =>
  tokens.getToken({ minTtl: getMinRemaining(minTtl, tokens.current?.lifetime ?? 0) / 1000 });

/** The values returned by getAccessToken. */
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

/**
 * Returns the properties of a verified token that programs and the engine receive. Such a token always has an
 * expiration time (claim `exp`).
 */
export const toResult = ({ value, expiresAt, scope, tsgId = "" }: AccessToken): GetAccessTokenResult => ({
  accessToken: value,
  expiresAt: expiresAt?.toISOString().replace(/\.\d+Z$/, "Z") ?? "",
  scope,
  tsgId,
});
