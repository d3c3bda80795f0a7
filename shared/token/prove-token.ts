import { systemClock, type Clock, type Milliseconds, type Random, type Seconds } from "../clock.ts";
import type { Quote } from "../http/json-answer.ts";
import { withRetries, type RetryPolicy, type Verdict } from "../http/retry.ts";
import { send, type HttpAnswer, type HttpRequest } from "../http/send.ts";
import { trust } from "../http/tls.ts";
import { AuthError } from "../report/errors.ts";
import type { OnEvent, RequestName } from "../report/events.ts";
import { printable } from "../report/printable.ts";
import { Redactor } from "../report/secrets.ts";
import { AccessToken, factsOf, lifeOf } from "./access-token.ts";
import type { AuthRequest } from "./auth-request.ts";
import { judgeClaims, judgeTenants, type Clocks, type Expectation } from "./claims.ts";
import { decodeJws, isJws } from "./jws.ts";
import { scopeWords } from "./scope.ts";
import { judgeKeys, keysFor, keysRequest, type SigningKey } from "./signing-keys.ts";
import { judgeTokenAnswer, tokenRequest, type TokenAnswer } from "./token-endpoint.ts";
import { verifyToken, type KeyFinder } from "./verify-token.ts";

/** How a token is fetched. */
export interface MintOptions {
  readonly policy: RetryPolicy;
  /** For everything: both requests, their repeats and waits. */
  readonly timeout: Seconds;
  /** Whether the signature is proved. A JWT's claims are judged in any case. */
  readonly verify: boolean;
  readonly userAgent: string;
  /** Hides secrets in what servers say. The caller's own one spares a second reckoning of their forms. */
  readonly redactor?: Redactor;
  /** Gets each raw token first of all, before anything is proved or reported: the moment to mask it. */
  readonly onToken?: (token: string) => void;
  readonly onEvent?: OnEvent;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * Asks for one token and proves it. The signing keys are fetched while the token request is in flight: their
 * URL is configuration, so nothing in the token is needed for it.
 *
 * @throws AuthError
 */
export async function mint(request: AuthRequest, options: MintOptions): Promise<AccessToken> {
  const flight = new Flight(request, options);
  try {
    return await flight.land();
  } finally {
    await flight.end();
  }
}

/** A token answer with what was measured of it. */
interface Minted extends TokenAnswer, Pick<HttpAnswer, "clockOffset"> {
  /** When its request was sent, on the monotonic clock. */
  readonly sentAt: Milliseconds;
}

/** The requests of one sign-in: they share a deadline, a way to stop and the knowledge of what to hide. */
class Flight {
  readonly #request: AuthRequest;
  readonly #options: MintOptions;
  readonly #clock: Clock;
  readonly #deadline: Milliseconds;
  readonly #stop = new AbortController();
  readonly #secureContext: ReturnType<typeof trust>;
  readonly #redactor: Redactor;
  readonly #requests: Promise<unknown>[] = [];
  readonly #onAbort = (): void => {
    this.#stop.abort();
  };

  constructor(request: AuthRequest, options: MintOptions) {
    this.#request = request;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#deadline = this.#clock.monotonic() + options.timeout * 1000;
    this.#secureContext = trust(request.ca);
    this.#redactor = options.redactor ?? new Redactor();
    this.#redactor.add(request.clientSecret);
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (options.signal?.aborted) this.#stop.abort();
  }

  async land(): Promise<AccessToken> {
    const token = this.#mintToken();
    if (!this.#options.verify) return this.#unproved(await token);
    const keys = this.#loadKeys();
    const [minted, loaded] = await Promise.all([token, keys]);
    return this.#proved(minted, loaded);
  }

  /** Stops what is still under way and waits for its end. */
  async end(): Promise<void> {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#stop.abort();
    await Promise.allSettled(this.#requests);
  }

  async #proved(minted: Minted, loaded: readonly SigningKey[]): Promise<AccessToken> {
    if (!isJws(minted.accessToken)) {
      throw new AuthError("the access_token is opaque (no JWT).", { kind: "verification", code: "opaque_token" });
    }
    const findKeys: KeyFinder = async (kid) => {
      const found = keysFor(loaded, kid);
      // The key may have been changed between the two requests.
      return found.length > 0 ? found : keysFor(await this.#loadKeys(), kid);
    };
    const { claims } = await verifyToken(minted.accessToken, findKeys, this.#expected(), () => this.#clocks(minted));
    return new AccessToken(minted.accessToken, factsOf(claims, this.#issue(minted), this.#request.tenants));
  }

  #unproved(minted: Minted): AccessToken {
    const { tenants } = this.#request;
    if (isJws(minted.accessToken)) {
      const claims = judgeClaims(decodeJws(minted.accessToken).payload, this.#expected(), this.#clocks(minted));
      return new AccessToken(minted.accessToken, factsOf(claims, this.#issue(minted), tenants));
    }
    // RFC 6749 section 5.1: an answer without a scope grants what was asked for.
    const scope = scopeWords(minted.scope ?? this.#request.scope);
    judgeTenants(scope, tenants);
    return new AccessToken(minted.accessToken, { ...lifeOf(this.#issue(minted), undefined), scope, tenants });
  }

  #expected(): Expectation {
    const { clientId, tenants, issuer } = this.#request;
    return { clientId, tenants, issuer };
  }

  #clocks({ clockOffset }: Minted): Clocks {
    return { wall: this.#clock.wall(), offset: clockOffset };
  }

  #issue({ expiresIn, sentAt }: Minted): Parameters<typeof lifeOf>[0] {
    const life = expiresIn === undefined ? undefined : expiresIn * 1000;
    return { life, age: this.#clock.monotonic() - sentAt, wall: this.#clock.wall() };
  }

  async #mintToken(): Promise<Minted> {
    let sentAt = 0;
    let clockOffset: Milliseconds | undefined;
    const onToken = (token: string): void => {
      this.#options.onToken?.(token);
      this.#redactor.add(token);
    };
    const answer = await this.#ask("token request", tokenRequest(this.#request), (httpAnswer, started, quote) => {
      sentAt = started;
      clockOffset = httpAnswer.clockOffset;
      return judgeTokenAnswer(httpAnswer, quote, onToken);
    });
    return { ...answer, sentAt, clockOffset };
  }

  #loadKeys(): Promise<readonly SigningKey[]> {
    return this.#ask("request for the signing keys", keysRequest(this.#request.jwksUrl), (answer, _started, quote) =>
      judgeKeys(answer, quote),
    );
  }

  #ask<T>(
    name: RequestName,
    request: HttpRequest,
    judge: (answer: HttpAnswer, started: Milliseconds, quote: Quote) => Verdict<T>,
  ): Promise<T> {
    const { policy, userAgent, onEvent = () => undefined, random = Math.random } = this.#options;
    const clock = this.#clock;
    const signal = this.#stop.signal;
    let started = 0;
    const attempt = async (timeLimit: Milliseconds): Promise<HttpAnswer> => {
      started = clock.monotonic();
      const answer = await send(request, { timeLimit, signal, secureContext: this.#secureContext, userAgent, clock });
      onEvent({ type: "answer", request: name, status: answer.status, took: clock.monotonic() - started });
      return answer;
    };
    const result = withRetries(attempt, (answer) => judge(answer, started, this.#quote), {
      name,
      policy,
      deadline: this.#deadline,
      signal,
      clock,
      random,
      onEvent,
    });
    this.#requests.push(result);
    return result;
  }

  /** Hides before and after: making a text printable may bring a secret's parts together. */
  readonly #quote: Quote = (text) => this.#redactor.redact(printable(this.#redactor.redact(text)));
}
