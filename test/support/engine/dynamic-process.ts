import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { credentials, type requestCallback } from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import messages from "@pulumi/pulumi/proto/provider_pb.js";
import type { CheckResponse, CreateResponse, DiffResponse, ReadResponse } from "@pulumi/pulumi/proto/provider_pb.js";
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
  /** Receives every gRPC message with a name such as `from dynamic: check`. */
  readonly onMessage?: ((name: string, message: string) => void) | undefined;
}

interface Fields {
  readonly id?: string;
  readonly olds?: Properties;
  readonly news?: Properties;
  readonly properties?: Properties;
}

/** The real dynamic provider process of `@pulumi/pulumi`, for one phase of an operation. */
export class DynamicProcess {
  readonly #client: ResourceProviderClient;
  readonly #onMessage: StackProcessOptions["onMessage"];
  /** Stops the process as the engine does. Resolves to its output. */
  readonly stop: () => Promise<string>;

  private constructor(port: string, onMessage: StackProcessOptions["onMessage"], stop: () => Promise<string>) {
    this.#client = new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
    this.#onMessage = onMessage;
    this.stop = async () => {
      this.#client.close();
      return stop();
    };
  }

  static async start({
    directory,
    env,
    node = process.execPath,
    onMessage,
  }: StackProcessOptions): Promise<DynamicProcess> {
    const script = createRequire(join(directory, "index.js")).resolve("@pulumi/pulumi/cmd/dynamic-provider");
    const child = spawn(node, [script, "127.0.0.1:1"], {
      cwd: directory,
      env: { ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const exited = once(child, "close");
    const output: string[] = [];
    createInterface(child.stderr).on("line", (line) => output.push(line));
    const lines = createInterface(child.stdout);
    const [port] = (await Promise.race([once(lines, "line"), exited])) as [unknown];
    if (typeof port !== "string") throw new Error(`the dynamic provider process ended: ${output.join("\n")}`);
    lines.on("line", (line) => output.push(line));
    const stop = async (): Promise<string> => {
      child.kill("SIGINT");
      await exited;
      return output.join("\n");
    };
    const started = new DynamicProcess(port, onMessage, stop);
    const configure = new messages.ConfigureRequest();
    configure.setArgs(toStruct({}));
    await started.#call("configure", configure, {});
    return started;
  }

  /** @returns the inputs, and the failures as printed by the engine */
  async check(olds: Properties, news: Properties) {
    const response: CheckResponse = await this.#call("check", new messages.CheckRequest(), { olds, news });
    const failures = response.getFailuresList().map((failure) => failure.getProperty() + failure.getReason());
    return { inputs: fromStruct(response.getInputs()), failures };
  }

  async diff(id: string, olds: Properties, news: Properties) {
    const response: DiffResponse = await this.#call("diff", new messages.DiffRequest(), { id, olds, news });
    const { DIFF_NONE, DIFF_SOME } = messages.DiffResponse.DiffChanges;
    const changes = response.getChanges();
    if (changes !== DIFF_NONE && changes !== DIFF_SOME) throw new Error("diff left the comparison to the engine");
    return { changes: changes === DIFF_SOME, replaces: response.getReplacesList().length > 0 };
  }

  async create(properties: Properties) {
    const response: CreateResponse = await this.#call("create", new messages.CreateRequest(), { properties });
    return { id: response.getId(), outputs: fromStruct(response.getProperties()) };
  }

  async update(id: string, olds: Properties, news: Properties): Promise<Properties> {
    const response: ReadResponse = await this.#call("update", new messages.UpdateRequest(), { id, olds, news });
    return fromStruct(response.getProperties());
  }

  async read(id: string, properties: Properties): Promise<Properties> {
    const response: ReadResponse = await this.#call("read", new messages.ReadRequest(), { id, properties });
    return fromStruct(response.getProperties());
  }

  async delete(id: string, properties: Properties): Promise<void> {
    await this.#call("delete", new messages.DeleteRequest(), { id, properties });
  }

  async #call<Response>(
    method: "configure" | "check" | "diff" | "create" | "update" | "read" | "delete",
    request: object,
    { id, ...properties }: Fields,
  ): Promise<Response> {
    const setters = request as Readonly<Record<string, (value: unknown) => void>>;
    if (id !== undefined) setters["setId"]?.(id);
    for (const [name, value] of Object.entries(properties))
      setters[`set${name.charAt(0).toUpperCase()}${name.slice(1)}`]?.(toStruct(value));
    this.#note(`to dynamic: ${method}`, request);
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
    this.#note(`from dynamic: ${method}`, response as object);
    return response;
  }

  #note(name: string, message: object): void {
    this.#onMessage?.(name, JSON.stringify((message as { toObject: () => unknown }).toObject()));
  }
}

const toStruct = (properties: Properties): Struct =>
  structs.Struct.fromJavaScript(unwrap(properties) as Record<string, JavaScriptValue>);
const fromStruct = (struct: Struct | undefined): Properties => struct?.toJavaScript() ?? {};
