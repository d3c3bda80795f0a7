import { AuthRequest } from "../shared/auth-request.ts";
import { readCaCertificates } from "../shared/ca-certificates.ts";
import { configError, type ConfigIssue } from "../shared/errors.ts";
import { explainMissingSecret } from "./pull-request.ts";
import type { Runner } from "./runner.ts";

/** The input in action.yml for each configuration field. Issues contain field names; the log shows input names. */
export const INPUT_NAMES = Object.freeze({
  clientId: "client-id",
  clientSecret: "client-secret",
  tsgId: "tsg-id",
  scope: "scope",
  tokenUrl: "token-url",
  jwksUrl: "jwks-url",
  verify: "verify",
  ca: "ca-cert",
  maxRetries: "max-retries",
  timeout: "timeout",
  authFile: "auth-file",
  keepFresh: "keep-fresh",
  minTtl: "min-ttl",
  seal: "seal",
  sealedToken: "sealed-token",
  check: "check",
} as const);

type InputField = keyof typeof INPUT_NAMES;

/** The auth file to write. */
export interface AuthFileInput {
  /** The path as written in the workflow, or `true` for the default path. */
  readonly path: string | true;
  /** Whether the file is refreshed while the job runs. */
  readonly keepFresh: boolean;
}

/** The validated inputs of a step. */
export type Inputs = ReturnType<typeof readInputs>;

/**
 * Hundreds of jobs may start at once, so their retries are spread out after an overload. See the simulation in
 * docs/retries.md.
 */
const RETRY_DEFAULTS = { backoff: 0.3, spreadOnOverload: true };

/** The booleans of the YAML 1.2 core schema, which workflow files use. */
const TRUE = /^(true|True|TRUE)$/;
const FALSE = /^(false|False|FALSE)$/;
/** Values that were probably meant as booleans, and control characters, which are not allowed in a path. */
const NOT_A_PATH = /^(y|n|yes|no|on|off|0|1)$|\p{Cc}/iu;

/** A check for an input that is not blank, and a description of valid values for the error message. */
type Rule = readonly [isValid: (text: string) => boolean, expected: string];

const boolean: Rule = [(text) => TRUE.test(text) || FALSE.test(text), "true or false"];
const integer = (min: number, max: number): Rule => [
  (text) => /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max,
  `an integer between ${min} and ${max}`,
];

const RULES: Readonly<Partial<Record<InputField, Rule>>> = {
  verify: boolean,
  maxRetries: integer(0, 20),
  timeout: integer(1, 3600),
  authFile: [(text) => !NOT_A_PATH.test(text), "true, false, or a file path"],
  keepFresh: boolean,
  minTtl: integer(0, 86_400),
  seal: boolean,
  check: boolean,
};

/**
 * Reads and validates all inputs. A blank value is treated as not set, so that callers can pass on optional values.
 *
 * @param clientSecret - the secret, which was already read and masked
 * @throws AuthError of kind `config` with the issues of all inputs
 */
export function readInputs(runner: Runner, clientSecret: string) {
  assertInputsPassed(runner);
  const untrimmed = (field: InputField): string => runner.input(INPUT_NAMES[field]);
  const input = (field: InputField): string => untrimmed(field).trim();
  const isTrue = (field: InputField): boolean => TRUE.test(input(field));
  const isNotFalse = (field: InputField): boolean => !FALSE.test(input(field));
  const toNumber = (field: InputField): number | undefined => (input(field) === "" ? undefined : Number(input(field)));

  const ca = readCaCertificates(
    untrimmed("ca"),
    "the workspace; check out the repository first if it contains the file",
  );
  const result = AuthRequest.safeParse({
    clientId: untrimmed("clientId"),
    clientSecret,
    tsgId: untrimmed("tsgId"),
    scope: untrimmed("scope"),
    tokenUrl: untrimmed("tokenUrl"),
    jwksUrl: untrimmed("jwksUrl"),
    ca: ca.pem,
  });
  const authFile: AuthFileInput = {
    path: isTrue("authFile") || input("authFile"),
    keepFresh: isNotFalse("keepFresh"),
  };
  const options = {
    verify: isNotFalse("verify"),
    policy: { ...RETRY_DEFAULTS, maxRetries: toNumber("maxRetries") ?? 9 },
    /** Time limit for the whole step, in seconds. */
    timeout: toNumber("timeout") ?? 240,
    /** Minimum remaining lifetime for reusing a token, in seconds; undefined for the default of `getMinRemaining`. */
    minTtl: toNumber("minTtl"),
    authFile: authFile.path !== "" && isNotFalse("authFile") ? authFile : undefined,
    seal: isTrue("seal"),
    /** Undefined if the input has its default, "false". Blank if the runner dropped the output of the other job. */
    sealedToken: isNotFalse("sealedToken") ? input("sealedToken") : undefined,
    check: isTrue("check"),
  };

  const requestIssues = "issues" in result ? result.issues : [];
  const issues = [
    ...requestIssues.map((issue) =>
      issue.field === "clientSecret" && issue.code === "required"
        ? { ...issue, ...explainMissingSecret(process.env) }
        : issue,
    ),
    ...(ca.issue === undefined ? [] : [ca.issue]),
    ...Object.entries(RULES).flatMap(([field, [isValid, expected]]): readonly ConfigIssue[] => {
      const text = input(field as InputField);
      if (text === "" || isValid(text)) return [];
      return [{ field, message: `must be ${expected}`, hint: `Set it to ${expected}.` }];
    }),
    ...findConflicts(options),
  ];
  if ("issues" in result || issues.length > 0) throw configError(issues);
  return { authRequest: result.request, ...options };
}

/** Checks that the inputs were passed. The runner always passes an input that has a default in action.yml. */
function assertInputsPassed(runner: Runner): void {
  if (runner.hasInput(INPUT_NAMES.maxRetries)) return;
  throw configError([
    {
      field: "INPUT_MAX-RETRIES",
      message: "is not in the environment, although this input has a default",
      hint: "Something between the runner and this action drops variables with a hyphen in their names, so most inputs are lost. Some shells, such as dash, do this: start node without a shell, or with one that keeps them, such as bash.",
    },
  ]);
}

function findConflicts(options: Omit<Inputs, "authRequest">): readonly ConfigIssue[] {
  const outputs = (["authFile", "seal", "sealedToken"] as const).filter((field) => (options[field] ?? false) !== false);
  const sealing = (["seal", "sealedToken"] as const).find((field) => options[field]);
  const names = outputs.map((field) => INPUT_NAMES[field]).join(", ");
  return [
    ...(options.check && outputs.length > 0
      ? [{ field: "check", message: `cannot be combined with ${names}`, hint: "Use check in a separate step." }]
      : []),
    ...(sealing && !options.verify
      ? [{ field: sealing, message: "cannot be combined with verify: false", hint: "Remove one of the two." }]
      : []),
  ];
}
