import { URL_HINT } from "./auth-request-schema.ts";
import type { ConfigIssue } from "./errors.ts";

/** The environment, like `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The variables of each field. The first one that is set is used. */
const VARIABLES = Object.freeze({
  clientId: ["SCM_CLIENT_ID"],
  clientSecret: ["SCM_CLIENT_SECRET"],
  tsgId: ["SCM_TSG_ID"],
  scope: ["SCM_SCOPE"],
  tokenUrl: ["SCM_TOKEN_URL", "SCM_AUTH_URL"],
});
type EnvironmentField = keyof typeof VARIABLES;

/** The sign-in fields of an environment. */
export interface EnvironmentFields {
  /** The values, without those of `issues`. */
  readonly input: Readonly<Record<EnvironmentField, string | undefined>>;
  readonly issues: readonly ConfigIssue[];
  /** What the user calls each field: the variable that is set, otherwise the first one. */
  readonly names: Readonly<Record<EnvironmentField, string>>;
}

/** Reads the variables of a sign-in. Blank ones count as unset. */
export function readEnvironment(env: Environment): EnvironmentFields {
  const names = mapFields((field) => findVariable(field, env) ?? VARIABLES[field][0] ?? "");
  const input = mapFields((field) => env[names[field]]);
  const url = input.tokenUrl?.trim() ?? "";
  // Other tools accept a bare host in SCM_AUTH_URL. A token request to it would send the secret to an unrelated path.
  if (url === "" || url.endsWith("/access_token")) return { input, issues: [], names };
  const issue = { field: names.tokenUrl, message: "does not end in /access_token", hint: URL_HINT };
  return { input: { ...input, tokenUrl: undefined }, issues: [issue], names };
}

/**
 * Reads the variables for the fields that are not in `given`. An identity in `given` is complete: the tenant in the
 * environment belongs to another account.
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
