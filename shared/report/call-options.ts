import { configError } from "./errors.ts";
import type { Problem } from "./fields.ts";
import { printable } from "./printable.ts";

/** What an option must be, as a rule and in words. */
export type Rule = readonly [holds: (value: unknown) => boolean, words: string];

/** A rule for each of a call's options. */
export type Rules<Options> = Readonly<Record<keyof Options, Rule>>;

/** Whether a value is a number in a range, its ends included. */
export const isBetween = (value: unknown, least: number, most: number): boolean =>
  typeof value === "number" && value >= least && value <= most;

/** The options that many calls share. */
export const CALL_RULES = Object.freeze({
  minTtl: [(value) => isBetween(value, 0, 86_400), "a number of seconds from 0 to 86400"],
  signal: [(value) => value instanceof AbortSignal, "an AbortSignal"],
  timeout: [(value) => value !== 0 && isBetween(value, 0, 3600), "a number of seconds above 0, up to 3600"],
  maxRetries: [(value) => Number.isInteger(value) && isBetween(value, 0, 20), "a whole number from 0 to 20"],
  verify: [(value) => typeof value === "boolean", "true or false"],
  onEvent: [(value) => typeof value === "function", "a function"],
} as const satisfies Readonly<Record<string, Rule>>);

/** What tests pass beside the options. */
const SEAMS: ReadonlySet<string> = new Set(["clock", "random"]);

/**
 * Judges the options of a call. What is left out is right, unless it is `required`.
 *
 * @param found - problems that are known already
 * @throws AuthError of kind `config` with every problem
 */
export function judgeOptions(
  options: object,
  rules: Readonly<Record<string, Rule>>,
  required: readonly string[] = [],
  found: readonly Problem[] = [],
): void {
  const given: Readonly<Record<string, unknown>> = { ...options };
  const problems = Object.entries(rules).flatMap(([field, [holds, words]]): readonly Problem[] =>
    holds(given[field]) || (given[field] === undefined && !required.includes(field))
      ? []
      : [{ field, reason: `is not ${words}`, hint: `Give ${words}.` }],
  );
  const hint = `Known are ${Object.keys(rules).join(", ")}.`;
  const foreign = Object.keys(given)
    .filter((name) => !Object.hasOwn(rules, name) && !SEAMS.has(name))
    .map((name): Problem => ({ field: printable(name, 60), reason: "is no option", hint }));
  const all = [...found, ...problems, ...foreign];
  if (all.length > 0) throw configError(all);
}
