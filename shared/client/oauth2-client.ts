import { systemClock, type Clock, type Milliseconds, type Random, type Seconds } from "../clock.ts";
import type { RetryPolicy } from "../http/retry.ts";
import { trust } from "../http/tls.ts";
import { AuthError, TokenExpiredError } from "../report/errors.ts";
import type { AuthEvent } from "../report/events.ts";
import { quietly } from "../report/quiet-listener.ts";
import { Redactor } from "../report/redactor.ts";
import { showAs } from "../report/show-as.ts";
import type { AccessToken } from "../token/access-token.ts";
import { AuthRequest, type AuthRequestInput } from "../token/auth-request.ts";
import type { Claims } from "../token/claims.ts";
import { Flight, type FlightOptions } from "../token/flight.ts";
import { decodeJws, isJws } from "../token/jws.ts";
import { KeyCache } from "../token/key-cache.ts";
import { loadKeys, mint } from "../token/prove-token.ts";
import type { SigningKey } from "../token/signing-keys.ts";
import { verifyToken } from "../token/verify-token.ts";
import { userAgent } from "../version.ts";
import { IDEMPOTENT } from "./api-answer.ts";
import { callApi } from "./api-call.ts";
import { parseOptions, type ClientOptions } from "./client-options.ts";
import { KeptConnections } from "./kept-connections.ts";
import { ClientSession, type Session } from "./session.ts";
import { TokenSource, type TokenWish } from "./token-source.ts";

/** Seams for tests, beside the public options. */
interface Seams {
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * A signed-in service account: one verified token for any number of callers, renewed in time. Names follow
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
  /** Repeats of a request after a failure that may pass. */
  static readonly MAX_RETRIES: number = 3;
  /** Scale of the waits between them, in seconds. */
  static readonly RETRY_BACKOFF: Seconds = 0.3;
  /** Life left, in seconds, from which on a token counts as expiring soon. */
  static readonly TOKEN_EXPIRY_BUFFER: Seconds = 300;

  /** What it signs in with. Prints without the secret. */
  readonly authRequest: AuthRequest;
  /** Authenticated calls to the SCM API. */
  readonly session: Session;
  readonly #verify: boolean;
  readonly #flightOptions: FlightOptions;
  readonly #secureContext: ReturnType<typeof trust>;
  readonly #clock: Clock;
  readonly #keys: KeyCache;
  readonly #source: TokenSource<AccessToken>;
  readonly #emit: (event: AuthEvent) => void;
  #signedIn: { readonly wall: Milliseconds; readonly monotonic: Milliseconds } | undefined;

  /**
   * Does no I/O: the first token is asked for when it is wanted.
   *
   * @param request - an AuthRequest, or what `AuthRequest.parse` takes
   * @throws AuthError of kind `config` with every problem of the options
   */
  constructor(request: AuthRequest | AuthRequestInput, options: ClientOptions & Seams = {}) {
    this.authRequest = AuthRequest.isAuthRequest(request) ? request : AuthRequest.parse(request);
    const parsed = parseOptions(options, new.target);
    const { clock = systemClock, random = Math.random } = options;
    this.#clock = clock;
    this.#verify = parsed.verify;
    this.#emit = quietly(parsed.onEvent);
    const policy: RetryPolicy = { maxRetries: parsed.maxRetries, backoff: parsed.retryBackoff, spreadOverload: false };
    const { timeout } = parsed;
    this.#flightOptions = { policy, timeout, userAgent, onEvent: this.#emit, clock, random };
    this.#secureContext = trust(this.authRequest.ca);
    this.#keys = new KeyCache(clock);
    this.#source = new TokenSource(() => this.#mint(), {
      buffer: parsed.tokenExpiryBuffer,
      clock,
      random,
      onHeld: () => {
        this.#emit({ type: "token", level: "debug", scope: this.scope ?? "", expiresAt: this.expiresAt });
      },
      // The mint has told of it already.
      onRefreshFailed: () => undefined,
    });
    const connections = parsed.apiUrl.protocol === "https:" ? new KeptConnections() : undefined;
    this.session = new ClientSession({
      apiUrl: parsed.apiUrl,
      token: async (signal) => (await this.#source.token({ signal })).value,
      tokenAfter: async (used, signal) => {
        const renewed =
          this.#source.current?.value === used ? this.#source.refresh(signal) : this.#source.token({ signal });
        return (await renewed).value;
      },
      redactor: (tokens) => new Redactor([...tokens, this.authRequest.clientSecret]),
      send: (call, signal) => {
        const agent = IDEMPOTENT.has(call.method) ? connections : undefined;
        const options = { ...this.#flightOptions, ...(signal && { signal }), agent };
        return callApi(call, new Flight(this.#secureContext, options));
      },
    });
  }

  /**
   * A client that has its first token already, verified.
   *
   * @param request - an AuthRequest, or what `AuthRequest.parse` takes
   * @throws AuthError of any kind: `config` for request and options, the others for the sign-in
   */
  static async connect(request: AuthRequest | AuthRequestInput, options: ClientOptions = {}): Promise<OAuth2Client> {
    const client = new this(request, options);
    await client.refreshToken();
    return client;
  }

  /**
   * The bearer string of a token that lives. Inside the buffer the current one is given while a new one is fetched
   * behind; near its end callers wait for the new one. All who wait share one request.
   *
   * @param wish - `minTtl`: seconds of life it must have left (one just minted is given in any case); `signal`:
   *   ends this caller's waiting alone
   * @throws AuthError of kind `aborted` for `signal`, of the others when a sign-in that was waited for failed
   */
  async accessToken(wish: TokenWish = {}): Promise<string> {
    return (await this.#source.token(wish)).value;
  }

  /**
   * Fetches a new token now, proves it and puts it in the place of the current one, its signing key too; joins a
   * request that is under way. When it fails, the current token goes on serving.
   *
   * @throws AuthError
   */
  async refreshToken(): Promise<void> {
    await this.#source.refresh();
  }

  /**
   * The claims of the current token (RFC 7519), its signature verified anew. With `verify: false` its unverified
   * claims.
   *
   * @throws TokenExpiredError when it has ended; AuthError when there is none (`no_token`), it is opaque
   *   (`opaque_token`), it is not proved, or its keys can't be had
   */
  async decodeToken(): Promise<Claims> {
    const token = this.#source.current?.value;
    if (token === undefined) throw new AuthError("there is no token yet.", { kind: "config", code: "no_token" });
    if (!this.#verify) {
      if (this.isExpired)
        throw new TokenExpiredError(
          new AuthError("the token has ended.", { kind: "verification", code: "token_expired" }),
        );
      if (isJws(token)) return decodeJws(token).payload as Claims;
      throw new AuthError("the access_token is opaque (no JWT).", { kind: "protocol", code: "opaque_token" });
    }
    const flight = new Flight(this.#secureContext, this.#flightOptions);
    try {
      const { find } = this.#keys.search(() => loadKeys(flight, this.authRequest));
      const clocks = () => ({ wall: this.#clock.wall(), offset: this.#clockShift() });
      return (await verifyToken(token, find, this.authRequest, clocks)).claims;
    } catch (error) {
      throw AuthError.isAuthError(error) && error.code === "token_expired" ? new TokenExpiredError(error) : error;
    } finally {
      await flight.end();
    }
  }

  /** Whether there is no token that lives, by a clock that nobody sets. Never throws. */
  get isExpired(): boolean {
    return this.#source.isExpired;
  }

  /**
   * Whether the token ends within the buffer (`TOKEN_EXPIRY_BUFFER`, at most a third of its life, with up to a tenth
   * added at random once for each token), or there is none. Never throws.
   */
  get tokenExpiresSoon(): boolean {
    return this.#source.expiresSoon;
  }

  /** The public key that verified the current token, as a JWK (RFC 7517); undefined before, or with `verify: false`. */
  get signingKey(): SigningKey | undefined {
    return this.#source.current?.key;
  }

  /** When the current token ends, by itself; undefined before the first, and when neither it nor its server said. */
  get expiresAt(): Date | undefined {
    const end = this.#source.current?.expiresAt;
    // A copy: a Date can be changed by whoever holds it.
    return end && new Date(end);
  }

  /** The scope that the current token grants, its words separated by spaces; undefined before the first. */
  get scope(): string | undefined {
    return this.#source.current?.scope;
  }

  /** The tenant (TSG id) of the current token; undefined before the first, and when its scope names none or several. */
  get tsgId(): string | undefined {
    return this.#source.current?.tsgId;
  }

  /** How far the wall clock was moved since the sign-in, when the token's times were right by it. */
  #clockShift(): Milliseconds | undefined {
    const signedIn = this.#signedIn;
    return signedIn && signedIn.wall + (this.#clock.monotonic() - signedIn.monotonic) - this.#clock.wall();
  }

  async #mint(): Promise<AccessToken> {
    try {
      const token = await mint(this.authRequest, {
        ...this.#flightOptions,
        verify: this.#verify,
        secureContext: this.#secureContext,
        keys: this.#keys,
      });
      this.#signedIn = { wall: this.#clock.wall(), monotonic: this.#clock.monotonic() };
      return token;
    } catch (error) {
      if (AuthError.isAuthError(error)) this.#emit({ type: "failure", level: "error", error });
      throw error;
    }
  }
}
showAs(
  OAuth2Client.prototype,
  (client) => `OAuth2Client { ${client.authRequest.clientId} ${client.scope ?? "not signed in"} }`,
);
