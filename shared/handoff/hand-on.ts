import type { Clock, Random } from "../clock.ts";
import type { HeldToken } from "./held-token.ts";
import { retryDelay } from "./renewal-times.ts";

/** How tokens are handed on. */
export interface HandOnOptions<T> {
  /** Puts a token where others find it. When it throws it is called again later. */
  readonly put: (token: T) => Promise<void> | void;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Puts each new token where others find it, one at a time, the newest only. What can't be put now is tried again in
 * time: a disk may be full for a minute, and what others have found before lives meanwhile.
 */
export class HandOn<T> {
  readonly #options: HandOnOptions<T>;
  /** What others find. */
  #found: HeldToken<T>;
  #next: HeldToken<T> | undefined;
  #busy = false;
  #stopped = false;
  #callOff = (): void => undefined;

  /** @param found - what others have already */
  constructor(found: HeldToken<T>, options: HandOnOptions<T>) {
    this.#found = found;
    this.#options = options;
  }

  /** From now on others shall find this one. */
  offer(held: HeldToken<T>): void {
    this.#next = held;
    if (!this.#busy) void this.#put();
  }

  /** Puts nothing more. What is being put just now is not ended. */
  stop(): void {
    this.#stopped = true;
    this.#callOff();
  }

  async #put(): Promise<void> {
    this.#callOff();
    this.#busy = true;
    while (this.#next !== undefined && !this.#stopped) {
      const held = this.#next;
      try {
        await this.#options.put(held.token);
        this.#found = held;
        if (this.#next === held) this.#next = undefined;
      } catch {
        this.#later();
        break;
      }
    }
    this.#busy = false;
  }

  #later(): void {
    if (this.#stopped) return;
    const { clock, random } = this.#options;
    this.#callOff = clock.after(retryDelay({ left: this.#found.left(), random }), () => void this.#put());
  }
}
