import { AuthError } from "../shared/errors.ts";
import { HINTS } from "../shared/hints.ts";
import { sanitize } from "../shared/redact.ts";
import { getErrorPage } from "../shared/version.ts";

/**
 * Formats an error for Pulumi: one line each for the cause, the hint, and a link. For an error thrown by other code, only
 * the name is shown, because its message may contain anything.
 */
export function formatError(error: unknown): string {
  if (AuthError.isAuthError(error)) return `${error.message}\n${error.hint}\nSee ${error.docs}`;
  const name = error instanceof Error ? error.name : typeof error;
  return `Authentication error: unexpected error (${sanitize(name, 60)}).\n${HINTS.internal_error}\nSee ${getErrorPage("internal_error")}`;
}
