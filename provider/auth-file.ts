import { isAbsolute, relative, sep } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { AuthFileArgs } from "./args.ts";
import { ensureAuthFileFromArgs } from "./auth-files.ts";
import { getDeployment, isMocked, runForProgram } from "./deployment.ts";
import { isOfType, toInputs } from "./resource-inputs.ts";
import type { Args } from "./sign-in-args.ts";

const TYPE = "pulumi-nodejs:dynamic/scm-auth:AuthFile";

/**
 * The auth file that the `scm` provider reads, with a short-lived token and without the secret of the service account. It
 * exists and its token is valid before `path` resolves. It is refreshed while the operation runs. Later runs show no
 * diffs, and the state contains no secret.
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
  /** The path of the file as in the arguments. The file exists when this resolves. */
  declare readonly path: pulumi.Output<string>;

  /**
   * @param name - the unique name of the resource
   * @param args - the path of the file, and how to sign in
   * @param opts - a bag of options that control this resource's behavior
   * @throws pulumi.RunError for unknown arguments
   */
  constructor(name: string, args: AuthFileArgs, opts?: pulumi.CustomResourceOptions) {
    const inputs = toInputs("AuthFile", name, args);
    super(TYPE, name, isMocked() ? inputs : { ...inputs, path: getEnsuredPath({ ...args }) }, opts);
  }

  /** Whether `obj` is an AuthFile, including one of another copy of this package. */
  static override isInstance(obj: unknown): obj is AuthFile {
    return isOfType(obj, TYPE);
  }
}

/** The path, once the file exists. Unknown while an argument is; a secret only if the path itself is one. */
function getEnsuredPath(args: AuthFileArgs): pulumi.Output<string> {
  const deployment = getDeployment();
  const ensure = async (values: Args): Promise<void> => {
    const { warnings } = await runForProgram(deployment, () => ensureAuthFileFromArgs(values, deployment));
    for (const warning of [...warnings, ...getPathWarnings(values["path"] as string)]) void pulumi.log.warn(warning);
  };
  const ensured = pulumi.unsecret(pulumi.output(args).apply(ensure));
  return pulumi.output(args.path).apply((path) => ensured.apply(() => path));
}

function getPathWarnings(path: string): readonly string[] {
  if (!isAbsolute(path)) return [];
  const relativePath = relative(process.cwd(), path);
  if (isAbsolute(relativePath) || relativePath.split(sep)[0] === "..") return [];
  const suggestion = relativePath.split(sep).join("/");
  return [`AuthFile: the path is absolute and will differ between machines; use "${suggestion}".`];
}
