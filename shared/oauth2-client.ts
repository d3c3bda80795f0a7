import * as z from "zod/mini";
import type { AccessToken } from "./access-token.ts";
import { AuthRequest, toAuthRequest, type AuthRequestInput } from "./auth-request.ts";
import { backgroundClock, holdProcess, type Milliseconds, type Seconds } from "./clock.ts";
import type { Environment } from "./environment.ts";
import { abortedError, AuthError, configError, TokenExpiredError } from "./errors.ts";
import type { AuthEventListener } from "./events.ts";
import { HttpsAgent } from "./http/connection.ts";
import { getProxyPasswords } from "./http/proxy.ts";
import { isHttpsOrLoopback } from "./http/tls.ts";
import { defineInspect } from "./inspect.ts";
import type { SigningKey } from "./jwks.ts";
import { decodeJwt, looksLikeJwt, verifyJwt, type JWTClaims } from "./jwt.ts";
import {
  DEFAULTS,
  findOptionIssues,
  optionSchemas,
  validateOptions,
  type OptionSchema,
  type TestHooks,
} from "./options.ts";
import { Redactor } from "./redact.ts";
import { ScmSession, type Session } from "./session.ts";
import { createSignInContext, requestToken, type SignInContext } from "./sign-in.ts";
import { TokenSource, type AccessTokenOptions } from "./token-source.ts";

/** Options of {@link OAuth2Client}. Times are in seconds. */
export interface ClientOptions {
  /** Maximum retries of a request after a temporary failure, 0 to 20. Default: `OAuth2Client.MAX_RETRIES`. */
  readonly maxRetries?: number | undefined;
  /** Scale of the delays between retries, 0 to 60. Default: `OAuth2Client.RETRY_BACKOFF`. */
  readonly retryBackoff?: Seconds | undefined;
  /** A token with less remaining lifetime is refreshed, 0 to 86400. Default: `OAuth2Client.TOKEN_EXPIRY_BUFFER`. */
  readonly tokenExpiryBuffer?: Seconds | undefined;
  /** Limit for one sign-in, and for one API request, including retries, above 0 to 3600. Default: 60. */
  readonly timeout?: Seconds | undefined;
  /** Whether signatures are verified. Default: true. */
  readonly verify?: boolean | undefined;
  /**
   * Origin of the SCM API. Default: the environment's `SCM_API_URL`, otherwise `SCM_HOST` as the Terraform and Pulumi
   * providers read it, otherwise `https://api.strata.paloaltonetworks.com`.
   */
  readonly apiUrl?: string | undefined;
  /** Maximum size of an API response in bytes, 1 to 500000000. Default: 64 MiB. */
  readonly maxResponseBytes?: number | undefined;
  /** Receives events. Exceptions of the listener are ignored. */
  readonly onEvent?: AuthEventListener | undefined;
}

/** Ends the waiting of a call. */
export interface SignalOptions {
  /** Aborts the call, with its reason as the `cause` of the error. Other callers are not affected. */
  readonly signal?: AbortSignal | undefined;
}

const API_URL = "https://api.strata.paloaltonetworks.com";
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;
/** Firewalls drop idle connections silently, and some servers close them after five seconds. */
const KEEP_ALIVE: Milliseconds = 4000;

const isOrigin = (value: unknown): boolean =>
  typeof value === "string" &&
  URL.canParse(value) &&
  isHttpsOrLoopback(new URL(value)) &&
  new URL(value).href === `${new URL(value).origin}/`;

const CLIENT_OPTIONS = {
  maxRetries: optionSchemas.maxRetries,
  retryBackoff: optionSchemas.retryBackoff,
  tokenExpiryBuffer: optionSchemas.tokenExpiryBuffer,
  timeout: optionSchemas.timeout,
  verify: optionSchemas.verify,
  apiUrl: (): OptionSchema => [z.custom(isOrigin), "an https origin without path and credentials"],
  maxResponseBytes: (): OptionSchema => [z.int().check(z.gte(1), z.lte(500_000_000)), "an integer from 1 to 500000000"],
  onEvent: optionSchemas.onEvent,
} as const;
const SIGNAL_OPTIONS = { signal: optionSchemas.signal } as const;
const ACCESS_TOKEN_OPTIONS = { ...SIGNAL_OPTIONS, minTtl: optionSchemas.minTtl } as const;

/**
 * A service account that is signed in: one verified token for any number of callers, refreshed in time. The names follow
 * `OAuth2Client` of the Python `pan-scm-sdk`, in camelCase.
 *
 * @example
 * ```ts
 * const client = await OAuth2Client.connect(AuthRequest.fromEnv());
 * const tags = client.session.list("/config/objects/v1/tags", { query: { folder: "All" } });
 * for await (const tag of tags) console.log(tag);
 * ```
 */
export class OAuth2Client {
  /** Maximum retries of a request after a temporary failure. */
  static readonly MAX_RETRIES: number = DEFAULTS.maxRetries;
  /** Scale of the delays between retries, in seconds. */
  static readonly RETRY_BACKOFF: Seconds = DEFAULTS.backoff;
  /** The remaining lifetime with which a token counts as expiring soon, in seconds. */
  static readonly TOKEN_EXPIRY_BUFFER: Seconds = 300;

  /** The configuration of the sign-in. It prints without the secret. */
  readonly authRequest: AuthRequest;
  /** Authenticated requests to the SCM API. */
  readonly session: Session;
  readonly #context: SignInContext;
  readonly #timeout: Milliseconds;
  readonly #tokens: TokenSource;
  /** The wall clock minus `clock.elapsed()` when the current token was verified. */
  #clockOffset: Milliseconds = 0;

  /**
   * Does no I/O: the first token is requested when it is needed.
   *
   * @param request - an AuthRequest or its fields. Default: `AuthRequest.fromEnv()`
   * @throws AuthError of kind `config` with all issues of the request or the options
   */
  constructor(request?: AuthRequest | AuthRequestInput, options: ClientOptions = {}) {
    this.authRequest = request === undefined ? AuthRequest.fromEnv() : toAuthRequest(request);
    const settings = resolveOptions(options, new.target);
    // Tests pass a clock next to the public options.
    const { clock = backgroundClock, random = Math.random } = options as TestHooks;
    this.#timeout = settings.timeout * 1000;
    const context = createSignInContext(this.authRequest, {
      verify: settings.verify,
      policy: { maxRetries: settings.maxRetries, backoff: settings.retryBackoff, spreadOnOverload: false },
      onEvent: settings.onEvent,
      clock,
      random,
    });
    // A program that is done must not be kept alive by a refresh in the background.
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
   * @throws AuthError of any kind: `config` for request and options, the others for the sign-in
   */
  static async connect(
    request?: AuthRequest | AuthRequestInput,
    options: ClientOptions & SignalOptions = {},
  ): Promise<OAuth2Client> {
    const { signal, ...clientOptions } = options;
    const client = new this(request, clientOptions);
    await client.refreshToken({ signal });
    return client;
  }

  /**
   * Returns a valid access token. Within the expiry buffer it is refreshed in the background; when it is about to expire,
   * callers wait for the next one. All callers share one request.
   *
   * @param options - `minTtl`: the minimum remaining lifetime in seconds, at most 90 % of the token's lifetime
   * @throws AuthError of kind `aborted` for the signal; of other kinds if the request for a token failed. A rejection is
   *   remembered for 1 to 60 seconds and thrown again without a request
   */
  async accessToken(options: AccessTokenOptions = {}): Promise<string> {
    validateOptions(options, ACCESS_TOKEN_OPTIONS);
    return (await holdProcess(this.#tokens.getToken(options))).value;
  }

  /**
   * Requests a new token now, or joins a request that is under way. If it fails, the current token stays in use.
   *
   * @throws AuthError like {@link OAuth2Client.accessToken}
   */
  async refreshToken(options: SignalOptions = {}): Promise<void> {
    validateOptions(options, SIGNAL_OPTIONS);
    await holdProcess(this.#tokens.refresh(options));
  }

  /**
   * Verifies the current token with its signing key and returns its claims (RFC 7519). With `verify: false` only the
   * claims are checked for expiry.
   *
   * @throws TokenExpiredError if it has expired; AuthError if there is no token (`not_signed_in`), or it is not a JWT
   *   (`opaque_token`)
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

  /** Whether there is no valid token, by a clock that does not follow changes of the wall clock. Never throws. */
  get isExpired(): boolean {
    return this.#tokens.isExpired;
  }

  /**
   * Whether the token expires within the buffer (`TOKEN_EXPIRY_BUFFER`, at most a third of its lifetime, plus up to a
   * tenth of the buffer drawn at random for each token), or there is none. Never throws.
   */
  get tokenExpiresSoon(): boolean {
    return this.#tokens.expiresSoon;
  }

  /** The public key that verified the current token (RFC 7517); undefined before the first, or with `verify: false`. */
  get signingKey(): SigningKey | undefined {
    return this.#tokens.current?.signingKey;
  }

  /** When the current token expires; undefined before the first, or if neither the token nor the server says. */
  get expiresAt(): Date | undefined {
    const expiresAt = this.#tokens.current?.expiresAt;
    // A copy, because dates are mutable.
    return expiresAt && new Date(expiresAt);
  }

  /** The granted scope of the current token, separated by spaces; undefined before the first. */
  get scope(): string | undefined {
    return this.#tokens.current?.scope;
  }

  /** The tenant (TSG ID) of the current token; undefined before the first, or if its scope has none or several. */
  get tsgId(): string | undefined {
    return this.#tokens.current?.tsgId;
  }

  async #requestToken(signal: AbortSignal): Promise<AccessToken> {
    const { clock, onEvent } = this.#context;
    // One for each sign-in: the tokens of a client that runs for months would add up.
    const redactor = new Redactor([this.authRequest.clientSecret, ...getProxyPasswords(process.env)]);
    const context = { ...this.#context, redactor, onToken: redactor.add.bind(redactor) };
    try {
      const token = await requestToken(context, { deadline: clock.monotonic() + this.#timeout, signal });
      this.#clockOffset = clock.now() - clock.elapsed();
      return token;
    } catch (error) {
      if (AuthError.isAuthError(error) && !signal.aborted) onEvent({ type: "error", error });
      throw error;
    }
  }

  /** The time is the one of the sign-in plus what has elapsed, so that a wall clock that was set does not matter. */
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
  throw new AuthError("the access token is opaque (not a JWT).", { kind: "protocol", code: "opaque_token" });
}

/** The options with their defaults, of which a subclass may override the constants. */
function resolveOptions(
  options: ClientOptions,
  { MAX_RETRIES, RETRY_BACKOFF, TOKEN_EXPIRY_BUFFER }: typeof OAuth2Client,
) {
  const apiUrl =
    options.apiUrl === undefined ? getDefaultApiUrl(process.env) : { field: "apiUrl", value: options.apiUrl };
  const settings = {
    maxRetries: options.maxRetries ?? MAX_RETRIES,
    retryBackoff: options.retryBackoff ?? RETRY_BACKOFF,
    tokenExpiryBuffer: options.tokenExpiryBuffer ?? TOKEN_EXPIRY_BUFFER,
    timeout: options.timeout ?? DEFAULTS.timeout,
    verify: options.verify ?? true,
    apiUrl: apiUrl.value,
    maxResponseBytes: options.maxResponseBytes ?? MAX_RESPONSE_BYTES,
    onEvent: options.onEvent,
  };
  const issues = findOptionIssues({ ...options, ...settings }, CLIENT_OPTIONS);
  if (issues.length > 0)
    throw configError(issues.map((issue) => (issue.field === "apiUrl" ? { ...issue, field: apiUrl.field } : issue)));
  return settings;
}

/** The API's origin, and the variable or option that it comes from. */
function getDefaultApiUrl({ SCM_API_URL: url, SCM_HOST: host }: Environment) {
  if (url?.trim()) return { field: "SCM_API_URL", value: url.trim() };
  if (!host?.trim()) return { field: "apiUrl", value: API_URL };
  return { field: "SCM_HOST", value: host.includes("://") ? host.trim() : `https://${host.trim()}` };
}
