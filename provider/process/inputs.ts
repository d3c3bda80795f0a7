import { UNKNOWN } from "../abi.ts";
import type { Arguments } from "../sign-in/arguments.ts";

/** Properties of a resource, as the engine hands them over: inputs, or outputs of an earlier run. */
export type Properties = Readonly<Record<string, unknown>>;

/** What stands beside the arguments, by our own doing. */
const OURS: ReadonlySet<string> = new Set(["__provider", "kind", "name"]);
/** What a resource is about. A change of anything else is no change of it. */
const MEANINGFUL = ["path", "clientId", "tsgId", "scope", "tokenUrl"] as const;

/** Whether a preview does not know all of it yet. */
export const hasUnknown = (value: unknown): boolean =>
  value === UNKNOWN || (typeof value === "object" && value !== null && Object.values(value).some(hasUnknown));

/** The arguments as the author gave them. */
export const argumentsOf = (inputs: Properties): Arguments =>
  Object.fromEntries(Object.entries(inputs).filter(([name]) => !OURS.has(name)));

/** The inputs that may be kept: all but the secret. */
export function withoutSecret(inputs: Properties): Properties {
  const { clientSecret, ...kept } = inputs;
  return kept;
}

/** The names of what changed in its meaning. What is unknown may have changed. */
export const changedIn = (olds: Properties, news: Properties): readonly (typeof MEANINGFUL)[number][] =>
  MEANINGFUL.filter((name) => news[name] === UNKNOWN || (olds[name] ?? "") !== (news[name] ?? ""));

/** The same text for the same inputs, in whatever order they come. */
export const keyOf = (inputs: Properties): string =>
  JSON.stringify(Object.entries(inputs).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
