import { UNKNOWN_VALUE, type Properties } from "./custom-resource.ts";

/** The arguments whose changes are shown as a diff. */
const DIFF_PROPS = ["path", "clientId", "tsgId", "scope", "tokenUrl"] as const;

/** Whether any part of a value is still unknown in a preview. */
export const hasUnknown = (value: unknown): boolean =>
  value === UNKNOWN_VALUE || (typeof value === "object" && value !== null && Object.values(value).some(hasUnknown));

/** Returns the names of arguments that changed. An unknown value is considered changed. */
export const diffProps = (olds: Properties, news: Properties): readonly string[] =>
  DIFF_PROPS.filter((name) => news[name] === UNKNOWN_VALUE || (olds[name] ?? "") !== (news[name] ?? ""));

/** Returns a string that does not depend on the order of the inputs. */
const toKey = (inputs: Properties): string =>
  JSON.stringify(Object.entries(inputs).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));

/**
 * Stores what `check` learns for later calls in this process. The engine passes on the checked inputs unchanged, so
 * they are the key. They include the name of the resource.
 */
export class CheckCache {
  readonly #checked = new Map<string, { readonly clientSecret: unknown; readonly hasChanged: boolean | undefined }>();

  /**
   * Stores the secret here, because the engine would store it in the state.
   *
   * @param olds - the inputs from the last run; empty for a resource that is being created or replaced
   * @returns the inputs without the secret
   */
  remember(olds: Properties, { clientSecret, ...inputs }: Properties): Properties {
    this.#checked.set(toKey(inputs), { clientSecret, hasChanged: diffProps(olds, inputs).length > 0 });
    return inputs;
  }

  /** Returns checked inputs together with the secret that was passed to `check`. */
  withSecret(inputs: Properties): Properties {
    return { ...inputs, clientSecret: this.#checked.get(toKey(inputs))?.clientSecret };
  }

  /**
   * Returns whether `check` found changed inputs. The answer is given only once, because a refresh calls `diff` without
   * `check`.
   *
   * @returns undefined if `check` has not been called since the last call
   */
  consume(inputs: Properties): boolean | undefined {
    const key = toKey(inputs);
    const checked = this.#checked.get(key);
    if (checked !== undefined) this.#checked.set(key, { ...checked, hasChanged: undefined });
    return checked?.hasChanged;
  }
}
