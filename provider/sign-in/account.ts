import { createHmac, randomBytes } from "node:crypto";
import { TokenSource } from "../../shared/client/token-source.ts";
import { systemClock, type Milliseconds, type Seconds } from "../../shared/clock.ts";
import { DEFAULTS } from "../../shared/handoff/call-plan.ts";
import { isRefusal } from "../../shared/handoff/keep-fresh.ts";
import { leastLeft } from "../../shared/handoff/life-left.ts";
import { trust } from "../../shared/http/tls.ts";
import { AuthError } from "../../shared/report/errors.ts";
import { AccessToken } from "../../shared/token/access-token.ts";
import type { AuthRequest } from "../../shared/token/auth-request.ts";
import { KeyCache } from "../../shared/token/key-cache.ts";
import { mint, prove, type MintOptions } from "../../shared/token/prove-token.ts";
import { scopeSet } from "../../shared/token/scope.ts";
import { userAgent } from "../../shared/version.ts";
import type { SignIn } from "./arguments.ts";

/** The service accounts that a process signs in with: who asks twice in the same way gets the same one. */
export class Accounts {
  readonly #accounts = new Map<string, Account>();
  /** Of this process alone, so that a digest of a secret says nothing elsewhere. */
  readonly #key = randomBytes(32);

  /** The account of a sign-in. */
  of(signIn: SignIn): Account {
    const { request, timeout, maxRetries } = signIn;
    const secret = createHmac("sha256", this.#key).update(request.clientSecret).digest("base64");
    const { clientId, scope, tokenUrl, jwksUrl, ca } = request;
    const urls = [tokenUrl.href, jwksUrl.href];
    const key = JSON.stringify([urls, clientId, scopeSet(scope), ca, secret, timeout, maxRetries]);
    let account = this.#accounts.get(key);
    if (account === undefined) this.#accounts.set(key, (account = new Account(signIn, key)));
    return account;
  }
}

/** One service account in one process: one token for all who want it, and a refusal that is not asked for twice. */
export class Account {
  readonly request: AuthRequest;
  /** For one sign-in. */
  readonly timeout: Seconds;
  /** Tells this account and the ways to sign in with it from others. Not to be shown. */
  readonly key: string;
  readonly #maxRetries: number;
  readonly #keys = new KeyCache(systemClock);
  readonly #secureContext: ReturnType<typeof trust>;
  readonly #source: TokenSource<AccessToken>;
  #endsAt: Milliseconds = 0;
  #refusal: AuthError | undefined;
  #renewing: AbortSignal | undefined;
  /** For the flight that begins next. */
  #allowed: Seconds;

  constructor({ request, timeout, maxRetries }: SignIn, key: string) {
    this.request = request;
    this.timeout = timeout;
    this.key = key;
    this.#maxRetries = maxRetries;
    this.#allowed = timeout;
    this.#secureContext = trust(request.ca);
    this.#source = new TokenSource(() => this.#mint(), {
      // Nothing is renewed behind a caller's back: it would be one request more than was asked for.
      buffer: 0,
      clock: systemClock,
      random: Math.random,
      onRefreshFailed: () => undefined,
    });
  }

  /**
   * A token with at least `minTtl` seconds left, or one minted just now.
   *
   * @param timeout - what is left of the time for a sign-in. Default: all of it
   * @throws AuthError; the same one again, without a request, once the server has refused
   */
  async token(minTtl?: Seconds, timeout: Seconds = this.timeout): Promise<AccessToken> {
    if (this.#refusal !== undefined) throw this.#refusal;
    this.#allowed = timeout;
    const life = this.#source.current?.life ?? 0;
    return this.#now(await this.#source.token({ minTtl: leastLeft(minTtl, life) / 1000 }));
  }

  /** A new token for who keeps one fresh, by one try that `signal` ends. @throws AuthError */
  async renewed(signal: AbortSignal): Promise<AccessToken> {
    this.#renewing = signal;
    this.#allowed = this.timeout;
    try {
      return this.#now(await this.#source.refresh(signal));
    } finally {
      this.#renewing = undefined;
    }
  }

  /** Proves a token that was found. @throws AuthError */
  prove(raw: string, timeout: Seconds): Promise<AccessToken> {
    return prove(this.request, raw, this.#options(timeout));
  }

  async #mint(): Promise<AccessToken> {
    const signal = this.#renewing;
    try {
      const token = await mint(this.request, {
        ...this.#options(this.#allowed),
        // Who renews tries again by himself, and his waits hold no process.
        ...(signal && { signal, policy: { maxRetries: 0, backoff: DEFAULTS.backoff, spreadOverload: false } }),
      });
      this.#endsAt = systemClock.monotonic() + (token.lifetime ?? 0);
      return token;
    } catch (error) {
      if (AuthError.isAuthError(error) && isRefusal(error)) this.#refusal = error;
      throw error;
    }
  }

  #options(timeout: Seconds): MintOptions {
    return {
      policy: { maxRetries: this.#maxRetries, backoff: DEFAULTS.backoff, spreadOverload: false },
      timeout,
      userAgent: `${userAgent} pulumi`,
      keys: this.#keys,
      secureContext: this.#secureContext,
      verify: true,
    };
  }

  /** The token with what it has left at this moment. */
  #now(token: AccessToken): AccessToken {
    return new AccessToken(token.value, {
      expiresAt: token.expiresAt,
      lifetime: Math.max(0, this.#endsAt - systemClock.monotonic()),
      life: token.life,
      scope: token.scope.split(" "),
      tenants: this.request.tenants,
      ...(token.key && { key: token.key }),
    });
  }
}
