import type { ConfigIssue } from "../../shared/errors.ts";
import { findUnknownArgs, getArgNames, type Args } from "../sign-in-args.ts";
import { UNKNOWN_VALUE, type ResourceKind } from "./serialized.ts";

/** Properties of a resource as the engine passes them: inputs, or outputs of an earlier run. */
export type Properties = Readonly<Record<string, unknown>>;

const OWNERS = { "auth-file": "AuthFile", "access-token": "AccessToken" } as const;
/** The inputs that are not arguments. */
const INTERNAL_PROPS = ["__provider", "kind", "name"];
/** The arguments whose change is a diff. */
const DIFF_PROPS = ["path", "clientId", "tsgId", "scope", "tokenUrl"] as const;

export const isResourceKind = (kind: unknown): kind is ResourceKind =>
  typeof kind === "string" && Object.hasOwn(OWNERS, kind);

/** The arguments of a resource of this kind, without internal and unknown properties. */
export const toArgs = (kind: ResourceKind, props: Properties): Args => pick(props, getArgNames(OWNERS[kind]));

/** The inputs without unknown arguments, which may contain anything, and the issues of those. */
export function removeUnknown(
  kind: ResourceKind,
  news: Properties,
): { readonly inputs: Properties; readonly unknown: readonly ConfigIssue[] } {
  const args = Object.fromEntries(Object.entries(news).filter(([name]) => !INTERNAL_PROPS.includes(name)));
  const inputs = { ...pick(news, INTERNAL_PROPS), ...toArgs(kind, args) };
  return { inputs, unknown: findUnknownArgs(args, OWNERS[kind]) };
}

const pick = (props: Properties, names: readonly string[]): Properties =>
  Object.fromEntries(Object.entries(props).filter(([name]) => names.includes(name)));

/** Whether a preview does not know all of a value yet. */
export const hasUnknown = (value: unknown): boolean =>
  value === UNKNOWN_VALUE || (typeof value === "object" && value !== null && Object.values(value).some(hasUnknown));

/** The inputs that may be stored. */
export function withoutSecret(inputs: Properties): Properties {
  const { clientSecret, ...stored } = inputs;
  return stored;
}

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
  readonly #secrets = new Map<string, string>();
  readonly #changes = new Map<string, boolean>();

  /**
   * Keeps the secret, which the engine would store in the state.
   *
   * @param olds - the inputs of the last run; empty for a resource that is created or replaced
   * @returns the inputs without the secret
   */
  remember(olds: Properties, news: Properties): Properties {
    const inputs = withoutSecret(news);
    const key = toKey(inputs);
    const { clientSecret } = news;
    if (typeof clientSecret === "string") this.#secrets.set(key, clientSecret);
    else this.#secrets.delete(key);
    this.#changes.set(key, diffProps(olds, inputs).length > 0);
    return inputs;
  }

  /** Checked inputs with the secret that was passed with them. */
  withSecret(inputs: Properties): Properties {
    const clientSecret = this.#secrets.get(toKey(inputs));
    return clientSecret === undefined ? inputs : { ...inputs, clientSecret };
  }

  /**
   * Whether `check` found changed inputs, once: a refresh calls `diff` without `check`.
   *
   * @returns undefined without a call of `check` since the last time
   */
  consume(inputs: Properties): boolean | undefined {
    const key = toKey(inputs);
    const hasChanged = this.#changes.get(key);
    this.#changes.delete(key);
    return hasChanged;
  }
}
