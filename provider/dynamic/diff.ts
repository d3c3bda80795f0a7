import type { Properties } from "./resource.ts";
import { UNKNOWN_VALUE } from "./serialized.ts";

/** The arguments whose change is a diff. */
const DIFF_PROPS = ["path", "clientId", "tsgId", "scope", "tokenUrl"] as const;

/** Whether a preview does not know all of a value yet. */
export const hasUnknown = (value: unknown): boolean =>
  value === UNKNOWN_VALUE || (typeof value === "object" && value !== null && Object.values(value).some(hasUnknown));

/** The names of arguments that changed. A value that is not known may have changed. */
export const diffProps = (olds: Properties, news: Properties): readonly string[] =>
  DIFF_PROPS.filter((name) => news[name] === UNKNOWN_VALUE || (olds[name] ?? "") !== (news[name] ?? ""));

/** The same string for the same inputs in any order. */
const toKey = (inputs: Properties): string =>
  JSON.stringify(Object.entries(inputs).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));

/**
 * What `check` learns for the calls that follow it in this process. The engine passes the checked inputs on unchanged, so
 * they are the key. They include the name of the resource.
 */
export class CheckCache {
  readonly #checked = new Map<string, { readonly clientSecret: unknown; readonly hasChanged: boolean | undefined }>();

  /**
   * Keeps the secret, which the engine would store in the state.
   *
   * @param olds - the inputs of the last run; empty for a resource that is created or replaced
   * @returns the inputs without the secret
   */
  remember(olds: Properties, { clientSecret, ...inputs }: Properties): Properties {
    this.#checked.set(toKey(inputs), { clientSecret, hasChanged: diffProps(olds, inputs).length > 0 });
    return inputs;
  }

  /** Checked inputs with the secret that was passed with them. */
  withSecret(inputs: Properties): Properties {
    return { ...inputs, clientSecret: this.#checked.get(toKey(inputs))?.clientSecret };
  }

  /**
   * Whether `check` found changed inputs, once: a refresh calls `diff` without `check`.
   *
   * @returns undefined without a call of `check` since the last time
   */
  consume(inputs: Properties): boolean | undefined {
    const key = toKey(inputs);
    const checked = this.#checked.get(key);
    if (checked !== undefined) this.#checked.set(key, { ...checked, hasChanged: undefined });
    return checked?.hasChanged;
  }
}
