import type { Clock, Milliseconds } from "../clock.ts";
import { AuthError } from "../report/errors.ts";
import { keysFor, type SigningKey } from "./signing-keys.ts";
import type { KeyFinder } from "./verify-token.ts";

/** How long loaded keys are used without asking again. */
const FRESH: Milliseconds = 600_000;
/** After a reload for a key that was not known, none for so long: whoever makes up key ids causes no requests. */
const COOLDOWN: Milliseconds = 30_000;
/** How long keys still serve when the server can't be reached. */
const LAST_GOOD: Milliseconds = 3_600_000;

/** A set of keys that may be on its way, and how to search it. */
export interface KeySearch {
  /** Settles when there are keys to search. */
  readonly ready: Promise<unknown>;
  readonly find: KeyFinder;
}

/**
 * The signing keys of one key URL, kept for a while. A token that names a key that is not among them causes one
 * reload, since keys change.
 */
export class KeyCache {
  readonly #clock: Clock;
  #loaded: { readonly keys: readonly SigningKey[]; readonly at: Milliseconds } | undefined;
  #quietUntil: Milliseconds = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Begins a search: keys that are not fresh are asked for at once, before it is known which one is wanted.
   *
   * @param load - asks for the key set
   */
  search(load: () => Promise<readonly SigningKey[]>): KeySearch {
    const fresh = this.#youngerThan(FRESH);
    const ready = fresh ? Promise.resolve(fresh) : this.#loadOrKeep(load);
    // Whoever searches hears of it; a search that never begins is no reason to end the process.
    ready.catch(() => undefined);
    return {
      ready,
      find: async (kid) => {
        const found = keysFor(await ready, kid);
        if (found.length > 0 || this.#clock.monotonic() < this.#quietUntil) return found;
        this.#quietUntil = this.#clock.monotonic() + COOLDOWN;
        return keysFor(await this.#load(load), kid);
      },
    };
  }

  async #load(load: () => Promise<readonly SigningKey[]>): Promise<readonly SigningKey[]> {
    const keys = await load();
    this.#loaded = { keys, at: this.#clock.monotonic() };
    return keys;
  }

  #youngerThan(age: Milliseconds): readonly SigningKey[] | undefined {
    return this.#loaded && this.#clock.monotonic() < this.#loaded.at + age ? this.#loaded.keys : undefined;
  }

  /** The last good keys serve on while the server is away, as long as they are not too old. */
  async #loadOrKeep(load: () => Promise<readonly SigningKey[]>): Promise<readonly SigningKey[]> {
    try {
      return await this.#load(load);
    } catch (error) {
      const lastGood = this.#youngerThan(LAST_GOOD);
      if (lastGood && AuthError.isAuthError(error) && error.retryable) return lastGood;
      throw error;
    }
  }
}
