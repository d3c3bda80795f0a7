import * as pulumi from "@pulumi/pulumi";
import { configError } from "../shared/errors.ts";
import { getDeployment, isMocked, toRunError } from "./deployment.ts";
import { SERIALIZED_PROVIDER, type ResourceKind } from "./dynamic/serialized.ts";
import { findUnknownArgs, type Args } from "./sign-in-args.ts";

const KINDS = { AuthFile: "auth-file", AccessToken: "access-token" } as const satisfies Record<string, ResourceKind>;

/**
 * What a resource is registered with. The client secret is a secret even if the program does not mark it as one.
 *
 * @throws pulumi.RunError for unknown arguments. They must not be sent to the engine: `client_secret` would be stored.
 */
export function toInputs(owner: keyof typeof KINDS, name: string, args: object | undefined): pulumi.Inputs {
  // JavaScript programs can omit the arguments.
  const { clientSecret, ...others }: Args = { ...args };
  const issues = isMocked() ? [] : findUnknownArgs(others, owner);
  if (issues.length > 0) throw toRunError(configError(issues), getDeployment());
  const secret = clientSecret === undefined ? undefined : pulumi.secret(clientSecret);
  return { ...others, clientSecret: secret, kind: KINDS[owner], name, __provider: SERIALIZED_PROVIDER };
}

/** Whether an object is a resource of a type, by the mark that the SDK sets on it. */
export const isOfType = (obj: unknown, type: string): boolean =>
  typeof obj === "object" && obj !== null && (obj as { readonly __pulumiType?: unknown }).__pulumiType === type;
