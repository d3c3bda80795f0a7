import { resolve } from "node:path";
import { UNKNOWN } from "../abi.ts";
import { hasSecret, KNOWN, signInOf, type Arguments, type Environment, type SignIn } from "../sign-in/arguments.ts";
import { readyAuthFile } from "../sign-in/ready-auth-file.ts";
import type { Accounts } from "../sign-in/account.ts";
import type { AuthFiles } from "../sign-in/auth-files.ts";
import { AuthError } from "../../shared/report/errors.ts";
import { removeAuthFile } from "../../shared/handoff/ensure-auth-file.ts";
import type { DynamicProvider } from "./dynamic-provider.ts";
import { argumentsOf, hasUnknown, withoutSecret, type Properties } from "./inputs.ts";
import type { Memory } from "./memory.ts";

/** What the resources of one process work with. */
export interface Workshop {
  readonly memory: Memory;
  readonly accounts: Accounts;
  readonly files: AuthFiles;
  readonly env: Environment;
}

/** Who an auth file is for. */
interface Identity {
  readonly clientId: string;
  readonly scope: string;
}

const known = KNOWN.AuthFile;

/**
 * The life of an AuthFile. The program has made sure of the file already; this process does it, too, since it lives
 * longer, and is there when no program runs. Throws what goes wrong as AuthError.
 */
export function authFileProvider({ memory, accounts, files, env }: Workshop): DynamicProvider {
  /** Paths of files that resources of this run have: what a refresh made sure of may be about to go. */
  const inUse = new Set<string>();
  const use = (inputs: Properties): Promise<Identity | undefined> => {
    inUse.add(resolve(pathOf(inputs)));
    return makeSure(inputs);
  };
  /** @returns whom the file is for; undefined when only the file itself knows */
  const makeSure = async (inputs: Properties): Promise<Identity | undefined> =>
    (await readyAuthFile(argumentsOf(inputs), { accounts, files, env })).request;

  const outputsOf = (inputs: Properties, identity: Identity | undefined): Properties => ({
    ...withoutSecret(inputs),
    ...(identity && { identity: { clientId: identity.clientId, scope: identity.scope } }),
  });

  return {
    check: async (olds, news) => {
      const inputs = memory.keep(olds, news);
      // The secret, too: without it nothing can be made sure of.
      if (hasUnknown(news)) return { inputs: { ...inputs, path: UNKNOWN }, failures: [] };
      await use(news);
      return { inputs, failures: [] };
    },
    diff: (_id, _olds, news) => {
      const changed = memory.take(news)?.changed ?? [];
      // Only another path is another file, and the old one must go.
      return Promise.resolve({ changes: changed.length > 0, replaces: changed.filter((name) => name === "path") });
    },
    create: async (inputs) => {
      const identity = await use(memory.complete(inputs));
      return { id: pathOf(inputs), outs: outputsOf(inputs, identity) };
    },
    update: async (_id, _olds, news) => ({ outs: outputsOf(news, await use(memory.complete(news))) }),
    read: async (id, outputs) => {
      const { identity, ...inputs } = outputs;
      // Whoever has no secret here can do nothing for the file; the program may.
      if (signInIfSecret(argumentsOf(inputs), env) !== undefined) await makeSure(inputs);
      return { id, props: outputs };
    },
    delete: async (_id, outputs) => {
      const { identity, ...inputs } = outputs;
      const path = pathOf(inputs);
      // Another resource has the same path: one that replaced this one, or was given it as well.
      if (inUse.has(resolve(path))) return;
      const whose = [identity as Identity | undefined, signInIfRight(argumentsOf(inputs), env)?.request];
      for (const one of whose) if (one !== undefined) await removeAuthFile(path, one);
    },
  };
}

const pathOf = ({ path }: Arguments): string => (typeof path === "string" ? path : "");

/** The sign-in that the arguments and the environment make together; undefined when there is no secret. */
const signInIfSecret = (args: Arguments, env: Environment): SignIn | undefined =>
  hasSecret(args, env) ? signInOf(args, known, env) : undefined;

/** As {@link signInIfSecret}, for who can do without. */
function signInIfRight(args: Arguments, env: Environment): SignIn | undefined {
  try {
    return signInIfSecret(args, env);
  } catch (error) {
    if (AuthError.isAuthError(error)) return undefined;
    throw error;
  }
}
