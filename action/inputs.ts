import type { Seconds } from "../shared/clock.ts";
import { AuthRequest, type AuthRequestInput } from "../shared/auth-request.ts";
import { readCaCertificates } from "../shared/ca-certificates.ts";
import { configError, type ConfigIssue } from "../shared/errors.ts";
import type { RetryPolicy } from "../shared/http/request-context.ts";
import { getMissingSecretsReason } from "./pull-request.ts";
import type { Runner } from "./runner.ts";

/** The input of action.yml for each field of the configuration. Issues contain fields; the log shows inputs. */
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

/** A field of the configuration that has an input. */
export type InputField = keyof typeof INPUT_NAMES;

/** The auth file to write. */
export interface AuthFileInput {
  /** As written; `true` for the default path. */
  readonly path: string | true;
  /** Whether the file is refreshed while the job runs. */
  readonly keepFresh: boolean;
}

/** The validated inputs of a step. */
export interface Inputs {
  readonly authRequest: AuthRequest;
  readonly verify: boolean;
  readonly policy: RetryPolicy;
  /** Limit for the whole step. */
  readonly timeout: Seconds;
  /** Minimum remaining lifetime of a token that is reused. Default: 300, or a third of its lifetime if that is less. */
  readonly minTtl: Seconds | undefined;
  /** Undefined if no auth file is requested. */
  readonly authFile: AuthFileInput | undefined;
  /** Whether to set the output `sealed-token`. */
  readonly seal: boolean;
  /** The sealed token of another job; empty if the runner dropped that output; undefined if none is expected. */
  readonly sealedToken: string | undefined;
  /** Whether to diagnose the sign-in instead of producing outputs. */
  readonly check: boolean;
}

/** Jobs start by the hundred, so they spread out after an overload. Simulated in docs/retries.md. */
const RETRY_DEFAULTS = { backoff: 0.3, spreadOnOverload: true };

/** The value of an input, and its issues. */
interface Parsed<T> {
  readonly value: T;
  readonly issues: readonly ConfigIssue[];
}

type GetInput = (field: InputField) => string;

/**
 * Reads and validates all inputs. A blank value counts as not given, so that callers can pass on optional values.
 *
 * @param clientSecret - read and masked before anything else
 * @throws AuthError of kind `config` with the issues of all inputs
 */
export function readInputs(runner: Runner, clientSecret: string): Inputs {
  assertInputsPassed(runner);
  const input: GetInput = (field) => (field === "clientSecret" ? clientSecret : runner.input(INPUT_NAMES[field]));
  const authRequest = readAuthRequest(input);
  const verify = readBoolean("verify", input, true);
  const maxRetries = readInteger("maxRetries", input, { min: 0, max: 20, fallback: 9 });
  const timeout = readInteger("timeout", input, { min: 1, max: 3600, fallback: 240 });
  const minTtl = readInteger("minTtl", input, { min: 0, max: 86_400, fallback: undefined });
  const path = readPath(input);
  const keepFresh = readBoolean("keepFresh", input, true);
  const seal = readBoolean("seal", input, false);
  // Not given is "false", by its default. Blank is the output of another job that the runner dropped.
  const sealedToken = parseBoolean(input("sealedToken")) === false ? undefined : input("sealedToken").trim();
  const check = readBoolean("check", input, false);

  const conflicts = findConflicts({
    verify: verify.value,
    authFile: path.value !== undefined,
    seal: seal.value,
    sealedToken,
    check: check.value,
  });
  const parsed = [authRequest, verify, maxRetries, timeout, minTtl, path, keepFresh, seal, check];
  const issues = [...parsed.flatMap((one) => one.issues), ...conflicts];
  if (issues.length > 0 || authRequest.value === undefined) throw configError(issues);
  return {
    authRequest: authRequest.value,
    verify: verify.value,
    policy: { ...RETRY_DEFAULTS, maxRetries: maxRetries.value },
    timeout: timeout.value,
    minTtl: minTtl.value,
    authFile: path.value === undefined ? undefined : { path: path.value, keepFresh: keepFresh.value },
    seal: seal.value,
    sealedToken,
    check: check.value,
  };
}

/** The runner always passes an input that has a default in action.yml. */
function assertInputsPassed(runner: Runner): void {
  if (runner.hasInput(INPUT_NAMES.maxRetries)) return;
  throw configError([
    {
      field: "INPUT_MAX-RETRIES",
      message: "is not in the environment, although this input has a default",
      hint: "Something between the runner and this action drops variables with a hyphen in their names, so that most inputs are lost. Shells such as dash do: start node without a shell, or with one that keeps them (bash).",
    },
  ]);
}

function readAuthRequest(input: GetInput): Parsed<AuthRequest | undefined> {
  const ca = readCa(input("ca"));
  const fields: AuthRequestInput = {
    clientId: input("clientId"),
    clientSecret: input("clientSecret"),
    tsgId: input("tsgId"),
    scope: input("scope"),
    tokenUrl: input("tokenUrl"),
    jwksUrl: input("jwksUrl"),
    ...(ca.value !== undefined && { ca: ca.value }),
  };
  const result = AuthRequest.safeParse(fields);
  if ("request" in result) return { value: result.request, issues: ca.issues };
  const issues = result.issues.map((issue) =>
    issue.field === "clientSecret" && issue.code === "required" ? explainMissingSecret(issue) : issue,
  );
  return { value: undefined, issues: [...issues, ...ca.issues] };
}

function readCa(value: string): Parsed<string | undefined> {
  if (value.trim() === "") return { value: undefined, issues: [] };
  const { pem, issue } = readCaCertificates(
    value,
    "the workspace; check out the repository first if it contains the file",
  );
  return { value: pem, issues: issue === undefined ? [] : [issue] };
}

/** A missing secret is the most frequent failure of a first run, and the blank input does not say why. */
function explainMissingSecret(issue: ConfigIssue): ConfigIssue {
  const { GITHUB_EVENT_NAME = "", GITHUB_ACTOR = "", GITHUB_EVENT_PATH = "" } = process.env;
  const missing = getMissingSecretsReason({
    eventName: GITHUB_EVENT_NAME,
    actor: GITHUB_ACTOR,
    eventPath: GITHUB_EVENT_PATH,
  });
  if (missing) return { ...issue, message: `is required: ${missing.reason}`, hint: missing.hint };
  return {
    ...issue,
    hint: "Check that the secret name matches the repository settings. A secret of an environment needs `environment:` on the job, and a reusable workflow needs `secrets: inherit`.",
  };
}

/** Probably meant as booleans; a path cannot contain control characters. */
const NOT_A_PATH = /^(y|n|yes|no|on|off|0|1)$|\p{Cc}/iu;

function readPath(input: GetInput): Parsed<AuthFileInput["path"] | undefined> {
  const text = input("authFile").trim();
  const enabled = text === "" ? false : parseBoolean(text);
  if (enabled === undefined && NOT_A_PATH.test(text)) {
    const hint = "Set it to true for the default path, or to a file path.";
    return { value: undefined, issues: [{ field: "authFile", message: "must be true, false or a file path", hint }] };
  }
  return { value: enabled === false ? undefined : (enabled ?? text), issues: [] };
}

/** The booleans of the YAML 1.2 core schema, which workflow files use. */
function parseBoolean(text: string): boolean | undefined {
  const value = text.trim();
  if (["true", "True", "TRUE"].includes(value)) return true;
  return ["false", "False", "FALSE"].includes(value) ? false : undefined;
}

/** @param fallback - for a blank or invalid value */
function readBoolean(field: InputField, input: GetInput, fallback: boolean): Parsed<boolean> {
  const text = input(field);
  const value = text.trim() === "" ? fallback : parseBoolean(text);
  if (value !== undefined) return { value, issues: [] };
  const issue = { field, message: "must be true or false", hint: "Set it to true or false." };
  return { value: fallback, issues: [issue] };
}

interface IntegerLimits<F> {
  readonly min: number;
  readonly max: number;
  /** For a blank or invalid value. */
  readonly fallback: F;
}

function readInteger<F extends number | undefined>(
  field: InputField,
  input: GetInput,
  { min, max, fallback }: IntegerLimits<F>,
): Parsed<number | F> {
  const text = input(field).trim();
  if (text === "") return { value: fallback, issues: [] };
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return { value, issues: [] };
  const expected = `an integer between ${min} and ${max}`;
  return { value: fallback, issues: [{ field, message: `must be ${expected}`, hint: `Set it to ${expected}.` }] };
}

interface Combination {
  readonly verify: boolean;
  readonly authFile: boolean;
  readonly seal: boolean;
  readonly sealedToken: string | undefined;
  readonly check: boolean;
}

function findConflicts({ verify, authFile, seal, sealedToken, check }: Combination): readonly ConfigIssue[] {
  const outputs = [
    ...(authFile ? [INPUT_NAMES.authFile] : []),
    ...(seal ? [INPUT_NAMES.seal] : []),
    ...(sealedToken === undefined ? [] : [INPUT_NAMES.sealedToken]),
  ];
  const hint = "Use check in a separate step.";
  const sealing = seal ? "seal" : sealedToken ? "sealedToken" : undefined;
  return [
    ...(check && outputs.length > 0
      ? [{ field: "check", message: `cannot be combined with ${outputs.join(", ")}`, hint }]
      : []),
    ...(sealing && !verify
      ? [{ field: sealing, message: "cannot be combined with verify: false", hint: "Remove one of the two." }]
      : []),
  ];
}
