import type { AccessToken } from "./access-token.ts";
import { AuthRequest, toAuthRequest, type AuthRequestInput } from "./auth-request.ts";
import { CLIENT_OPTION_NAMES, resolveOptions, type ClientOptions } from "./client-options.ts";
import { backgroundClock, holdProcess, type Milliseconds, type Seconds } from "./clock.ts";
import { abortedError, AuthError, TokenExpiredError } from "./errors.ts";
import { HttpsAgent } from "./http/connection.ts";
import { defineInspect } from "./inspect.ts";
import type { SigningKey } from "./jwks.ts";
import { decodeJwt, looksLikeJwt, verifyJwt, type JWTClaims } from "./jwt.ts";
import { copyProperties, DEFAULTS, optionSchemas, validateOptions, type TestHooks } from "./options.ts";
import { ScmSession, type Session } from "./session.ts";
import {
  createSeparateContext,
  createSignInContext,
  opaqueTokenError,
  requestToken,
  type SignInContext,
} from "./sign-in.ts";
import { TokenSource, type AccessTokenOptions } from "./token-source.ts";

/** Options that let a caller abort a call. */
export interface SignalOptions {
  /** Aborts the call. The abort reason becomes the `cause` of the error. Other callers are not affected. */
  readonly signal?: AbortSignal | undefined;
}

/** How long idle connections are kept. Firewalls silently drop them, and some servers close them after five seconds. */
const KEEP_ALIVE: Milliseconds = 4000;

const SIGNAL_OPTIONS = { signal: optionSchemas.signal } as const;
const ACCESS_TOKEN_OPTIONS = { ...SIGNAL_OPTIONS, minTtl: optionSchemas.minTtl } as const;

/**
 * A signed-in service account. Any number of callers share one verified token, which is refreshed before it expires.
 * The names are those of `OAuth2Client` in the Python `pan-scm-sdk`, in camelCase.
 *
 * @example
 * ```ts
 * const client = await OAuth2Client.connect(AuthRequest.fromEnv());
 * const tags = client.session.list("/config/objects/v1/tags", { query: { folder: "All" } });
 * for await (const tag of tags) console.log(tag);
 * ```
 */
export class OAuth2Client {
  /** Maximum number of retries of a request after temporary failures. */
  static readonly MAX_RETRIES: number = DEFAULTS.maxRetries;
  /** Backoff factor for the delays between retries, in seconds. */
  static readonly RETRY_BACKOFF: Seconds = DEFAULTS.backoff;
  /** Remaining lifetime, in seconds, below which a token is considered to expire soon. */
  static readonly TOKEN_EXPIRY_BUFFER: Seconds = 300;

  /** The sign-in configuration. Printing it does not show the secret. */
  readonly authRequest: AuthRequest;
  /** Authenticated requests to the SCM API. */
  readonly session: Session;
  readonly #context: SignInContext;
  readonly #timeout: Milliseconds;
  readonly #tokens: TokenSource;
  /** The wall-clock time minus `clock.elapsed()`, measured when the current token was verified. */
  #clockOffset: Milliseconds = 0;

  /**
   * Creates a client without performing any I/O. The first token is requested when it is needed.
   *
   * @param request - an AuthRequest or its fields. Default: `AuthRequest.fromEnv()`
   * @throws AuthError of kind `config` with all issues in the request and the options
   */
  constructor(request?: AuthRequest | AuthRequestInput, options: ClientOptions = {}) {
    this.authRequest = request === undefined ? AuthRequest.fromEnv() : toAuthRequest(request);
    const settings = resolveOptions(options, new.target);
    // Tests pass a clock in addition to the public options.
    const { clock = backgroundClock, random = Math.random } = options as TestHooks;
    this.#timeout = settings.timeout * 1000;
    const context = createSignInContext(this.authRequest, {
      verify: settings.verify,
      policy: { maxRetries: settings.maxRetries, backoff: settings.retryBackoff, spreadOnOverload: false },
      onEvent: settings.onEvent,
      clock,
      random,
    });
    // A background refresh must not keep a finished program alive.
    this.#context = { ...context, unref: true };
    this.#tokens = new TokenSource((signal) => this.#requestToken(signal), {
      buffer: settings.tokenExpiryBuffer,
      clock,
      random,
      onToken: ({ scope, expiresAt }) => {
        this.#context.onEvent({ type: "token", scope, expiresAt });
      },
    });
    const apiUrl = new URL(settings.apiUrl);
    this.session = new ScmSession({
      context: this.#context,
      tokens: this.#tokens,
      apiUrl,
      timeout: this.#timeout,
      maxResponseBytes: settings.maxResponseBytes,
      agent:
        apiUrl.protocol === "https:"
          ? new HttpsAgent({ keepAlive: true, scheduling: "lifo", timeout: KEEP_ALIVE })
          : undefined,
    });
  }

  /**
   * Creates a client and requests its first token.
   *
   * @param request - an AuthRequest or its fields. Default: `AuthRequest.fromEnv()`
   * @throws AuthError of kind `config` if the request or the options are invalid, or of another kind if the sign-in
   *   fails
   */
  static async connect(
    request?: AuthRequest | AuthRequestInput,
    options: ClientOptions & SignalOptions = {},
  ): Promise<OAuth2Client> {
    const { signal } = options;
    const { signal: _, ...clientOptions } = copyProperties(options, CLIENT_OPTION_NAMES);
    const client = new this(request, clientOptions);
    await client.refreshToken({ signal });
    return client;
  }

  /**
   * Returns a valid access token. A token within the expiry buffer is refreshed in the background. If it is about to
   * expire, callers wait for a new one. All callers share one request.
   *
   * @param options - `minTtl`: the minimum remaining lifetime in seconds, capped at 90% of the token's lifetime
   * @throws AuthError of kind `aborted` if the signal is aborted, or of another kind if the token request fails. After
   *   a rejection, the same error is thrown for 1 to 60 seconds without a new request
   */
  async accessToken(options: AccessTokenOptions = {}): Promise<string> {
    validateOptions(options, ACCESS_TOKEN_OPTIONS);
    return (await holdProcess(this.#tokens.getToken(options))).value;
  }

  /**
   * Requests a new token immediately, or waits for a request that is already in progress. If the request fails, the
   * current token remains in use.
   *
   * @throws AuthError for the same reasons as {@link OAuth2Client.accessToken}
   */
  async refreshToken(options: SignalOptions = {}): Promise<void> {
    validateOptions(options, SIGNAL_OPTIONS);
    await holdProcess(this.#tokens.refresh(options));
  }

  /**
   * Verifies the current token with its signing key and returns its claims (RFC 7519). With `verify: false`, only the
   * expiration time is checked.
   *
   * @throws TokenExpiredError if the token has expired; AuthError if there is no token (`not_signed_in`) or it is not a
   *   JWT (`opaque_token`)
   */
  async decodeToken(options: SignalOptions = {}): Promise<JWTClaims> {
    validateOptions(options, SIGNAL_OPTIONS);
    const { signal } = options;
    if (signal?.aborted) throw abortedError(signal.reason);
    const token = this.#tokens.current;
    if (token === undefined) {
      const description = "not signed in: no token has been requested yet.";
      throw new AuthError(description, { kind: "config", code: "not_signed_in" });
    }
    const claims = this.#context.verify ? await this.#verify(token) : decodeUnverified(token);
    if (signal?.aborted) throw abortedError(signal.reason);
    if (this.isExpired) throw new TokenExpiredError();
    return claims;
  }

  /**
   * Whether there is no valid token. Setting the wall clock forward counts as elapsed time, and setting it back has no
   * effect. Never throws.
   */
  get isExpired(): boolean {
    return this.#tokens.isExpired;
  }

  /**
   * Whether there is no token or the token expires within the buffer. The buffer is `tokenExpiryBuffer` plus up to 10%,
   * chosen at random for each token, but at most a third of the token's lifetime. Never throws.
   */
  get tokenExpiresSoon(): boolean {
    return this.#tokens.expiresSoon;
  }

  /**
   * The public key (RFC 7517) that verified the current token; undefined before the first token, or with `verify:
   * false`.
   */
  get signingKey(): SigningKey | undefined {
    return this.#tokens.current?.signingKey;
  }

  /**
   * When the current token expires; undefined before the first token, or if neither the token nor the server specifies
   * it.
   */
  get expiresAt(): Date | undefined {
    const expiresAt = this.#tokens.current?.expiresAt;
    // Return a copy, because dates are mutable.
    return expiresAt && new Date(expiresAt);
  }

  /** The scope-tokens granted to the current token, separated by spaces; undefined before the first token. */
  get scope(): string | undefined {
    return this.#tokens.current?.scope;
  }

  /**
   * The TSG ID of the current token's tenant; undefined before the first token, or if its scope does not contain
   * exactly one tenant.
   */
  get tsgId(): string | undefined {
    return this.#tokens.current?.tsgId;
  }

  async #requestToken(signal: AbortSignal): Promise<AccessToken> {
    const { clock, onEvent } = this.#context;
    const context = createSeparateContext(this.#context);
    try {
      const token = await requestToken(context, { deadline: clock.monotonic() + this.#timeout, signal });
      this.#clockOffset = clock.now() - clock.elapsed();
      return token;
    } catch (error) {
      if (AuthError.isAuthError(error) && !signal.aborted) onEvent({ type: "error", error });
      throw error;
    }
  }

  /**
   * Uses the wall-clock time of the sign-in plus the elapsed time, so that later changes to the wall clock have no
   * effect.
   */
  async #verify({ value, signingKey }: AccessToken): Promise<JWTClaims> {
    const { clock } = this.#context;
    const { claims } = await verifyJwt(
      value,
      () => Promise.resolve(signingKey === undefined ? [] : [signingKey]),
      this.authRequest,
      () => ({ now: clock.elapsed() + this.#clockOffset, skew: undefined }),
    );
    return claims;
  }
}
defineInspect(
  OAuth2Client.prototype,
  (client) => `OAuth2Client { ${client.authRequest.clientId} ${client.scope ?? "not signed in"} }`,
);

function decodeUnverified({ value }: AccessToken): JWTClaims {
  if (looksLikeJwt(value)) return decodeJwt(value).payload as JWTClaims;
  throw opaqueTokenError("An opaque token has no claims that a client can read. Use it without decoding it.");
}
