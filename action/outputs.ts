import type { StepResult } from "./log.ts";

/** Returns the values of all outputs in action.yml, in the same order. */
export const toOutputs = ({ token, path = "", sealedToken = "" }: Omit<StepResult, "source">) => ({
  "access-token": token.value,
  "expires-at": token.expiresAt?.toISOString().replace(/\.\d+Z$/, "Z") ?? "",
  scope: token.scope,
  "tsg-id": token.tsgId ?? "",
  "auth-file": path,
  "sealed-token": sealedToken,
});
