import { AuthError, configError } from "../shared/report/errors.ts";
import type { Problem } from "../shared/report/fields.ts";
import { AuthRequest, type AuthRequestInput } from "../shared/token/auth-request.ts";
import { readCaText } from "../shared/token/ca-text.ts";
import { inputNames } from "./inputs.ts";
import { parseInputs, type ParsedInputs } from "./parse-inputs.ts";
import { whyNoSecrets } from "./pull-request.ts";
import type { Runner } from "./runner.ts";

/** What a step is to do. */
export interface Order extends Omit<ParsedInputs, "request"> {
  readonly request: AuthRequest;
}

/** Where a relative path of the input `ca-cert` begins. */
const WORKSPACE = "the workspace; check out the repository first if the file is in it.";

/**
 * Reads all inputs and checks them together.
 *
 * @param secret - the client secret, which was read before anything else
 * @throws AuthError of kind `config` with every problem of every input
 */
export function readInputs(runner: Runner, secret: string): Order {
  const problems: Problem[] = [];
  const { request, ...rest } = parseInputs(
    (name) => (name === "client-secret" ? secret : runner.input(name)),
    problems,
  );
  const ca = readCaText(request.ca ?? "", problems, WORKSPACE);
  const parsed = parseRequest({ ...request, ca });
  if ("problems" in parsed) problems.unshift(...parsed.problems.map(explainMissingSecret));
  if (problems.length > 0 || !("request" in parsed)) throw configError(problems, inputNames);
  return { ...rest, request: parsed.request };
}

function parseRequest(
  input: AuthRequestInput,
): { readonly request: AuthRequest } | { readonly problems: readonly Problem[] } {
  try {
    return { request: AuthRequest.parse(input) };
  } catch (error) {
    if (AuthError.isAuthError(error)) return { problems: error.problemsWith(inputNames) };
    throw error;
  }
}

/** A secret that is not there is the commonest first failure, and the input alone does not tell why. */
function explainMissingSecret(problem: Problem): Problem {
  if (problem.field !== inputNames.clientSecret || !problem.reason.startsWith("is missing")) return problem;
  const { GITHUB_EVENT_NAME = "", GITHUB_ACTOR = "", GITHUB_EVENT_PATH = "" } = process.env;
  const why = whyNoSecrets({ eventName: GITHUB_EVENT_NAME, actor: GITHUB_ACTOR, eventPath: GITHUB_EVENT_PATH });
  if (why !== undefined) return { ...problem, reason: `is missing: ${why.because}`, hint: why.hint };
  return {
    ...problem,
    hint: "Is the secret's name spelt as in the repository's settings? A secret of an environment needs `environment:` on the job, a reusable workflow needs `secrets: inherit`.",
  };
}
