import * as z from "zod/mini";
import { sleep, type Clock, type Milliseconds } from "./clock.ts";
import { abortedError, AuthError } from "./errors.ts";
import { classifyJsonResponse, parseJson } from "./http/json-response.ts";
import type { RequestLimits } from "./http/request-context.ts";
import type { HttpRequest, HttpResponse } from "./http/request.ts";
import type { Failure, Outcome } from "./http/retry.ts";
import type { Redactor } from "./redact.ts";

/** An RSA public key for verifying signatures (RFC 7517 section 4, RFC 7518 section 6.3.1). */
export interface SigningKey {
  readonly kty: "RSA";
  /** The modulus, base64url-encoded. */
  readonly n: string;
  /** The exponent, base64url-encoded; usually `AQAB`. */
  readonly e: string;
  readonly kid?: string | undefined;
}

/** Creates the request for a JWK Set. */
export const createJwksRequest = (jwksUrl: URL): HttpRequest => ({
  method: "GET",
  url: jwksUrl,
  // An intermediate cache must not hide a new key (RFC 9111 section 5.2.1.4).
  headers: { accept: "application/json", "cache-control": "no-cache" },
});

/** All other members of a key are dropped. */
const signingKeySchema = () =>
  z.object({
    kty: z.literal("RSA"),
    n: z.string(),
    e: z.string(),
    kid: z.optional(z.string()),
    use: z.optional(z.literal("sig")),
    key_ops: z.optional(z.array(z.string()).check(z.refine((operations) => operations.includes("verify")))),
    alg: z.optional(z.literal("RS256")),
  });

/**
 * Permitted modulus lengths in bytes. RFC 7518 section 3.3 requires at least 2048 bits; above 8192 bits, verification
 * is slow.
 */
const MODULUS_LENGTH = { min: 256, max: 1024 };
const MAX_EXPONENT_LENGTH = 8;

/** Parses the response from the JWKS URL. Keys of other types or for other purposes are ignored. */
export function parseJwksResponse(response: HttpResponse, quote: Redactor["quote"]): Outcome<readonly SigningKey[]> {
  const failure = classifyJsonResponse("jwks", response, quote);
  if (failure) return failure;
  const parsed = z.object({ keys: z.array(z.unknown()) }).safeParse(parseJson(response.body));
  if (!parsed.success) return invalidJwks('invalid JWKS: expected a JSON object with a "keys" array.');
  const schema = signingKeySchema();
  const keys = parsed.data.keys.flatMap((key) => {
    const { data } = schema.safeParse(key);
    return data && isUsable(data) ? [Object.freeze({ kty: data.kty, n: data.n, e: data.e, kid: data.kid })] : [];
  });
  if (keys.length === 0) return invalidJwks("the JWKS contains no RSA key for verifying signatures.");
  return { type: "success", value: keys };
}

const invalidJwks = (description: string): Failure => ({
  type: "permanent",
  error: new AuthError(description, { kind: "protocol", code: "invalid_jwks" }),
});

/**
 * Whether the modulus and the exponent have acceptable sizes. With an exponent of 1, anyone could forge a signature.
 */
function isUsable({ n, e }: { readonly n: string; readonly e: string }): boolean {
  const modulus = Buffer.from(n, "base64url");
  const exponent = Buffer.from(e, "base64url");
  if (modulus.length < MODULUS_LENGTH.min || modulus.length > MODULUS_LENGTH.max) return false;
  return exponent.length <= MAX_EXPONENT_LENGTH && BigInt(`0x0${exponent.toString("hex")}`) >= 3n;
}

/** Requests the JWK Set. */
export type RequestJwks = () => Promise<readonly SigningKey[]>;

/** A key set that is cached or being requested. */
export interface JwksLookup {
  /** Settles when the keys are available or the request for them has failed. */
  readonly ready: Promise<unknown>;
  /** Returns the keys that may have signed a token with this `kid`, or all keys if `kid` is undefined. */
  readonly find: (kid: string | undefined) => Promise<readonly SigningKey[]>;
}

/** How long cached keys are used before they are requested again. */
const MAX_AGE: Milliseconds = 600_000;
/** How long cached keys are used if the server cannot be reached. */
const STALE_IF_ERROR: Milliseconds = 3_600_000;
/** The pause after a reload for an unknown `kid`, so that tokens from other sources cannot cause many requests. */
const RELOAD_COOLDOWN: Milliseconds = 30_000;
/**
 * Delays before reloads for the `kid` of a new token. After a key rotation, the JWKS can lag seconds behind the signer.
 */
const NEW_TOKEN_RELOADS: readonly Milliseconds[] = [0, 1000, 2000, 4000];

/** Caches the key set of one JWKS URL. An unknown `kid` causes a reload, because servers rotate their keys. */
export class JwksCache {
  readonly #clock: Clock;
  #cached: { readonly keys: readonly SigningKey[]; readonly loadedAt: Milliseconds } | undefined;
  #cooldownUntil: Milliseconds = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Starts loading the keys unless fresh keys are cached.
   *
   * @param newTokenLimits - the limits of a sign-in, only for a new token. Because the authorization server has just
   *   issued it, its `kid` is looked up several times
   */
  lookup(load: RequestJwks, newTokenLimits?: RequestLimits): JwksLookup {
    const fresh = this.#getCached(MAX_AGE);
    const ready = fresh ? Promise.resolve(fresh) : this.#loadOrStale(load);
    // The caller receives the rejection from `find`, unless it never calls `find`.
    ready.catch(() => undefined);
    return {
      ready,
      find: async (kid) => {
        const found = selectKeys(await ready, kid);
        if (found.length > 0) return found;
        return newTokenLimits ? this.#reloadFor(kid, load, newTokenLimits) : this.#reloadOnce(kid, load);
      },
    };
  }

  /** Removes the cached keys, so that the next lookup loads them again. */
  clear(): void {
    this.#cached = undefined;
  }

  async #reloadFor(kid: string | undefined, load: RequestJwks, limits: RequestLimits): Promise<readonly SigningKey[]> {
    const { deadline, signal } = limits;
    for (const delay of NEW_TOKEN_RELOADS) {
      if (this.#clock.monotonic() + delay >= deadline) break;
      if (delay > 0) await sleep(this.#clock, delay, signal);
      if (signal?.aborted) throw abortedError(signal.reason);
      const found = selectKeys(await this.#load(load), kid);
      if (found.length > 0) return found;
    }
    return [];
  }

  async #reloadOnce(kid: string | undefined, load: RequestJwks): Promise<readonly SigningKey[]> {
    if (this.#clock.elapsed() < this.#cooldownUntil) return [];
    this.#cooldownUntil = this.#clock.elapsed() + RELOAD_COOLDOWN;
    return selectKeys(await this.#load(load), kid);
  }

  async #load(load: RequestJwks): Promise<readonly SigningKey[]> {
    const keys = await load();
    this.#cached = { keys, loadedAt: this.#clock.elapsed() };
    return keys;
  }

  async #loadOrStale(load: RequestJwks): Promise<readonly SigningKey[]> {
    try {
      return await this.#load(load);
    } catch (error) {
      const stale = this.#getCached(STALE_IF_ERROR);
      if (stale && AuthError.isAuthError(error) && error.retryable) return stale;
      throw error;
    }
  }

  #getCached(maxAge: Milliseconds): readonly SigningKey[] | undefined {
    return this.#cached && this.#clock.elapsed() < this.#cached.loadedAt + maxAge ? this.#cached.keys : undefined;
  }
}

const selectKeys = (keys: readonly SigningKey[], kid: string | undefined): readonly SigningKey[] =>
  kid === undefined ? keys : keys.filter((key) => key.kid === kid);
