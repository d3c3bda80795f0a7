import { AuthError } from "../shared/report/errors.ts";
import { inputNames } from "./inputs.ts";
import type { Runner } from "./runner.ts";

/** GitHub shows this many annotations of a kind for a step. */
const MOST_ANNOTATIONS = 10;

/** Tells why there is no token: for each problem its cause, and what to do. */
export function reportFailure(runner: Runner, error: unknown): void {
  const failure = AuthError.isAuthError(error) ? error : unexpected(error);
  const problems = failure.problemsWith(inputNames);
  if (problems.length === 0) {
    runner.error(failure.message, failure.hintWith(inputNames));
    return;
  }
  const told = problems.map(({ field, reason, hint }) => ({ cause: `${field} ${reason}.`, hint }));
  const annotated = told.length > MOST_ANNOTATIONS ? MOST_ANNOTATIONS - 1 : told.length;
  for (const { cause, hint } of told.slice(0, annotated)) runner.error(cause, hint);
  const rest = told.slice(annotated);
  if (rest.length > 0) runner.error(`${rest.length} more problems.`, "They stand below in the log.");
  for (const { cause, hint } of rest) runner.say(`${cause} ${hint}`);
}

/** What nobody thought of. Its message is shown, redacted as all is; its stack is not. */
function unexpected(error: unknown): AuthError {
  return new AuthError(`unexpected failure: ${describe(error)}`, {
    kind: "protocol",
    code: "unexpected",
    cause: error,
  });
}

/** Anything can be thrown, even what can't be read. */
function describe(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  } catch {
    return "something that tells nothing of itself";
  }
}
