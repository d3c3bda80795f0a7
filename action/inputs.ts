import type { Seconds } from "../shared/clock.ts";
import type { RetryPolicy } from "../shared/http/retry.ts";
import type { Field, FieldNames, Problem } from "../shared/report/fields.ts";
import type { AuthRequestInput } from "../shared/token/auth-request.ts";

/** One input of the action, as users read of it. */
interface Input {
  readonly field: Field;
  readonly required?: true;
  readonly default?: string;
}

/** THE table of inputs: action.yml and the README's table are generated from it (`npm run generate`). */
export const inputs = Object.freeze({
  "client-id": {
    field: "clientId",
    required: true,
  },
  "client-secret": {
    field: "clientSecret",
    required: true,
  },
  "tsg-id": {
    field: "tsgId",
  },
  scope: {
    field: "scope",
  },
  "token-url": {
    field: "tokenUrl",
    default: "https://auth.apps.paloaltonetworks.com/am/oauth2/access_token",
  },
  "jwks-url": {
    field: "jwksUrl",
  },
  verify: {
    field: "verify",
    default: "true",
  },
  "ca-cert": {
    field: "ca",
  },
  "max-retries": {
    field: "maxRetries",
    default: "3",
  },
  timeout: {
    field: "timeout",
    default: "180",
  },
} satisfies Readonly<Record<string, Input>>);

/** The name of an input. */
export type InputName = keyof typeof inputs;

/** What users read of each input, in Markdown. A table of its own, so that the bundle goes without it. */
export const inputDocs: Readonly<Record<InputName, string>> = {
  "client-id":
    "Client id of the service account: `name@<TSG id>.iam.panserviceaccount.com`. Keep it in `vars`, not in `secrets`.",
  "client-secret": "Secret of the service account. Always from `secrets`.",
  "tsg-id":
    "Id of the tenant (tenant service group), digits in quotes. Default: taken from `scope`, or else from the client id.",
  scope: "Scope to ask for. Default: `tsg_id:<tsg-id>`.",
  "token-url": "Where the token is asked for (https).",
  "jwks-url": "Where the signing keys are (https). Default: beside `token-url`, at `connect/jwk_uri`.",
  verify:
    "Prove the token's signature. With `false` its claims alone are checked; for servers whose tokens are opaque.",
  "ca-cert":
    "Certificates to trust beside the usual ones, as PEM text or the path of a PEM file: for proxies that inspect TLS.",
  "max-retries": "Repeats of each request after a failure that may pass, 0 to 20.",
  timeout: "Seconds for the whole sign-in, repeats and waits included, 1 to 3600.",
};

/** What the action calls each field. */
export const inputNames = Object.freeze(
  Object.fromEntries(Object.entries(inputs).map(([name, { field }]) => [field, name])),
) as FieldNames;

/** How this step is to sign in. */
export interface StepOptions {
  readonly verify: boolean;
  readonly policy: RetryPolicy;
  readonly timeout: Seconds;
}

/** Jobs start by the hundred, so an overload is waited for widely. */
const PATIENCE = { backoff: 0.3, spreadOverload: true };

/** The inputs as they were written, and what the options among them mean. */
export interface ParsedInputs {
  readonly request: AuthRequestInput;
  readonly options: StepOptions;
}

/**
 * Takes the inputs apart. What is wrong with the options goes into `problems`; the request's own fields are
 * judged by AuthRequest.
 *
 * @param read - the text of an input as the runner gives it, white space and all
 */
export function parseInputs(read: (name: InputName) => string, problems: Problem[]): ParsedInputs {
  const text = (name: InputName): string => {
    const { default: usual = "" } = inputs[name] as Input;
    const given = read(name);
    return given.trim() === "" ? usual : given;
  };
  return {
    request: {
      clientId: text("client-id"),
      clientSecret: text("client-secret"),
      tsgId: text("tsg-id"),
      scope: text("scope"),
      tokenUrl: text("token-url"),
      jwksUrl: text("jwks-url"),
      ca: text("ca-cert"),
    },
    options: {
      verify: bool("verify", text("verify"), problems),
      policy: { ...PATIENCE, maxRetries: whole("maxRetries", text("max-retries"), [0, 20], problems) },
      timeout: whole("timeout", text("timeout"), [1, 3600], problems),
    },
  };
}

/** Booleans of the YAML 1.2 core schema, as everywhere in workflow files. */
const BOOLEANS: Readonly<Record<string, boolean>> = Object.freeze({
  true: true,
  True: true,
  TRUE: true,
  false: false,
  False: false,
  FALSE: false,
});

function bool(field: Field, text: string, problems: Problem[]): boolean {
  const value = Object.hasOwn(BOOLEANS, text.trim()) ? BOOLEANS[text.trim()] : undefined;
  if (value === undefined) problems.push({ field, reason: "is neither true nor false", hint: "Write true or false." });
  return value ?? true;
}

function whole(field: Field, text: string, [least, most]: readonly [number, number], problems: Problem[]): number {
  const value = /^\d{1,9}$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  problems.push({
    field,
    reason: `is not a whole number from ${least} to ${most}`,
    hint: `Write digits alone, from ${least} to ${most}.`,
  });
  return least;
}
