import type { AuthErrorKind } from "../../../shared/errors.ts";

/** What docs/troubleshooting.md says about an error, in addition to its hint in shared/hints.ts. */
export interface ErrorCause {
  /** The usual description, without its prefix. What varies is in angle brackets; a test finds the rest in the sources. */
  readonly message: string;
  /** When the error occurs, in Markdown. */
  readonly cause: string;
  /** What else to do if the hint is not enough, in Markdown. */
  readonly more?: string;
}

export interface AuthErrorCause extends ErrorCause {
  readonly kind: AuthErrorKind;
  /** Set for an OAuth error response. */
  readonly oauthError?: string;
}

/** Some error codes and their causes. */
export type AuthErrorCauses = Readonly<Record<string, AuthErrorCause>>;

/** A section of the page. */
export interface ErrorSection {
  readonly title: string;
  readonly text: string;
  readonly errors: AuthErrorCauses;
}
