import * as z from "zod/mini";
import type { RandomSource, Clock, Seconds } from "./clock.ts";
import { configError, type ConfigIssue } from "./errors.ts";
import type { AuthEventListener } from "./events.ts";
import { sanitize } from "./redact.ts";

/** Options common to all calls. Times are in seconds. */
export interface CallOptions {
  /** Aborts the call. */
  readonly signal?: AbortSignal | undefined;
  /** Time limit for the whole call, including retries; more than 0, at most 3600. Default: 60. */
  readonly timeout?: Seconds | undefined;
  /** Maximum number of retries of a request after temporary failures, from 0 to 20. Default: 3. */
  readonly maxRetries?: number | undefined;
  /** Receives events. Exceptions thrown by the listener are ignored. */
  readonly onEvent?: AuthEventListener | undefined;
}

/** Options for tests, in addition to the public options. @internal */
export interface TestHooks {
  readonly clock?: Clock;
  readonly random?: RandomSource;
}

/** Defaults of the library and the Pulumi provider. Times are in seconds. */
export const DEFAULTS = Object.freeze({ timeout: 60, maxRetries: 3, backoff: 0.3 });

const TEST_HOOKS: ReadonlySet<string> = new Set(["clock", "random"]);

/** The schema of an option, and a description of its valid values for error messages. */
export type OptionSchema = readonly [schema: z.ZodMiniType, expected: string];

const seconds = (min: number, max: number): OptionSchema => [
  z.number().check(z.gte(min), z.lte(max)),
  `a number of seconds from ${min} to ${max}`,
];

/** The schemas of common options. They are functions so that each schema is created only when it is first used. */
export const optionSchemas = {
  minTtl: () => seconds(0, 86_400),
  retryBackoff: () => seconds(0, 60),
  tokenExpiryBuffer: () => seconds(0, 86_400),
  timeout: (): OptionSchema => [z.number().check(z.gt(0), z.lte(3600)), "a number of seconds above 0, up to 3600"],
  maxRetries: (): OptionSchema => [z.int().check(z.gte(0), z.lte(20)), "an integer from 0 to 20"],
  verify: (): OptionSchema => [z.boolean(), "true or false"],
  signal: (): OptionSchema => [z.instanceof(AbortSignal), "an AbortSignal"],
  onEvent: (): OptionSchema => [z.custom((value) => typeof value === "function"), "a function"],
  path: (): OptionSchema => [z.string().check(z.trim(), z.minLength(1)), "a file path"],
} as const;

/** A schema for each option of a call. */
export type OptionSchemas = Readonly<Record<string, () => OptionSchema>>;

/**
 * Copies the own properties of a value and, for the given names, also inherited ones. The options and fields in a class
 * instance may be accessors of its class.
 */
export function copyProperties(value: unknown, names: readonly string[]): Readonly<Record<string, unknown>> {
  const source = Object(value) as Readonly<Record<string, unknown>>;
  const inherited = names.filter((name) => name in source && !Object.hasOwn(source, name));
  return { ...source, ...Object.fromEntries(inherited.map((name) => [name, source[name]])) };
}

/**
 * Checks the options of a call. Undefined options are skipped unless `required` contains them.
 *
 * @returns all issues, in the order of the schemas; unknown names come last
 */
export function findOptionIssues(
  options: object,
  schemas: OptionSchemas,
  required: readonly string[] = [],
): readonly ConfigIssue[] {
  const names = Object.keys(schemas);
  const given = copyProperties(options, names);
  const invalid = Object.entries(schemas).flatMap(([field, getSchema]): readonly ConfigIssue[] => {
    const value = given[field];
    if (value === undefined && !required.includes(field)) return [];
    const [schema, expected] = getSchema();
    return schema.safeParse(value).success
      ? []
      : [{ field, message: `must be ${expected}`, hint: `Set it to ${expected}.` }];
  });
  const unknown = Object.keys(given)
    .filter((name) => given[name] !== undefined && !names.includes(name) && !TEST_HOOKS.has(name))
    .map((name) => unknownNameIssue(name, names, "option"));
  return [...invalid, ...unknown];
}

/** @throws AuthError of kind `config` with all issues that {@link findOptionIssues} finds */
export function validateOptions(options: object, schemas: OptionSchemas, required: readonly string[] = []): void {
  const issues = findOptionIssues(options, schemas, required);
  if (issues.length > 0) throw configError(issues);
}

/**
 * Creates the issue for an unknown option, field, or argument. For a snake_case name, as used by the Python SDK and the
 * Terraform provider, the issue suggests the valid name.
 *
 * @param what - "option", "field", or "argument"
 */
export function unknownNameIssue(name: string, names: readonly string[], what: string): ConfigIssue {
  const field = sanitize(name, 60);
  const camelCase = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return names.includes(camelCase) && camelCase !== name
    ? { field, message: `is not a valid ${what}; did you mean ${camelCase}?`, hint: `Use ${camelCase}.` }
    : { field, message: `is not a valid ${what}`, hint: `Valid names: ${names.join(", ")}.` };
}
