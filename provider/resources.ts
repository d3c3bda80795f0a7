import * as pulumi from "@pulumi/pulumi";
import { configError } from "../shared/errors.ts";
import type { AccessTokenArgs, AuthFileArgs } from "./args.ts";
import { ensureAuthFileFromArgs } from "./auth-files.ts";
import { KINDS, type ResourceKind } from "./custom-resources/custom-resource.ts";
import { getDeployment, isMocked, runForProgram, toRunError } from "./deployment.ts";
import { SERIALIZED_PROVIDER } from "./dynamic/serialized.ts";
import { getPathWarnings } from "./path-warnings.ts";
import { findUnknownArgs, type Args } from "./sign-in-args.ts";

const AUTH_FILE = "pulumi-nodejs:dynamic/scm-auth:AuthFile";
const ACCESS_TOKEN = "pulumi-nodejs:dynamic/scm-auth:AccessToken";

/**
 * The auth file that the `scm` provider reads. It contains a short-lived token, but not the secret of the service
 * account. Before `path` resolves, the file exists and its token is valid. The file is refreshed while the operation
 * runs. Later runs show no diffs, and the state contains no secret.
 *
 * @example
 * ```ts
 * import * as scm from "@pulumi/scm";
 * import * as scmAuth from "scm-auth/pulumi";
 *
 * const auth = new scmAuth.AuthFile("scm-auth", { path: ".scm/auth.json" });
 * const provider = new scm.Provider("scm", { authFile: auth.path });
 * new scm.Tag("web", { folder: "All", name: "web", color: "Red" }, { provider });
 * ```
 */
export class AuthFile extends pulumi.CustomResource {
  /** The path of the file, as specified in the arguments. The file exists when this output resolves. */
  declare readonly path: pulumi.Output<string>;

  /**
   * @param name - the unique name of the resource
   * @param args - the path of the file, and how to sign in
   * @param opts - options that control this resource's behavior
   * @throws pulumi.RunError for unknown arguments
   */
  constructor(name: string, args: AuthFileArgs, opts?: pulumi.CustomResourceOptions) {
    const inputs = toInputs("auth-file", name, args);
    super(AUTH_FILE, name, isMocked() ? inputs : { ...inputs, path: getEnsuredPath({ ...args }) }, opts);
  }

  /** Whether `obj` is an AuthFile, including one created by another copy of this package. */
  static override isInstance(obj: unknown): obj is AuthFile {
    return isOfType(obj, AUTH_FILE);
  }
}

/**
 * An access token as an output, for a resource of another provider that needs one. An update renews the token if it is
 * valid for less than `minTtl`, and otherwise shows no diff. The token is stored in the state, encrypted. Use AuthFile
 * instead for the `scm` provider, and getAccessToken inside a program.
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
   * @param opts - options that control this resource's behavior
   * @throws pulumi.RunError for unknown arguments
   */
  constructor(name: string, args: AccessTokenArgs = {}, opts?: pulumi.CustomResourceOptions) {
    // The SDK creates an output for each property listed here, even if it has no input.
    const outputs = { accessToken: undefined, expiresAt: undefined, scope: args.scope, tsgId: args.tsgId };
    const options = pulumi.mergeOptions({ additionalSecretOutputs: ["accessToken"] }, opts);
    super(ACCESS_TOKEN, name, { ...toInputs("access-token", name, args), ...outputs }, options);
  }

  /** Whether `obj` is an AccessToken, including one created by another copy of this package. */
  static override isInstance(obj: unknown): obj is AccessToken {
    return isOfType(obj, ACCESS_TOKEN);
  }
}

/** Checks the type that the SDK records in each resource. */
const isOfType = (obj: unknown, type: string): boolean =>
  typeof obj === "object" && obj !== null && "__pulumiType" in obj && obj.__pulumiType === type;

/**
 * Returns the inputs that a resource is registered with. The client secret is a secret even if the program does not
 * mark it as one.
 *
 * @throws pulumi.RunError for unknown arguments. They must not be sent to the engine, because it would store
 *   `client_secret`, for example.
 */
function toInputs(kind: ResourceKind, name: string, args: object | undefined): pulumi.Inputs {
  // JavaScript programs can omit the arguments.
  const { clientSecret, ...others }: Args = { ...args };
  const issues = isMocked() ? [] : findUnknownArgs(others, KINDS[kind]);
  if (issues.length > 0) throw toRunError(configError(issues), getDeployment());
  const secret = clientSecret === undefined ? undefined : pulumi.secret(clientSecret);
  return { ...others, clientSecret: secret, kind, name, __provider: SERIALIZED_PROVIDER };
}

/**
 * Returns the path, which resolves once the file exists. It is unknown while any argument is unknown, and a secret only
 * if the path itself is one.
 */
function getEnsuredPath(args: AuthFileArgs): pulumi.Output<string> {
  const deployment = getDeployment();
  const ensure = async (values: Args): Promise<void> => {
    const { warnings } = await runForProgram(deployment, () => ensureAuthFileFromArgs(values, deployment));
    const pathWarnings = await getPathWarnings(values["path"] as string);
    for (const warning of [...warnings, ...pathWarnings]) void pulumi.log.warn(warning);
  };
  const ensured = pulumi.unsecret(pulumi.output(args).apply(ensure));
  return pulumi.output(args.path).apply((path) => ensured.apply(() => path));
}
