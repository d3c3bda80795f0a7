import * as pulumi from "@pulumi/pulumi";
import type { Kind } from "../abi.ts";
import type { AccessTokenArgs } from "./args.ts";
import { inputsOf, isOfType } from "./auth-file.ts";

const TYPE = "pulumi-nodejs:dynamic/scm-auth:AccessToken";
const KIND: Kind = "access-token";

/**
 * An access token as the output of a resource, for a resource that must be given one. An update renews it when less
 * than `minTtl` of its life is left, and shows no diff otherwise. It stands in the state, encrypted: for the `scm`
 * provider use AuthFile, and inside a program getAccessToken.
 *
 * @example
 * ```ts
 * import * as scmAuth from "scm-auth/pulumi";
 *
 * const token = new scmAuth.AccessToken("scm");
 * export const expiresAt = token.expiresAt;
 * ```
 */
export class AccessToken extends pulumi.CustomResource {
  /** What goes behind `Bearer`. A secret. */
  declare readonly accessToken: pulumi.Output<string>;
  /** When it ends, as text: UTC, whole seconds (RFC 3339). */
  declare readonly expiresAt: pulumi.Output<string>;
  /** The scope that it grants, its words separated by spaces. */
  declare readonly scope: pulumi.Output<string>;
  /** The tenant (TSG id) that it is for; empty when the scope names none or several. */
  declare readonly tsgId: pulumi.Output<string>;

  /**
   * @param name - the unique name of the resource
   * @param args - how to sign in where the environment does not say
   * @param opts - a bag of options that control this resource's behavior
   */
  constructor(name: string, args: AccessTokenArgs = {}, opts?: pulumi.CustomResourceOptions) {
    const outputs = { accessToken: undefined, expiresAt: undefined, scope: args.scope, tsgId: args.tsgId };
    const secret = { additionalSecretOutputs: ["accessToken"] };
    super(TYPE, name, { ...inputsOf(KIND, name, args), ...outputs }, pulumi.mergeOptions(secret, opts));
  }

  /** Whether `obj` is an AccessToken, also one of another copy of this package. */
  static override isInstance(obj: unknown): obj is AccessToken {
    return isOfType(obj, TYPE);
  }
}
