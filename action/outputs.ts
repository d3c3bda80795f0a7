import type { AccessToken } from "../shared/token/access-token.ts";

/** The outputs: name and what users read of it, for action.yml and the README's table (`npm run generate`). */
export const outputs = {
  "access-token": "The token, masked in the log. Goes behind `Authorization: Bearer`.",
  "expires-at": "When the token ends, like `2026-01-31T12:34:56Z`; empty when the server does not tell.",
  scope: "The scope granted.",
  "tsg-id": "The tenant; empty when the scope names none or several.",
} as const;

/** Values of all outputs, each a plain string. */
export function outputsOf(token: AccessToken): Readonly<Record<keyof typeof outputs, string>> {
  return {
    "access-token": token.value,
    "expires-at": token.expiresAt?.toISOString().replace(/\.\d+Z$/, "Z") ?? "",
    scope: token.scope,
    "tsg-id": token.tsgId ?? "",
  };
}
