import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { credentials, type requestCallback } from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import messages from "@pulumi/pulumi/proto/provider_pb.js";
import type {
  CheckResponse,
  CreateResponse,
  DiffResponse,
  GetSchemaResponse,
  InvokeResponse,
  ReadResponse,
} from "@pulumi/pulumi/proto/provider_pb.js";
import empties from "google-protobuf/google/protobuf/empty_pb.js";
import structs from "google-protobuf/google/protobuf/struct_pb.js";
import type { JavaScriptValue, Struct } from "google-protobuf/google/protobuf/struct_pb.js";
import { unwrap, type Properties } from "./values.ts";

/** Options for starting the processes of a stack. */
export interface StackProcessOptions {
  /** The directory of the program. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The Node executable for all processes. Default: the current one. */
  readonly node?: string | undefined;
  /** Receives every gRPC message with a name such as `from provider: check`. */
  readonly onMessage?: ((name: string, message: string) => void) | undefined;
}

/** Options for starting a plugin. */
export interface PluginProcessOptions extends StackProcessOptions {
  /** The directory of the plugin. */
  readonly plugin: string;
  /** The address of the engine. */
  readonly engine: string;
}

/** Strings of a request. The dynamic provider ignores the URN. */
interface Strings {
  readonly id?: string;
  readonly urn?: string | undefined;
  readonly tok?: string;
}

interface Fields extends Strings {
  readonly args?: Properties;
  readonly olds?: Properties;
  readonly news?: Properties;
  readonly properties?: Properties;
}

/**
 * A real provider process, for one phase of an operation: the dynamic provider process of `@pulumi/pulumi`, or a plugin
 * as the language host for Node.js starts it.
 */
export class ProviderProcess {
  readonly #client: ResourceProviderClient;
  readonly #onMessage: StackProcessOptions["onMessage"];
  /** Stops the process, by default as the engine does. Resolves to its output. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<string>;

  /** The dynamic provider receives no marks of secrets. */
  readonly #toStruct: (properties: Properties) => Struct;

  private constructor(
    port: string,
    isPlugin: boolean,
    { onMessage }: StackProcessOptions,
    stop: (signal?: NodeJS.Signals) => Promise<string>,
  ) {
    this.#client = new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
    this.#onMessage = onMessage;
    this.#toStruct = isPlugin ? toStruct : (properties) => toStruct(unwrap(properties) as Properties);
    this.stop = async (signal) => {
      this.#client.close();
      return stop(signal);
    };
  }

  static startDynamic(options: StackProcessOptions): Promise<ProviderProcess> {
    const script = createRequire(join(options.directory, "index.js")).resolve("@pulumi/pulumi/cmd/dynamic-provider");
    return ProviderProcess.#start([script, "127.0.0.1:1"], false, options);
  }

  static startPlugin({ plugin, engine, ...options }: PluginProcessOptions): Promise<ProviderProcess> {
    const script = createRequire(join(plugin, "index.js")).resolve("@pulumi/pulumi/cmd/run-plugin");
    return ProviderProcess.#start([script, plugin, engine], true, options);
  }

  static async #start(
    args: readonly string[],
    isPlugin: boolean,
    options: StackProcessOptions,
  ): Promise<ProviderProcess> {
    const { directory, env, node = process.execPath } = options;
    const child = spawn(node, args, { cwd: directory, env: { ...env }, stdio: ["ignore", "pipe", "pipe"] });
    const exited = once(child, "close");
    const output: string[] = [];
    createInterface(child.stderr).on("line", (line) => output.push(line));
    const lines = createInterface(child.stdout);
    const [port] = (await Promise.race([once(lines, "line"), exited])) as [unknown];
    if (typeof port !== "string") throw new Error(`the provider process ended: ${output.join("\n")}`);
    lines.on("line", (line) => output.push(line));
    const stop = async (signal: NodeJS.Signals = "SIGINT"): Promise<string> => {
      child.kill(signal);
      await exited;
      return output.join("\n");
    };
    const started = new ProviderProcess(port, isPlugin, options, stop);
    await started.#call("configure", new messages.ConfigureRequest(), { args: {} });
    return started;
  }

  /** @returns the inputs, and the failures as printed by the engine */
  async check(olds: Properties, news: Properties, urn?: string) {
    const response: CheckResponse = await this.#call("check", new messages.CheckRequest(), { olds, news, urn });
    const failures = response.getFailuresList().map((failure) => failure.getProperty() + failure.getReason());
    return { inputs: fromStruct(response.getInputs()), failures };
  }

  async diff(id: string, olds: Properties, news: Properties, urn?: string) {
    const response: DiffResponse = await this.#call("diff", new messages.DiffRequest(), { id, olds, news, urn });
    const { DIFF_NONE, DIFF_SOME } = messages.DiffResponse.DiffChanges;
    const changes = response.getChanges();
    if (changes !== DIFF_NONE && changes !== DIFF_SOME) throw new Error("diff left the comparison to the engine");
    return { changes: changes === DIFF_SOME, replaces: response.getReplacesList().length > 0 };
  }

  async create(properties: Properties, urn?: string) {
    const response: CreateResponse = await this.#call("create", new messages.CreateRequest(), { properties, urn });
    return { id: response.getId(), outputs: fromStruct(response.getProperties()) };
  }

  async update(id: string, olds: Properties, news: Properties, urn?: string): Promise<Properties> {
    const response: ReadResponse = await this.#call("update", new messages.UpdateRequest(), { id, olds, news, urn });
    return fromStruct(response.getProperties());
  }

  async read(id: string, properties: Properties, urn?: string): Promise<Properties> {
    const response: ReadResponse = await this.#call("read", new messages.ReadRequest(), { id, properties, urn });
    return fromStruct(response.getProperties());
  }

  async invoke(tok: string, args: Properties): Promise<Properties> {
    const response: InvokeResponse = await this.#call("invoke", new messages.InvokeRequest(), { tok, args });
    return fromStruct(response.getReturn());
  }

  async getSchema(): Promise<unknown> {
    const response: GetSchemaResponse = await this.#call("getSchema", new messages.GetSchemaRequest(), {});
    return JSON.parse(response.getSchema());
  }

  async delete(id: string, properties: Properties, urn?: string): Promise<void> {
    await this.#call("delete", new messages.DeleteRequest(), { id, properties, urn });
  }

  /** Ends the operation. */
  async cancel(): Promise<void> {
    await this.#call("cancel", new empties.Empty(), {});
  }

  async #call<Response>(
    method:
      "cancel" | "configure" | "getSchema" | "invoke" | "check" | "diff" | "create" | "update" | "read" | "delete",
    request: object,
    { id, urn, tok, ...properties }: Fields,
  ): Promise<Response> {
    const setters = request as Readonly<Record<string, (value: unknown) => void>>;
    const converted = Object.entries(properties).map(([name, value]) => [name, this.#toStruct(value)] as const);
    for (const [name, value] of [...Object.entries({ id, urn, tok }), ...converted])
      if (value !== undefined) setters[`set${name.charAt(0).toUpperCase()}${name.slice(1)}`]?.(value);
    this.#note(`to provider: ${method}`, request);
    const send = this.#client[method].bind(this.#client) as unknown as (
      request: object,
      callback: requestCallback<Response>,
    ) => void;
    const response = await new Promise<Response>((resolve, reject) => {
      send(request, (error, value) => {
        if (value === undefined) reject(new Error(error?.details ?? "no response"));
        else resolve(value);
      });
    });
    this.#note(`from provider: ${method}`, response as object);
    return response;
  }

  #note(name: string, message: object): void {
    this.#onMessage?.(name, JSON.stringify((message as { toObject: () => unknown }).toObject()));
  }
}

const toStruct = (properties: Properties): Struct =>
  structs.Struct.fromJavaScript(properties as Record<string, JavaScriptValue>);
const fromStruct = (struct: Struct | undefined): Properties => struct?.toJavaScript() ?? {};
