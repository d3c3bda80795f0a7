import type { Seconds } from "../../shared/clock.ts";
import { DEFAULTS } from "../../shared/handoff/call-plan.ts";
import { RULES } from "../../shared/handoff/ensure-auth-file.ts";
import { AuthError, configError } from "../../shared/report/errors.ts";
import type { Problem } from "../../shared/report/fields.ts";
import { printable } from "../../shared/report/printable.ts";
import { AuthRequest } from "../../shared/token/auth-request.ts";
import { readCaText } from "../../shared/token/ca-text.ts";

/** Arguments by their names, as they come from a program or from the engine; nothing of them is checked yet. */
export type Arguments = Readonly<Record<string, unknown>>;
/** As `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A sign-in that can be made. */
export interface SignIn {
  readonly request: AuthRequest;
  /** For one sign-in, repeats and waits included. */
  readonly timeout: Seconds;
  readonly maxRetries: number;
  /** Life that a token must have left; undefined: as the one who uses it thinks fit. */
  readonly minTtl: Seconds | undefined;
}

const REQUEST = ["clientId", "clientSecret", "tsgId", "scope", "tokenUrl", "jwksUrl", "ca"] as const;
const OPTIONS = ["timeout", "maxRetries", "minTtl"] as const;

/** What a sign-in may be given. */
const SIGN_IN: readonly string[] = [...REQUEST, ...OPTIONS];

/** The arguments that each part of the public interface knows. */
export const KNOWN = Object.freeze({
  AuthFile: ["path", ...SIGN_IN],
  AccessToken: SIGN_IN,
  getAccessToken: ["authFile", ...SIGN_IN],
});

/** Whether a client secret is given, or stands in the environment. */
export const hasSecret = (args: Arguments, env: Environment): boolean =>
  isPresent(args["clientSecret"]) || (env["SCM_CLIENT_SECRET"] ?? "").trim() !== "";

const isPresent = (value: unknown): boolean => value !== undefined && value !== null && value !== "";

/**
 * Checks the arguments of a sign-in, each taken from the environment where it is not given.
 *
 * @param known - the names that there are
 * @throws AuthError of kind `config` with all problems, under the names that the author wrote
 */
export function signInOf(given: Arguments, known: readonly string[], env: Environment): SignIn {
  const args: Arguments = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
  const problems: Problem[] = [...foreign(args, known), ...known.flatMap((name) => faultOf(name, args[name]))];
  const ca = typeof args["ca"] === "string" ? readCaText(args["ca"], problems, "the program's folder.") : args["ca"];
  const request = collecting(problems, () => {
    const fields = REQUEST.map((name) => [name, name === "ca" ? ca : args[name]] as const);
    return AuthRequest.complete(Object.fromEntries(fields.filter(([, value]) => value !== undefined)), env);
  });
  if (request === undefined || problems.length > 0) throw configError(problems);
  // Judged above.
  const {
    timeout = DEFAULTS.timeout,
    maxRetries = DEFAULTS.maxRetries,
    minTtl,
  } = args as Partial<Record<string, number>>;
  return { request, timeout, maxRetries, minTtl };
}

/**
 * What `work` gives; undefined when it finds problems, which join the others.
 *
 * @throws what `work` throws that is no AuthError of kind `config`
 */
export function collecting<T>(problems: Problem[], work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!AuthError.isAuthError(error) || error.kind !== "config") throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

/** The rules of the auth file's own options; its path goes by two names. */
const ruleOf = (name: string) => {
  const option = name === "authFile" ? "path" : name;
  return Object.hasOwn(RULES, option) ? RULES[option as keyof typeof RULES] : undefined;
};

function faultOf(field: string, value: unknown): readonly Problem[] {
  const rule = ruleOf(field);
  // The path is the one argument that must be there.
  if (rule === undefined || (value === undefined && field !== "path")) return [];
  const [holds, words] = rule;
  const isBlank = typeof value === "string" && value.trim() === "";
  return holds(value) && !isBlank ? [] : [{ field, reason: `is not ${words}`, hint: `Give ${words}.` }];
}

function foreign(args: Arguments, known: readonly string[]): readonly Problem[] {
  return Object.keys(args)
    .filter((name) => args[name] !== undefined && !known.includes(name))
    .map((name) => {
      const field = printable(name, 60);
      // People bring along the names of the Python SDK and of the Terraform provider.
      const ours = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
      return known.includes(ours)
        ? { field, reason: `is called ${ours} here`, hint: `Write ${ours}.` }
        : { field, reason: "is no argument", hint: `Known are ${known.join(", ")}.` };
    });
}
