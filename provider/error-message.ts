import { AuthError } from "../shared/errors.ts";
import { HINTS } from "../shared/hints.ts";
import { sanitize } from "../shared/redact.ts";

/**
 * A failure as Pulumi shows it: one line with the cause, one with the hint. Of an error of other code only the name is
 * shown, because its message may quote anything.
 */
export function formatError(error: unknown): string {
  if (AuthError.isAuthError(error)) return `${error.message}\n${error.hint}`;
  const name = error instanceof Error ? error.name : typeof error;
  return `Authentication error: unexpected error (${sanitize(name, 60)}).\n${HINTS.internal_error}`;
}
