import { once } from "node:events";
import { status, type handleUnaryCall } from "@grpc/grpc-js";
import engineMessages from "@pulumi/pulumi/proto/engine_pb.js";
import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb.js";
import messages from "@pulumi/pulumi/proto/resource_pb.js";
import type {
  RegisterResourceRequest,
  RegisterResourceResponse,
  SupportsFeatureRequest,
} from "@pulumi/pulumi/proto/resource_pb.js";
import empties from "google-protobuf/google/protobuf/empty_pb.js";
import structs from "google-protobuf/google/protobuf/struct_pb.js";
import type { JavaScriptValue } from "google-protobuf/google/protobuf/struct_pb.js";
import type { ProviderProcess, StackProcessOptions } from "./provider-process.ts";
import type { EngineServices } from "./program-host.ts";
import { markSecrets, UNKNOWN, type Properties } from "./values.ts";

/** A resource in the state. */
export interface StateEntry {
  readonly type: string;
  readonly name: string;
  readonly id: string;
  readonly inputs: Properties;
  readonly outputs: Properties;
}

/** Resources by URN, in order of registration. */
export type State = ReadonlyMap<string, StateEntry>;

/** Options for a phase. */
export interface PhaseOptions {
  readonly isPreview: boolean;
  readonly state: State;
  /** Starts the dynamic provider process when it is needed for the first time. */
  readonly getDynamic: () => Promise<ProviderProcess>;
  readonly onMessage: StackProcessOptions["onMessage"];
  /** The names of the targeted resources, or undefined to target all resources. */
  readonly targets: readonly string[] | undefined;
  /** Reads each resource when it is registered (`up --refresh --run-program`). */
  readonly refresh: boolean;
  /** Responds to registrations with the resources in the state, as `refresh` and `destroy` do. */
  readonly isReadOnly: boolean;
}

export const isDynamic = ({ type }: Pick<StateEntry, "type">): boolean => type.startsWith("pulumi-nodejs:dynamic");

const notImplemented: handleUnaryCall<object, object> = (_call, callback) => {
  callback({ code: status.UNIMPLEMENTED, details: "not part of this engine" });
};

const unary =
  <Request, Response>(
    respond: (request: Request) => Response | Promise<Response>,
  ): handleUnaryCall<Request, Response> =>
  async ({ request }, callback) => {
    try {
      callback(null, await respond(request));
    } catch {
      callback({ code: status.UNAVAILABLE, details: "the monitor is shutting down" });
    }
  };

/** The engine's `LogSeverity`. Debug messages are not shown, and errors make an operation fail. */
const DEBUG = 0;
const ERROR = 3;

/**
 * One phase of an operation: the preview or the operation itself. It serves the program and calls the dynamic provider
 * in the same order as the engine (Pulumi 3.260).
 */
export class Phase {
  /** The steps taken, for example `create scm-auth`. */
  readonly steps: string[] = [];
  /** The messages that Pulumi shows under "Diagnostics". */
  readonly diagnostics: string[] = [];
  readonly next = new Map<string, StateEntry>();
  /** Replaced resources, which are deleted at the end. */
  readonly replaced: StateEntry[] = [];
  hasFailed = false;
  readonly #options: PhaseOptions;
  /** Makes calls of `check` and `diff` run sequentially. */
  #queue: Promise<unknown> = Promise.resolve();
  readonly #registered = createGate();
  readonly #ended = createGate();

  constructor(options: PhaseOptions) {
    this.#options = options;
  }

  /** Resolves when the program has registered everything. */
  get registered(): Promise<void> {
    return this.#registered.opened;
  }

  /** Lets the program exit if it is waiting for the end of the operation. */
  end(): void {
    this.#registered.open();
    this.#ended.open();
  }

  fail(message: string): void {
    this.hasFailed = true;
    this.diagnostics.push(`error: ${message}`);
  }

  /** The services that a program calls. */
  get services(): EngineServices {
    const empty = (): object => new empties.Empty();
    return {
      monitor: {
        supportsFeature: unary((request: SupportsFeatureRequest) => {
          const response = new messages.SupportsFeatureResponse();
          response.setHassupport(["secrets", "resourceReferences"].includes(request.getId()));
          return response;
        }),
        registerResource: unary(async (request: RegisterResourceRequest) => {
          try {
            return await this.#register(request);
          } catch (error) {
            this.fail(error instanceof Error ? error.message : String(error));
            this.end();
            throw error;
          }
        }),
        signalAndWaitForShutdown: unary(async () => {
          this.#registered.open();
          await this.#ended.opened;
          return empty();
        }),
        ...{ registerResourceOutputs: unary(empty), registerPackage: notImplemented, invoke: notImplemented },
        ...{ registerStackTransform: unary(empty), registerStackInvokeTransform: unary(empty) },
        ...{ getDeploymentInfo: notImplemented, call: notImplemented },
      },
      engine: {
        log: unary((request: LogRequest) => {
          const severity: number = request.getSeverity();
          if (severity === ERROR) this.fail(request.getMessage());
          else if (severity !== DEBUG) this.diagnostics.push(request.getMessage());
          return empty();
        }),
        getRootResource: unary(() => new engineMessages.GetRootResourceResponse()),
        setRootResource: unary(() => new engineMessages.SetRootResourceResponse()),
        requirePulumiVersion: notImplemented,
        startDebugging: unary(empty),
      },
    };
  }

  /** Reads the resources in the state and compares them without calling `check`, as a refresh does. */
  async readAll(): Promise<State> {
    const read = [...this.#options.state].map(async ([urn, entry]) => {
      const refreshed = isDynamic(entry) ? await this.#read(entry) : entry;
      return [urn, refreshed] as const;
    });
    return new Map(await Promise.all(read));
  }

  async #register(request: RegisterResourceRequest): Promise<RegisterResourceResponse> {
    const { onMessage } = this.#options;
    onMessage?.("from program: registerResource", JSON.stringify(request.toObject()));
    const [type, name] = [request.getType(), request.getName()];
    const urn = `urn:pulumi:dev::project::${type}::${name}`;
    const inputs: Properties = request.getObject()?.toJavaScript() ?? {};
    const entry = { type, name, id: "", inputs, outputs: inputs };
    const made = isDynamic(entry) ? await this.#registerDynamic(urn, entry, request) : entry;
    this.next.set(urn, made);
    const response = new messages.RegisterResourceResponse();
    response.setUrn(urn);
    response.setId(made.id);
    response.setObject(structs.Struct.fromJavaScript(made.outputs as Record<string, JavaScriptValue>));
    onMessage?.("to program: registerResource", JSON.stringify(response.toObject()));
    return response;
  }

  async #registerDynamic(urn: string, given: StateEntry, request: RegisterResourceRequest): Promise<StateEntry> {
    const { state, targets, refresh, isReadOnly, isPreview } = this.#options;
    const { name } = given;
    const old = state.get(urn);
    if (old !== undefined && isReadOnly) return old;
    if (targets !== undefined && !targets.includes(name)) return old ?? given;
    if (old !== undefined && refresh) await this.#read(old);
    const entry = { ...given, inputs: applyIgnoreChanges(given.inputs, old?.inputs, request.getIgnorechangesList()) };
    const { inputs, step } = await this.#enqueue(() => this.#compare(entry, old));
    if (step === "same") return { ...(old ?? entry), inputs };
    this.steps.push(`${step} ${name}`);
    if (step === "replace" && old !== undefined) this.replaced.push(old);
    if (isPreview) return { ...entry, inputs, id: old?.id ?? "", outputs: previewOutputs(step, inputs, old) };
    const dynamic = await this.#options.getDynamic();
    const { id, outputs } =
      step === "update" && old !== undefined
        ? { id: old.id, outputs: await dynamic.update(old.id, old.outputs, inputs) }
        : await dynamic.create(inputs);
    return { ...entry, inputs, id, outputs: markSecrets(inputs, outputs, request.getAdditionalsecretoutputsList()) };
  }

  /** Calls `check` and then `diff`. */
  async #compare(entry: StateEntry, old: StateEntry | undefined) {
    const inputs = await this.#check(entry, old?.inputs ?? {});
    if (old === undefined) return { inputs, step: "create" } as const;
    const { changes, replaces } = await (await this.#options.getDynamic()).diff(old.id, old.outputs, inputs);
    if (!changes) return { inputs, step: "same" } as const;
    return replaces
      ? ({ inputs: await this.#check(entry, {}), step: "replace" } as const)
      : ({ inputs, step: "update" } as const);
  }

  async #check({ type, name, inputs }: StateEntry, olds: Properties): Promise<Properties> {
    const checked = await (await this.#options.getDynamic()).check(olds, inputs);
    if (checked.failures.length > 0)
      throw new Error(checked.failures.map((text) => `${type} resource '${name}' has a problem: ${text}`).join("\n"));
    return markSecrets(inputs, checked.inputs);
  }

  async #read(entry: StateEntry): Promise<StateEntry> {
    const dynamic = await this.#options.getDynamic();
    const outputs = markSecrets(entry.outputs, await dynamic.read(entry.id, entry.outputs));
    const { changes } = await this.#enqueue(() => dynamic.diff(entry.id, outputs, entry.inputs));
    if (changes || JSON.stringify(outputs) !== JSON.stringify(entry.outputs)) this.steps.push(`refresh ${entry.name}`);
    return { ...entry, outputs };
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}

/** Replaces ignored inputs with those in the state, as the engine does before `check`. */
function applyIgnoreChanges(inputs: Properties, olds: Properties | undefined, names: readonly string[]): Properties {
  if (olds === undefined) return inputs;
  const kept = Object.entries(inputs).filter(([name]) => !names.includes(name));
  return {
    ...Object.fromEntries(kept),
    ...Object.fromEntries(Object.entries(olds).filter(([name]) => names.includes(name))),
  };
}

/** Returns the outputs that are known in a preview. After an update, only the inputs are known. */
function previewOutputs(step: string, inputs: Properties, old: StateEntry | undefined): Properties {
  const names = step === "update" ? Object.keys(old?.outputs ?? {}) : [];
  return { ...Object.fromEntries(names.map((name) => [name, UNKNOWN])), ...inputs };
}

function createGate(): { readonly opened: Promise<void>; readonly open: () => void } {
  const gate = new AbortController();
  const opened = once(gate.signal, "abort").then(() => undefined);
  return { opened, open: gate.abort.bind(gate) };
}
