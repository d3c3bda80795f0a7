import type { dynamic } from "@pulumi/pulumi";
import { AuthError } from "../../shared/errors.ts";
import { AuthFiles, type ProviderState } from "../auth-files.ts";
import { formatError } from "../error-message.ts";
import { ServiceAccounts } from "../service-accounts.ts";
import { findUnknownArgs, pickArgs } from "../sign-in-args.ts";
import { createAccessTokenResource } from "./access-token-resource.ts";
import { createAuthFileResource } from "./auth-file-resource.ts";
import { CheckCache } from "./diff.ts";
import type { DynamicResource, Properties } from "./resource.ts";
import { KINDS, PROVIDER_VERSION, type ResourceKind } from "./serialized.ts";

// There is one cache and one state per process, because the engine calls `handler` once for each version of
// `__provider` in the state.
const cache = new CheckCache();
const state: ProviderState = { accounts: new ServiceAccounts(), files: new AuthFiles() };
const resources: Readonly<Record<ResourceKind, DynamicResource>> = {
  "auth-file": createAuthFileResource(cache, state),
  "access-token": createAccessTokenResource(cache, state.accounts),
};

/**
 * The provider behind the resources of scm-auth, for Pulumi's dynamic provider process. The code in the string
 * `__provider` in the state calls this function.
 *
 * @param version - the version in that string
 */
export function handler(version: number): dynamic.ResourceProvider<Properties, Properties> {
  const isCompatible = (kind: unknown): kind is ResourceKind =>
    version === PROVIDER_VERSION && typeof kind === "string" && Object.hasOwn(KINDS, kind);
  const getKind = ({ kind }: Properties): ResourceKind => {
    if (isCompatible(kind)) return kind;
    throw new AuthError("this resource was created by an incompatible version of scm-auth.", {
      kind: "config",
      code: "invalid_config",
      hint: "Install the version that created it.",
    });
  };
  return {
    check: async (olds, news) => {
      try {
        const kind = getKind(news);
        const { __provider, name, kind: _, ...args } = news;
        // Unknown arguments passed by the program cause an error in the program. Those found here were added by Pulumi,
        // for example by a transformation.
        for (const { field, message } of findUnknownArgs(args, KINDS[kind]))
          console.warn(`warning: scm-auth resource '${String(name)}': ${field} ${message}; it is ignored.`);
        // Unknown arguments may contain anything.
        const inputs = { __provider, name, kind, ...pickArgs(args, KINDS[kind]) };
        return { inputs: await resources[kind].check(olds, inputs), failures: [] };
      } catch (error) {
        // The engine shows a failure once, but a thrown error twice. If the failure named a property, the engine would
        // print its value, even if it is a secret.
        return { inputs: {}, failures: [{ property: "", reason: formatError(error) }] };
      }
    },
    diff: (_id, olds, news) => withUserErrors(() => resources[getKind(news)].diff(olds, news)),
    create: (inputs) => withUserErrors(() => resources[getKind(inputs)].create(inputs)),
    update: (_id, _olds, news) => withUserErrors(async () => ({ outs: await resources[getKind(news)].update(news) })),
    read: (id, outputs = {}) =>
      withUserErrors(async () => {
        await resources[getKind(outputs)].read(outputs);
        return { id, props: outputs };
      }),
    delete: (_id, outputs) =>
      withUserErrors(async () => {
        // A resource created by an incompatible version must not prevent `destroy`.
        const { kind } = outputs;
        if (isCompatible(kind)) await resources[kind].delete(outputs);
      }),
  };
}

/** Converts errors to the form that the engine prints. */
async function withUserErrors<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (failure) {
    const error = new Error(formatError(failure));
    // For an error thrown by `diff`, `read`, or `delete`, the process prints the stack, and then the engine prints the
    // message.
    error.stack = "see the resource's error";
    throw error;
  }
}
