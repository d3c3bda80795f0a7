import { AuthRequest, type AuthRequestInput } from "../shared/auth-request.ts";
import { readCaCertificates } from "../shared/ca-certificates.ts";
import type { Seconds } from "../shared/clock.ts";
import type { Environment } from "../shared/environment.ts";
import { AuthError, configError, type ConfigIssue } from "../shared/errors.ts";
import { DEFAULTS, findOptionIssues, optionSchemas, unknownNameIssue } from "../shared/options.ts";

/** Arguments by name, as a program or the engine passes them. Not validated. */
export type Args = Readonly<Record<string, unknown>>;

/** Valid arguments of a sign-in. */
export interface SignInConfig {
  readonly authRequest: AuthRequest;
  /** Time limit for one sign-in, including retries. */
  readonly timeout: Seconds;
  readonly maxRetries: number;
  /** Minimum remaining lifetime for reusing a token; undefined for the default of `getMinRemaining`. */
  readonly minTtl: Seconds | undefined;
}

const { path, timeout, maxRetries, minTtl } = optionSchemas;
const REQUEST_ARGS = ["clientId", "clientSecret", "tsgId", "scope", "tokenUrl", "jwksUrl", "ca"] as const;
const OPTIONS = { timeout, maxRetries, minTtl };

/** The options of each part of the public interface, in addition to the arguments of a token request. */
const OPTION_SCHEMAS = {
  AuthFile: { path, ...OPTIONS },
  AccessToken: OPTIONS,
  getAccessToken: { authFile: path, ...OPTIONS },
} as const;

/** A part of the public interface that has arguments. */
export type ArgsOwner = keyof typeof OPTION_SCHEMAS;

const getArgNames = (owner: ArgsOwner): readonly string[] => [...Object.keys(OPTION_SCHEMAS[owner]), ...REQUEST_ARGS];

/** Returns the arguments that are set and that `owner` accepts. */
export const pickArgs = (args: Args, owner: ArgsOwner): Args => pick(args, getArgNames(owner));

/** Returns an issue for each argument that `owner` does not accept. */
export function findUnknownArgs(args: Args, owner: ArgsOwner): readonly ConfigIssue[] {
  const names = getArgNames(owner);
  const unknown = Object.keys(args).filter((name) => isSet(args[name]) && !names.includes(name));
  return unknown.map((name) => unknownNameIssue(name, names, "argument"));
}

const isSet = (value: unknown): boolean => value !== undefined && value !== null;

/** The variable for each of the credentials. */
const CREDENTIALS = { clientId: "SCM_CLIENT_ID", clientSecret: "SCM_CLIENT_SECRET" } as const;

/** Returns the variables of those credentials that neither the arguments nor the environment contain. */
export const findMissingVariables = (args: Args, env: Environment = process.env): readonly string[] =>
  Object.entries(CREDENTIALS)
    .filter(([field, variable]) => (args[field] ?? "") === "" && (env[variable] ?? "").trim() === "")
    .map(([, variable]) => variable);

/** Whether the arguments or the environment contain a client secret. */
export const hasSecret = (args: Args, env?: Environment): boolean =>
  !findMissingVariables(args, env).includes(CREDENTIALS.clientSecret);

/** Whether the arguments and the environment contain a client ID and a client secret. */
export const hasCredentials = (args: Args, env?: Environment): boolean => findMissingVariables(args, env).length === 0;

/**
 * Validates the arguments of a sign-in. Arguments that are not set are read from the environment.
 *
 * @throws AuthError of kind `config` with all issues
 */
export function parseSignInArgs(args: Args, owner: ArgsOwner, env: Environment = process.env): SignInConfig {
  const schemas = OPTION_SCHEMAS[owner];
  const options = pick(args, Object.keys(schemas));
  const fields: Partial<AuthRequestInput> = pick(args, REQUEST_ARGS);
  const ca = readCaCertificates(fields.ca, "the program's directory");
  const request = collectIssues(() => AuthRequest.fromArgs({ ...fields, ca: ca.pem }, env));
  const issues = [
    ...findOptionIssues(options, schemas, owner === "AuthFile" ? ["path"] : []),
    ...(ca.issue === undefined ? [] : [ca.issue]),
    ...request.issues,
    ...findUnknownArgs(args, owner),
  ];
  if (request.value === undefined || issues.length > 0) throw configError(issues);
  const { timeout = DEFAULTS.timeout, maxRetries = DEFAULTS.maxRetries, minTtl } = options as Partial<SignInConfig>;
  return { authRequest: request.value, timeout, maxRetries, minTtl };
}

/** Returns the result of `parse`, or the configuration issues that it throws. @throws any other error */
export function collectIssues<T>(parse: () => T): { readonly value?: T; readonly issues: readonly ConfigIssue[] } {
  try {
    return { value: parse(), issues: [] };
  } catch (error) {
    if (!AuthError.isAuthError(error) || error.kind !== "config") throw error;
    return { issues: error.issues };
  }
}

const pick = (args: Args, names: readonly string[]): Args =>
  Object.fromEntries(names.filter((name) => isSet(args[name])).map((name) => [name, args[name]]));
