import { AuthError } from "../../shared/errors.ts";
import type { ProviderState } from "../auth-files.ts";
import { formatError } from "../error-message.ts";
import { findUnknownArgs, pickArgs } from "../sign-in-args.ts";
import { createAccessTokenResource } from "./access-token.ts";
import { createAuthFileResource, type EnsuredListener } from "./auth-file.ts";
import { KINDS, type CustomResource, type Properties, type ResourceKind } from "./custom-resource.ts";
import { CheckCache } from "./diff.ts";

/** The resources of one process. */
export type CustomResources = Readonly<Record<ResourceKind, CustomResource>>;

/** Creates the resources. Each process does this once, because they share a cache. */
export function createCustomResources(state: ProviderState, onEnsured?: EnsuredListener): CustomResources {
  const cache = new CheckCache();
  return {
    "auth-file": createAuthFileResource(cache, state, onEnsured),
    "access-token": createAccessTokenResource(cache, state.accounts),
  };
}

/** What differs between the hosts of the resources. */
export interface ResourceHost {
  /** Whether this process can manage a resource with this `kind`. */
  readonly isCompatible: (kind: unknown) => kind is ResourceKind;
  /** Shows a warning. */
  readonly warn: (message: string) => void;
}

/** Whether a value is the `kind` of a resource. */
export const isKind = (kind: unknown): kind is ResourceKind => typeof kind === "string" && Object.hasOwn(KINDS, kind);

/** The methods that a host calls, for resources of every kind. */
export interface ResourceProvider {
  readonly check: (
    olds: Properties,
    news: Properties,
  ) => Promise<{ readonly inputs: Properties; readonly failures: CheckFailure[] }>;
  readonly diff: (id: string, olds: Properties, news: Properties) => Promise<ReturnType<CustomResource["diff"]>>;
  readonly create: (inputs: Properties) => ReturnType<CustomResource["create"]>;
  readonly update: (id: string, olds: Properties, news: Properties) => Promise<{ readonly outs: Properties }>;
  readonly read: (id: string, outputs?: Properties) => Promise<{ readonly id: string; readonly props: Properties }>;
  readonly delete: (id: string, outputs: Properties) => Promise<void>;
}

interface CheckFailure {
  readonly property: string;
  readonly reason: string;
}

/** The properties that a host adds to the arguments. Together with the arguments, they identify a resource. */
export const HOST_PROPERTIES = ["__provider", "urn", "name", "kind"] as const;

/** Creates the methods of one host. */
export function createResourceProvider(
  resources: CustomResources,
  { isCompatible, warn }: ResourceHost,
): ResourceProvider {
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
        const { own, args } = split(news);
        // Programs cannot pass unknown arguments. Those found here were added by Pulumi, for example by a
        // transformation.
        for (const { field, message } of findUnknownArgs(args, KINDS[kind]))
          warn(`scm-auth resource '${String(news["name"])}': ${field} ${message}; it is ignored.`);
        // Unknown arguments may contain anything.
        const inputs = { ...own, ...pickArgs(args, KINDS[kind]) };
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

/** Separates the properties that the host has added from the arguments. */
export function split(properties: Properties): { readonly own: Properties; readonly args: Properties } {
  const isOwn = (name: string): boolean => (HOST_PROPERTIES as readonly string[]).includes(name);
  const select = (own: boolean): Properties =>
    Object.fromEntries(Object.entries(properties).filter(([name]) => isOwn(name) === own));
  return { own: select(true), args: select(false) };
}

/** Converts errors to the form that the engine prints. */
export async function withUserErrors<T>(work: () => T | Promise<T>): Promise<T> {
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
