import { AuthError, type AuthErrorDetails } from "../report/errors.ts";
import { handoffHints } from "../report/handoff-hints.ts";

/** A failure of handing a token on. */
export type HandoffCode = keyof typeof handoffHints;

/** An error with the hint that belongs to its code. Kind: `config`, unless told otherwise. */
export const handoffError = (
  what: string,
  code: HandoffCode,
  details: Partial<Omit<AuthErrorDetails, "code" | "hint">> = {},
): AuthError => new AuthError(what, { kind: "config", ...details, code, hint: handoffHints[code] });
