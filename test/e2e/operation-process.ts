/**
 * Runs one operation of the library or of the Pulumi handler, prints `started`, and then the result or the error. The
 * process must exit by itself afterward. Reads an {@link Operation} from stdin.
 */
import { readFileSync } from "node:fs";
import { handler } from "../../provider/dynamic/handler.ts";
import { PROVIDER_VERSION } from "../../provider/dynamic/serialized.ts";
import { holdProcess } from "../../shared/clock.ts";
import {
  ensureAuthFile,
  OAuth2Client,
  removeAuthFile,
  unsealToken,
  type AuthRequestInput,
} from "../../shared/index.ts";

/** An operation and its arguments. */
export interface Operation {
  readonly name: keyof typeof OPERATIONS;
  readonly request: AuthRequestInput;
  readonly options: { readonly timeout: number; readonly maxRetries: number };
  readonly apiUrl?: string | undefined;
  readonly path?: string | undefined;
  readonly sealed?: string | undefined;
}

const start = (): void => {
  console.log("started");
};

const provider = handler(PROVIDER_VERSION);
const toResource = (kind: string, { request, options, path }: Operation) => ({
  ...{ __provider: "", name: "test", kind, path, ...request, ...options },
  // From the environment, because the engine passes it only to `check`.
  clientSecret: undefined,
});

const OPERATIONS = {
  connect: ({ request, options }: Operation) => OAuth2Client.connect(request, options),
  "session.request": async ({ request, options, apiUrl }: Operation) => {
    const client = await OAuth2Client.connect(request, { ...options, apiUrl });
    start();
    return client.session.request("GET", "/");
  },
  unsealToken: ({ request, options, sealed = "" }: Operation) => unsealToken(request, sealed, options),
  ensureAuthFile: ({ request, options, path = "" }: Operation) => ensureAuthFile(request, { ...options, path }),
  removeAuthFile: ({ path = "" }: Operation) => removeAuthFile(path),
  "check of an AuthFile": async (operation: Operation) => {
    const { failures } = await provider.check({}, toResource("auth-file", operation));
    for (const { reason } of failures) throw new Error(reason);
  },
  "read of an AuthFile": (operation: Operation) => provider.read("id", toResource("auth-file", operation)),
  "delete of an AuthFile": (operation: Operation) => provider.delete("id", toResource("auth-file", operation)),
  "create of an AccessToken": (operation: Operation) => provider.create(toResource("access-token", operation)),
};

const operation = JSON.parse(readFileSync(0, "utf8")) as Operation;
start();
// As in the dynamic provider process, something else keeps the process alive until the operation ends.
await holdProcess(Promise.resolve(OPERATIONS[operation.name](operation))).then(
  () => {
    console.log("succeeded");
  },
  (error: unknown) => {
    console.log(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);
