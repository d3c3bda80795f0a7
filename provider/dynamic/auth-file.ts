import { resolve } from "node:path";
import { removeAuthFile } from "../../shared/auth-file/ensure-auth-file.ts";
import type { Environment } from "../../shared/environment.ts";
import { AuthError } from "../../shared/errors.ts";
import { ensureAuthFileFromArgs, type EnsuredFile, type ProviderState } from "../auth-files.ts";
import { hasSecret, parseSignInArgs, type Args } from "../sign-in-args.ts";
import { diffProps, hasUnknown, toArgs, withoutSecret, type CheckCache, type Properties } from "./inputs.ts";
import type { DynamicResource } from "./resource.ts";
import { UNKNOWN_VALUE } from "./serialized.ts";

/** Whom an auth file is for. In the outputs, so that `delete` does not remove the file of another identity. */
interface Identity {
  readonly clientId: string;
  readonly scope: string;
}

/**
 * The resource AuthFile. The program has ensured the file already. This process does it as well, because it lives longer
 * and also runs when the program does not.
 *
 * @throws AuthError from each method
 */
export function createAuthFileResource(cache: CheckCache, state: ProviderState): DynamicResource {
  /** Paths of files that resources of this run have. A refresh does not count: the resource may be deleted afterwards. */
  const activePaths = new Set<string>();
  const ensure = (inputs: Properties): Promise<EnsuredFile> =>
    ensureAuthFileFromArgs(toArgs("auth-file", inputs), state);
  const ensureActive = (inputs: Properties): Promise<EnsuredFile> => {
    activePaths.add(resolve(getPath(inputs)));
    return ensure(inputs);
  };
  const createOutputs = async (inputs: Properties): Promise<Properties> => {
    const { authRequest } = await ensureActive(cache.withSecret(inputs));
    const identity: Identity | undefined = authRequest && { clientId: authRequest.clientId, scope: authRequest.scope };
    return { ...withoutSecret(inputs), ...(identity && { identity }) };
  };

  return {
    check: async (olds, news) => {
      const inputs = cache.remember(olds, news);
      // Nothing can be ensured while an argument is unknown, including the secret.
      if (hasUnknown(news)) return { ...inputs, path: UNKNOWN_VALUE };
      await ensureActive(news);
      return inputs;
    },
    diff: (olds, news) => {
      const changed = diffProps(olds, news);
      // Another path is another file, and the old one must be removed.
      return { changes: changed.length > 0, replaces: changed.filter((name) => name === "path") };
    },
    create: async (inputs) => ({ id: getPath(inputs), outs: await createOutputs(inputs) }),
    update: createOutputs,
    read: async (outputs) => {
      // Without a secret this process can do nothing for the file, but the program may have one.
      if (hasSecret(toArgs("auth-file", outputs), state.env)) await ensure(outputs);
    },
    delete: async (outputs) => {
      const path = getPath(outputs);
      // Another resource has the same path, for example one that replaces this one.
      if (activePaths.has(resolve(path))) return;
      const identities = [outputs["identity"] as Identity | undefined, getIdentity(outputs, state.env)];
      for (const identity of identities) if (identity !== undefined) await removeAuthFile(path, identity);
    },
  };
}

const getPath = ({ path }: Args): string => (typeof path === "string" ? path : "");

/** Whom the arguments and the environment are for; undefined without a valid sign-in. */
function getIdentity(outputs: Properties, env: Environment): Identity | undefined {
  const args = toArgs("auth-file", outputs);
  if (!hasSecret(args, env)) return undefined;
  try {
    return parseSignInArgs(args, "AuthFile", env).authRequest;
  } catch (error) {
    if (AuthError.isAuthError(error)) return undefined;
    throw error;
  }
}
