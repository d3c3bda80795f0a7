import type { AccessToken } from "../shared/access-token.ts";

/** What a step produced. */
export interface StepResult {
  readonly token: AccessToken;
  /** Path of the auth file, if there is one. */
  readonly path?: string | undefined;
  readonly sealedToken?: string | undefined;
}

/** The values of all outputs of action.yml, in its order. */
export const toOutputs = ({ token, path = "", sealedToken = "" }: StepResult) => ({
  "access-token": token.value,
  "expires-at": token.expiresAt?.toISOString().replace(/\.\d+Z$/, "Z") ?? "",
  scope: token.scope,
  "tsg-id": token.tsgId ?? "",
  "auth-file": path,
  "sealed-token": sealedToken,
});
