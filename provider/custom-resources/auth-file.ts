import { resolve } from "node:path";
import { removeAuthFile, resolveAuthFilePath } from "../../shared/auth-file/ensure-auth-file.ts";
import type { AuthRequest } from "../../shared/auth-request.ts";
import { ensureAuthFileFromArgs, type ProviderState } from "../auth-files.ts";
import { collectIssues, hasCredentials, parseSignInArgs, pickArgs } from "../sign-in-args.ts";
import { diffProps, hasUnknown, type CheckCache } from "./diff.ts";
import { UNKNOWN_VALUE, type CustomResource, type Properties } from "./custom-resource.ts";

/**
 * The identity that an auth file is for. It is part of the outputs so that `delete` does not remove a file for another
 * identity.
 */
type Identity = Pick<AuthRequest, "clientId" | "scope">;

/** Receives the path in the arguments of an AuthFile, and warnings about its directory. */
export type EnsuredListener = (path: string, warnings: readonly string[]) => Promise<void>;

/**
 * Creates the implementation of the AuthFile resource. With the dynamic provider, the program has already ensured the
 * file. This process does so as well, because it lives longer and also runs when the program does not.
 *
 * @param onEnsured - called each time that `check` has ensured a file
 */
export function createAuthFileResource(
  cache: CheckCache,
  state: ProviderState,
  onEnsured?: EnsuredListener,
): CustomResource {
  /**
   * Paths of the files that resources use in this run. A refresh does not add a path, because it may be followed by the
   * deletion of the resource.
   */
  const activePaths = new Set<string>();
  const ensure = (inputs: Properties) => ensureAuthFileFromArgs(pickArgs(inputs, "AuthFile"), state);
  const ensureActive = (inputs: Properties) => {
    activePaths.add(resolve(getPath(inputs)));
    return ensure(inputs);
  };
  const createOutputs = async (inputs: Properties): Promise<Properties> => {
    const { authRequest } = await ensureActive(cache.withSecret(inputs));
    const identity: Identity | undefined = authRequest && { clientId: authRequest.clientId, scope: authRequest.scope };
    return { ...inputs, ...(identity && { identity }) };
  };

  return {
    check: async (olds, news) => {
      const inputs = cache.remember(olds, news);
      // Nothing can be ensured while an argument is unknown, including the secret.
      if (hasUnknown(news)) return { ...inputs, path: UNKNOWN_VALUE };
      const { warnings } = await ensureActive(news);
      await onEnsured?.(getPath(news), warnings);
      return inputs;
    },
    diff: (olds, news) => {
      const changed = diffProps(olds, news);
      // A different path means a different file, and the old file must be removed.
      return { changes: changed.length > 0, replaces: changed.filter((name) => name === "path") };
    },
    create: async (inputs) => ({ id: getPath(inputs), outs: await createOutputs(inputs) }),
    update: createOutputs,
    read: async (outputs) => {
      // Without credentials, this process cannot ensure the file, but the program may have them.
      if (hasCredentials(outputs)) await ensure(outputs);
    },
    delete: async (outputs) => {
      const path = getPath(outputs);
      // A state from Windows may contain a path that cannot exist on this system. It must not prevent `destroy`.
      if (collectIssues(() => resolveAuthFilePath(path)).issues.length > 0) return;
      // Another resource uses the same path, for example one that replaces this resource.
      if (activePaths.has(resolve(path))) return;
      const config = collectIssues(() => parseSignInArgs(pickArgs(outputs, "AuthFile"), "AuthFile")).value;
      const identities = [outputs["identity"] as Identity | undefined, config?.authRequest];
      for (const identity of identities) if (identity !== undefined) await removeAuthFile(path, identity);
    },
  };
}

const getPath = ({ path }: Properties): string => (typeof path === "string" ? path : "");
