import type { AccessToken } from "../shared/token/access-token.ts";

/** The outputs: name and what users read of it, for action.yml and the README's table (`npm run generate`). */
export const outputs = {
  "access-token": "The token, masked in the log. Goes behind `Authorization: Bearer`.",
  "expires-at": "When the token ends, like `2026-01-31T12:34:56Z`; empty when the server does not tell.",
  scope: "The scope granted.",
  "tsg-id": "The tenant; empty when the scope names none or several.",
  "auth-file": "Path of the auth file; empty when none was asked for.",
  "sealed-token": "The token, sealed for other jobs; empty unless `seal` is true.",
} as const;

/** What a step hands out. */
export interface HandedOut {
  readonly token: AccessToken;
  /** Path of the auth file, if there is one. */
  readonly path?: string | undefined;
  readonly sealedToken?: string | undefined;
}

/** Values of all outputs, each a plain string. */
export function outputsOf({
  token,
  path = "",
  sealedToken = "",
}: HandedOut): Readonly<Record<keyof typeof outputs, string>> {
  return {
    "access-token": token.value,
    "expires-at": token.expiresAt?.toISOString().replace(/\.\d+Z$/, "Z") ?? "",
    scope: token.scope,
    "tsg-id": token.tsgId ?? "",
    "auth-file": path,
    "sealed-token": sealedToken,
  };
}
