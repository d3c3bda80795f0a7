import { FIELD_NAMES, type FieldNames, type Problem } from "../report/fields.ts";
import { WRITE_URL } from "./request-fields.ts";

/** The environment's names for each field. The first one that is set holds. */
const VARIABLES = Object.freeze({
  clientId: ["SCM_CLIENT_ID"],
  clientSecret: ["SCM_CLIENT_SECRET"],
  tsgId: ["SCM_TSG_ID"],
  scope: ["SCM_SCOPE"],
  tokenUrl: ["SCM_TOKEN_URL", "SCM_AUTH_URL"],
});
type InEnvironment = keyof typeof VARIABLES;

/** What the environment says of a sign-in. */
export interface EnvironmentReading {
  /** The values as they stand there, without those that are among the problems already. */
  readonly input: Readonly<Record<InEnvironment, string | undefined>>;
  readonly problems: readonly Problem[];
  /** Which variable each field was taken from, or would be. */
  readonly names: FieldNames;
}

/** The fields that say whom a sign-in is for. With one of them given by hand, the environment's tenant is somebody else's. */
const WHOM: readonly InEnvironment[] = ["clientId", "tsgId", "scope"];
const TENANT: ReadonlySet<InEnvironment> = new Set(["tsgId", "scope"]);

/**
 * Reads the variables of a sign-in for the fields that are not given by hand. Blank ones count as not set. A tenant
 * is taken from the environment only when client id, tenant and scope all are.
 *
 * @param given - what is given by hand, and is looked at for being there alone
 */
export function completeFromEnvironment(
  given: Readonly<Partial<Record<InEnvironment, unknown>>>,
  env: Readonly<Record<string, string | undefined>>,
): EnvironmentReading {
  const isGiven = (field: InEnvironment): boolean => given[field] !== undefined && given[field] !== "";
  const namesAnother = WHOM.some(isGiven);
  const isTaken = (field: InEnvironment): boolean => !isGiven(field) && !(namesAnother && TENANT.has(field));
  const { input, problems, names } = readEnvironment(env);
  return {
    input: mapped((_, field) => (isTaken(field) ? input[field] : undefined)),
    problems: isTaken("tokenUrl") ? problems : [],
    names: {
      ...FIELD_NAMES,
      ...mapped((_, field) => {
        if (!isTaken(field)) return FIELD_NAMES[field];
        return isSet(env, names[field]) ? names[field] : `${FIELD_NAMES[field]} (or ${names[field]})`;
      }),
    },
  };
}

/** Reads the variables of a sign-in. Blank ones count as not set. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): EnvironmentReading {
  const names = mapped((variables) => variables.find((name) => isSet(env, name)) ?? variables[0] ?? "");
  const input = mapped((_, field) => env[names[field]]);
  const problems: Problem[] = [];
  const url = input.tokenUrl?.trim() ?? "";
  // The vendor's tools take a bare host here; a token request to it would send the secret to a wrong path.
  if (url !== "" && !url.endsWith("/access_token")) {
    problems.push({ field: "tokenUrl", reason: "does not end in /access_token", hint: WRITE_URL });
    input.tokenUrl = undefined;
  }
  return { input, problems, names: { ...FIELD_NAMES, ...names } };
}

const isSet = (env: Readonly<Record<string, string | undefined>>, name: string): boolean =>
  (env[name] ?? "").trim() !== "";

/** One value for each field. */
const mapped = <T>(value: (variables: readonly string[], field: InEnvironment) => T): Record<InEnvironment, T> =>
  Object.fromEntries(
    Object.entries(VARIABLES).map(([field, variables]) => [field, value(variables, field as InEnvironment)]),
  ) as Record<InEnvironment, T>;
