import { AuthError } from "../../shared/report/errors.ts";
import { hints } from "../../shared/report/hints.ts";
import { printable } from "../../shared/report/printable.ts";

/**
 * A failure as Pulumi shall show it: a line that says what happened, and one that says what to do. No stack, and no
 * secret: an error that is none of ours is told by its name alone, since its message may quote anything.
 */
export function failureText(error: unknown): string {
  if (!AuthError.isAuthError(error)) {
    const name = error instanceof Error ? error.name : typeof error;
    return `Authentication error: something unexpected happened (${printable(name, 60)}).\n${hints.unexpected}`;
  }
  const advice = [...new Set(error.problems.map(({ hint }) => hint))].join(" ");
  return `${error.message}\n${advice === "" ? error.hint : advice}`;
}
