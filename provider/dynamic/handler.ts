import { AuthFiles } from "../auth-files.ts";
import type { ResourceKind } from "../custom-resources/custom-resource.ts";
import { createCustomResources, createResourceProvider, isKind } from "../custom-resources/resource-provider.ts";
import { ServiceAccounts } from "../service-accounts.ts";
import { PROVIDER_VERSION } from "./serialized.ts";

// The engine calls `handler` once for each version of `__provider` in the state.
const resources = createCustomResources({ accounts: new ServiceAccounts(), files: new AuthFiles() });

/**
 * The provider behind the resources of scm-auth, for Pulumi's dynamic provider process. The code in the string
 * `__provider` in the state calls this function.
 *
 * @param version - the version in that string
 */
export const handler = (version: number) =>
  createResourceProvider(resources, {
    isCompatible: (kind: unknown): kind is ResourceKind => version === PROVIDER_VERSION && isKind(kind),
    warn: (message) => {
      console.warn(`warning: ${message}`);
    },
  });
