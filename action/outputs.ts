import type { StepResult } from "./log.ts";

/** Returns the values of all outputs in action.yml, in the same order. */
export const toOutputs = ({ token, path = "", sealedToken = "", server }: Omit<StepResult, "source">) => ({
  "access-token": token.value,
  "expires-at": token.expiresAt?.toISOString().replace(/\.\d+Z$/, "Z") ?? "",
  scope: token.scope,
  "tsg-id": token.tsgId ?? "",
  "auth-file": path,
  "token-endpoint": server?.authUrl ?? "",
  "token-endpoint-secret": server?.clientSecret ?? "",
  "sealed-token": sealedToken,
});
