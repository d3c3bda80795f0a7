import type { Seconds } from "../shared/clock.ts";
import type { RetryPolicy } from "../shared/http/retry.ts";
import type { Field, Problem } from "../shared/report/fields.ts";
import type { AuthRequestInput } from "../shared/token/auth-request.ts";
import { inputs, type Input, type InputName } from "./inputs.ts";

/** How this step is to sign in. */
export interface StepOptions {
  readonly verify: boolean;
  readonly policy: RetryPolicy;
  readonly timeout: Seconds;
  /** Life that a token not minted just now must have left. Default: 300, at most a third of its life. */
  readonly minTtl: Seconds | undefined;
}

/** The auth file that this step is to make. */
export interface AuthFileWish {
  /** Its path, as it was written; `true` for the usual one. */
  readonly path: string | true;
  /** Whether it is renewed, and its token served, while the job runs. */
  readonly keepFresh: boolean;
}

/** What this step shall do with sealed tokens. */
export interface SealingWish {
  /** Whether it gives one to other jobs. */
  readonly seal: boolean;
  /** What another job gave; empty when the runner dropped it, undefined when none is wanted. */
  readonly sealed: string | undefined;
}

/** Jobs start by the hundred, so they spread out after an overload. Measured: docs/retries.md. */
const PATIENCE = { backoff: 0.3, spreadOverload: true };

/** The inputs as they were written, and what the options among them mean. */
export interface ParsedInputs {
  readonly request: AuthRequestInput;
  readonly options: StepOptions;
  /** Undefined when none is wanted. */
  readonly authFile: AuthFileWish | undefined;
  /** Undefined when no token is sealed or opened. */
  readonly sealing: SealingWish | undefined;
  /** Whether the step is to find out alone what works, and hand out nothing. */
  readonly check: boolean;
}

type Read = (name: InputName) => string;

/**
 * Takes the inputs apart. What is wrong with the options goes into `problems`; the request's own fields are
 * judged by AuthRequest.
 *
 * @param read - the text of an input as the runner gives it, white space and all
 */
export function parseInputs(read: Read, problems: Problem[]): ParsedInputs {
  const text: Read = (name) => {
    const { default: usual = "" } = inputs[name] as Input;
    const given = read(name);
    return given.trim() === "" ? usual : given;
  };
  const options: StepOptions = {
    verify: bool("verify", text("verify"), problems),
    policy: { ...PATIENCE, maxRetries: whole("maxRetries", text("max-retries"), [0, 20], problems) },
    timeout: whole("timeout", text("timeout"), [1, 3600], problems),
    minTtl: text("min-ttl") === "" ? undefined : whole("minTtl", text("min-ttl"), [0, 86_400], problems),
  };
  const authFile = authFileWish(text, problems);
  const sealing = sealingWish(text, read("sealed-token"), options, problems);
  const check = bool("check", text("check"), problems, false);
  if (check) problems.push(...handOffs(authFile, sealing));
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
    options,
    authFile,
    sealing,
    check,
  };
}

function authFileWish(text: Read, problems: Problem[]): AuthFileWish | undefined {
  const path = text("auth-file").trim();
  const keepFresh = bool("keepFresh", text("keep-fresh"), problems);
  if (NO_PATH.test(path))
    problems.push({ field: "authFile", reason: "is neither true nor a path", hint: "Write true, or a file's path." });
  const isWished = boolOf(path);
  return isWished === false ? undefined : { path: isWished ?? path, keepFresh };
}

/** @param written - empty when the runner dropped the other job's output; the default says that none is wanted */
function sealingWish(
  text: Read,
  written: string,
  { verify }: StepOptions,
  problems: Problem[],
): SealingWish | undefined {
  const seal = bool("seal", text("seal"), problems, false);
  const sealed = boolOf(written) === false ? undefined : written.trim();
  if (!seal && sealed === undefined) return undefined;
  if (!verify && (seal || sealed !== "")) {
    const reason = "needs a token that is proved, and {verify} is false";
    problems.push({ field: seal ? "seal" : "sealedToken", reason, hint: "Leave one of the two out." });
  }
  return { seal, sealed };
}

function handOffs(authFile: AuthFileWish | undefined, sealing: SealingWish | undefined): readonly Problem[] {
  const mixed = [
    ...(authFile ? ["{authFile}"] : []),
    ...(sealing?.seal ? ["{seal}"] : []),
    ...(sealing?.sealed === undefined ? [] : ["{sealedToken}"]),
  ];
  const reason = `hands out nothing, so it can't be mixed with ${mixed.join(", ")}`;
  return mixed.length === 0 ? [] : [{ field: "check", reason, hint: "Check in a step of its own." }];
}

/** Meant as true or false by their look; a path of several lines is none. */
const NO_PATH = /^(y|n|yes|no|on|off|0|1)$|[\u0000-\u001f\u007f]/i;

/** Booleans of the YAML 1.2 core schema, as everywhere in workflow files. */
const BOOLEANS: Readonly<Record<string, boolean>> = Object.freeze({
  true: true,
  True: true,
  TRUE: true,
  false: false,
  False: false,
  FALSE: false,
});

const boolOf = (text: string): boolean | undefined =>
  Object.hasOwn(BOOLEANS, text.trim()) ? BOOLEANS[text.trim()] : undefined;

/** @param otherwise - what goes on with when it is neither, so that no other problem is made of it */
function bool(field: Field, text: string, problems: Problem[], otherwise = true): boolean {
  const value = boolOf(text);
  if (value === undefined) problems.push({ field, reason: "is neither true nor false", hint: "Write true or false." });
  return value ?? otherwise;
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
