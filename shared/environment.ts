import { isQuoted, URL_HINT } from "./auth-request-schema.ts";
import type { ConfigIssue } from "./errors.ts";

/** Environment variables, in the form of `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment variables for each field. The first one that is set is used. */
const VARIABLES = Object.freeze({
  clientId: ["SCM_CLIENT_ID"],
  clientSecret: ["SCM_CLIENT_SECRET"],
  tsgId: ["SCM_TSG_ID"],
  scope: ["SCM_SCOPE"],
  tokenUrl: ["SCM_TOKEN_URL", "SCM_AUTH_URL"],
});
type EnvironmentField = keyof typeof VARIABLES;

/** The sign-in fields read from the environment. */
export interface EnvironmentFields {
  /** The values, except those that have an issue. */
  readonly input: Readonly<Record<EnvironmentField, string | undefined>>;
  readonly issues: readonly ConfigIssue[];
  /** The name of each field in messages: the variable that is set or, if none is, the first one. */
  readonly names: Readonly<Record<EnvironmentField, string>>;
}

/** Reads the environment variables for a sign-in. Blank variables are treated as unset. */
export function readEnvironment(env: Environment): EnvironmentFields {
  const names = mapFields((field) => findVariable(field, env) ?? VARIABLES[field][0] ?? "");
  const input = mapFields((field) => env[names[field]]);
  const url = input.tokenUrl?.trim() ?? "";
  // Other tools accept a bare host in SCM_AUTH_URL. With such a URL, the secret would be sent to an unrelated path.
  if (url === "" || isQuoted(url) || url.endsWith("/access_token")) return { input, issues: [], names };
  const issue = { field: names.tokenUrl, message: "does not end in /access_token", hint: URL_HINT };
  return { input: { ...input, tokenUrl: undefined }, issues: [issue], names };
}

/**
 * Reads the environment variables for the fields that are missing from `given`. If `given` contains a client ID,
 * tenant, or scope, the tenant and scope in the environment are ignored, because they belong to another account.
 */
export function completeFromEnvironment(given: Readonly<Record<string, unknown>>, env: Environment): EnvironmentFields {
  const isGiven = (field: string): boolean => given[field] !== undefined && given[field] !== "";
  const hasIdentity = ["clientId", "tsgId", "scope"].some(isGiven);
  const isUsed = (field: EnvironmentField): boolean =>
    !isGiven(field) && !(hasIdentity && ["tsgId", "scope"].includes(field));
  const { input, issues, names } = readEnvironment(env);
  return {
    input: mapFields((field) => (isUsed(field) ? input[field] : undefined)),
    issues: isUsed("tokenUrl") ? issues : [],
    names: mapFields((field) => {
      if (!isUsed(field)) return field;
      return findVariable(field, env) ?? `${field} (or ${names[field]})`;
    }),
  };
}

const findVariable = (field: EnvironmentField, env: Environment): string | undefined =>
  VARIABLES[field].find((name) => (env[name] ?? "").trim() !== "");

function mapFields<T>(getValue: (field: EnvironmentField) => T): Readonly<Record<EnvironmentField, T>> {
  const fields = Object.keys(VARIABLES) as EnvironmentField[];
  return Object.fromEntries(fields.map((field) => [field, getValue(field)])) as Record<EnvironmentField, T>;
}
