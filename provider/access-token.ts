import * as pulumi from "@pulumi/pulumi";
import type { AccessTokenArgs } from "./args.ts";
import { isOfType, toInputs } from "./resource-inputs.ts";

const TYPE = "pulumi-nodejs:dynamic/scm-auth:AccessToken";

/**
 * An access token as an output, for a resource of another provider that needs one. An update renews it when less than
 * `minTtl` remains, and otherwise shows no diff. It is stored in the state, encrypted: use AuthFile for the `scm`
 * provider, and getAccessToken inside a program.
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
  /** The string to send as `Authorization: Bearer <accessToken>`. A secret. */
  declare readonly accessToken: pulumi.Output<string>;
  /** When the token expires: UTC, whole seconds (RFC 3339). */
  declare readonly expiresAt: pulumi.Output<string>;
  /** The granted scope, separated by spaces. */
  declare readonly scope: pulumi.Output<string>;
  /** The ID of the tenant (TSG); empty if there are several or none. */
  declare readonly tsgId: pulumi.Output<string>;

  /**
   * @param name - the unique name of the resource
   * @param args - how to sign in
   * @param opts - a bag of options that control this resource's behavior
   * @throws pulumi.RunError for unknown arguments
   */
  constructor(name: string, args: AccessTokenArgs = {}, opts?: pulumi.CustomResourceOptions) {
    // The SDK makes an output of each property that is named here, also of those without an input.
    const outputs = { accessToken: undefined, expiresAt: undefined, scope: args.scope, tsgId: args.tsgId };
    const inputs = toInputs("AccessToken", name, args);
    super(
      TYPE,
      name,
      { ...inputs, ...outputs },
      pulumi.mergeOptions({ additionalSecretOutputs: ["accessToken"] }, opts),
    );
  }

  /** Whether `obj` is an AccessToken, including one of another copy of this package. */
  static override isInstance(obj: unknown): obj is AccessToken {
    return isOfType(obj, TYPE);
  }
}
