import { changedIn, keyOf, withoutSecret, type Properties } from "./inputs.ts";

/** What `check` learnt for the `diff` that follows it. */
export interface Checked {
  /** The names of inputs whose meaning changed. */
  readonly changed: ReturnType<typeof changedIn>;
}

/**
 * What `check` keeps for the calls that follow it, in this process alone. The engine hands the checked inputs on
 * unchanged, so they are the key; the name of the resource is among them, and tells apart two that are else alike.
 */
export class Memory {
  readonly #secrets = new Map<string, string>();
  readonly #checked = new Map<string, Checked>();

  /** Keeps what the engine must not: it would write it into the state. @returns what it may have */
  keep(olds: Properties, news: Properties): Properties {
    const kept = withoutSecret(news);
    const key = keyOf(kept);
    const { clientSecret } = news;
    if (typeof clientSecret === "string") this.#secrets.set(key, clientSecret);
    else this.#secrets.delete(key);
    // What is new, or replaced, is made without being compared.
    if (Object.keys(olds).length > 0) this.#checked.set(key, { changed: changedIn(olds, kept) });
    else this.#checked.delete(key);
    return kept;
  }

  /** Checked inputs with the secret that was given with them. */
  complete(inputs: Properties): Properties {
    const clientSecret = this.#secrets.get(keyOf(inputs));
    return clientSecret === undefined ? inputs : { ...inputs, clientSecret };
  }

  /**
   * What `check` learnt of these inputs, once: a refresh asks for a `diff`, too, and without a `check`.
   *
   * @returns undefined when it was not asked since the last time
   */
  take(inputs: Properties): Checked | undefined {
    const key = keyOf(inputs);
    const checked = this.#checked.get(key);
    this.#checked.delete(key);
    return checked;
  }
}
