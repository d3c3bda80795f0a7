import type { Provider } from "@pulumi/pulumi/provider/index.js";
import { getTokenFromArgs, type ProviderState } from "../auth-files.ts";
import type { Properties, ResourceKind } from "../custom-resources/custom-resource.ts";
import {
  createCustomResources,
  createResourceProvider,
  isKind,
  split,
  withUserErrors,
} from "../custom-resources/resource-provider.ts";
import { getPathWarnings } from "../path-warnings.ts";
import { toResult } from "../service-accounts.ts";
import type { Args } from "../sign-in-args.ts";
import { VERSION } from "../../shared/version.ts";
import { MissingFiles } from "./missing-files.ts";
import { markSecrets, toSecret, unwrapSecrets } from "./secrets.ts";
import type { StartUp } from "./start-up.ts";

/** The kind of resource for each type in the schema. */
const TYPES: Readonly<Record<string, ResourceKind>> = {
  "scm-auth:index:AuthFile": "auth-file",
  "scm-auth:index:AccessToken": "access-token",
};
const GET_ACCESS_TOKEN = "scm-auth:index:getAccessToken";

/** The outputs that are always secrets. */
const SECRET_OUTPUTS = ["accessToken"] as const;

/** What a plugin provider needs. */
export interface PluginOptions {
  /** The package schema as JSON. */
  readonly schema: string;
  readonly state: ProviderState;
  readonly startUp: StartUp;
  /** Shows a warning. */
  readonly warn: (message: string) => Promise<void>;
  /** Called when the operation ends. The process may be killed at any time afterward. */
  readonly onEnd: () => Promise<void>;
}

/**
 * Creates the provider that the plugin serves. It converts between the engine's messages and the methods that it shares
 * with the dynamic provider: a URN identifies a resource, and secrets are marked.
 */
export function createPluginProvider({ schema, state, startUp, warn, onEnd }: PluginOptions): Provider {
  const resources = createCustomResources(state, async (path, warnings) => {
    for (const warning of [...warnings, ...(await getPathWarnings(path))]) void warn(warning);
  });
  const methods = createResourceProvider(resources, { isCompatible: isKind, warn: (message) => void warn(message) });
  const missingFiles = new MissingFiles();
  let isReported = false;
  const onReport = (text: string): void => {
    if (text === startUp.failure?.text) isReported = true;
  };

  return {
    version: VERSION,
    getSchema: () => {
      // This process only serves a language host or a command. The process that manages the resources reports failures.
      isReported = true;
      missingFiles.dismiss();
      return Promise.resolve(schema);
    },
    check: async (urn, olds: Properties, news: Properties) => {
      missingFiles.dismiss();
      const { inputs, failures } = await methods.check(receive(urn, olds), receive(urn, news));
      for (const { reason } of failures) onReport(reason);
      return { inputs: send(news, inputs), failures };
    },
    diff: (id, urn, olds: Properties, news: Properties) => methods.diff(id, receive(urn, olds), receive(urn, news)),
    create: async (urn, inputs: Properties) => {
      const { id, outs } = await methods.create(receive(urn, inputs));
      return { id, outs: send(inputs, outs) };
    },
    update: async (id, urn, olds: Properties, news: Properties) => {
      const { outs } = await methods.update(id, receive(urn, olds), receive(urn, news));
      return { outs: send(news, outs) };
    },
    read: async (id, urn, outputs: Properties) => {
      await missingFiles.onRead(getKind(urn) === "auth-file" ? outputs["path"] : undefined);
      const { props } = await methods.read(id, receive(urn, outputs)).catch((error: unknown) => {
        onReport((error as Error).message);
        throw error;
      });
      return { id, props: send(outputs, props) };
    },
    delete: (id, urn, outputs: Properties) => {
      missingFiles.dismiss();
      return methods.delete(id, receive(urn, outputs));
    },
    invoke: (token, args: Properties) =>
      withUserErrors(async () => {
        missingFiles.dismiss();
        if (token !== GET_ACCESS_TOKEN) throw new Error("unknown function");
        const result = toResult(await getTokenFromArgs(unwrapSecrets(args) as Args, state.accounts));
        return { outputs: { ...result, accessToken: toSecret(result.accessToken) } };
      }),
    // The engine calls this at the end of each operation, and when a user interrupts it.
    cancel: async () => {
      await onEnd();
      const { failure } = startUp;
      if (failure !== undefined && !isReported) await warn(`scm-auth: ${failure.subject}. ${failure.text}`);
      isReported = true;
      for (const warning of await missingFiles.getWarnings()) await warn(warning);
    },
  };
}

/** Returns the type and name in a URN: `urn:pulumi:<stack>::<project>::<parent types>$<type>::<name>`. */
function parseUrn(urn: string): { readonly type: string; readonly name: string } {
  const [, , types = "", ...name] = urn.split("::");
  return { type: types.replace(/^.*\$/, ""), name: name.join("::") };
}

const getKind = (urn: string): ResourceKind | undefined => TYPES[parseUrn(urn).type];

/** Converts properties from the engine. */
const receive = (urn: string, properties: Properties): Properties => ({
  ...(unwrapSecrets(properties) as Properties),
  ...{ urn, name: parseUrn(urn).name, kind: getKind(urn) },
});

/** Converts properties for the engine. Those that it sent as secrets stay secrets. */
const send = (received: Properties, properties: Properties): Properties =>
  markSecrets(received, split(properties).args, SECRET_OUTPUTS);
