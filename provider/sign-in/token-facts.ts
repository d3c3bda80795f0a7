import type { AccessToken } from "../../shared/token/access-token.ts";

/** What programs and the engine get of a token. */
export interface TokenFacts {
  /** What goes behind `Bearer`. */
  readonly accessToken: string;
  /** When it ends, as text: UTC, whole seconds (RFC 3339). */
  readonly expiresAt: string;
  /** The scope that it grants, its words separated by spaces. */
  readonly scope: string;
  /** The tenant (TSG id) that it is for; empty when the scope names none or several. */
  readonly tsgId: string;
}

/** The facts of a token that was proved: such a one knows when it ends. */
export const factsOfToken = ({ value, expiresAt, scope, tsgId = "" }: AccessToken): TokenFacts => ({
  accessToken: value,
  expiresAt: expiresAt?.toISOString().replace(/\.\d+Z$/, "Z") ?? "",
  scope,
  tsgId,
});
