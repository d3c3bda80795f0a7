import { isAbsolute, relative, sep } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { PROVIDER, type Kind } from "../abi.ts";
import type { Arguments } from "../sign-in/arguments.ts";
import { readyAuthFile } from "../sign-in/ready-auth-file.ts";
import type { AuthFileArgs } from "./args.ts";
import { deployment, isMocked, type Deployment } from "./deployment.ts";
import { runError } from "./run-error.ts";

const TYPE = "pulumi-nodejs:dynamic/scm-auth:AuthFile";
const KIND: Kind = "auth-file";

/**
 * The auth file that the `scm` provider reads, with a short-lived token in it and without the account's secret. It is
 * there, and its token lives, before `path` resolves; while the operation runs, it is kept fresh. Later runs show no
 * diffs, and the state holds no secret.
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
  /** The file's path, as it was given. The file is there when this is known. */
  declare readonly path: pulumi.Output<string>;

  /**
   * @param name - the unique name of the resource
   * @param args - where the file shall lie, and how to sign in where the environment does not say
   * @param opts - a bag of options that control this resource's behavior
   */
  constructor(name: string, args: AuthFileArgs, opts?: pulumi.CustomResourceOptions) {
    // A JavaScript program may leave out the arguments, too: that is told with other bad ones.
    const given = { ...args };
    super(TYPE, name, { ...inputsOf(KIND, name, given), path: isMocked() ? given.path : readyPath(given) }, opts);
  }

  /** Whether `obj` is an AuthFile, also one of another copy of this package. */
  static override isInstance(obj: unknown): obj is AuthFile {
    return isOfType(obj, TYPE);
  }
}

/** What a resource is registered with. The secret is one whether the author said so or not. */
export function inputsOf(kind: Kind, name: string, args: object): pulumi.Inputs {
  const { clientSecret, ...others } = args as Readonly<Record<string, pulumi.Input<unknown>>>;
  const secret = clientSecret === undefined ? undefined : pulumi.secret(clientSecret);
  return { ...others, clientSecret: secret, kind, name, __provider: PROVIDER };
}

/** Whether an object is a resource of a type, by the mark that the SDK sets on it. */
export const isOfType = (obj: unknown, type: string): boolean =>
  typeof obj === "object" && obj !== null && (obj as { readonly __pulumiType?: unknown }).__pulumiType === type;

/** The path, once the file is there. Unknown while an argument is; a secret only if the path itself was one. */
function readyPath(args: AuthFileArgs): pulumi.Output<string> {
  const here = deployment();
  const ready = pulumi.unsecret(pulumi.output(args).apply((plain) => makeSure(plain, here)));
  return pulumi.output(args.path).apply((path) => ready.apply(() => path));
}

async function makeSure(args: Arguments, { accounts, files }: Deployment): Promise<void> {
  try {
    const { warnings } = await readyAuthFile(args, { accounts, files, env: process.env });
    for (const warning of [...warnings, ...pathWarnings(args["path"] as string)]) void pulumi.log.warn(warning);
  } catch (error) {
    throw runError(error);
  }
}

function pathWarnings(path: string): readonly string[] {
  if (!isAbsolute(path)) return [];
  const fromHere = relative(process.cwd(), path);
  if (isAbsolute(fromHere) || fromHere.split(sep)[0] === "..") return [];
  const better = fromHere.split(sep).join("/");
  return [`The auth file's path is absolute, so it changes from machine to machine: write "${better}".`];
}
