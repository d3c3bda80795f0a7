import { status, type handleUnaryCall, type UntypedServiceImplementation } from "@grpc/grpc-js";
import engineMessages from "@pulumi/pulumi/proto/engine_pb.js";
import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb.js";
import messages from "@pulumi/pulumi/proto/resource_pb.js";
import type {
  RegisterResourceRequest,
  RegisterResourceResponse,
  SupportsFeatureRequest,
  SupportsFeatureResponse,
} from "@pulumi/pulumi/proto/resource_pb.js";
import empties from "google-protobuf/google/protobuf/empty_pb.js";
import structs from "google-protobuf/google/protobuf/struct_pb.js";
import type { JavaScriptValue } from "google-protobuf/google/protobuf/struct_pb.js";
import type { DynamicProcess } from "./dynamic-process.ts";
import type { Traffic } from "./traffic.ts";
import { markedAs, UNKNOWN, type Properties } from "./values.ts";

/** A resource as the state holds it. */
export interface StateEntry {
  readonly type: string;
  readonly name: string;
  readonly id: string;
  readonly inputs: Properties;
  readonly outputs: Properties;
}
/** By URN, in the order they were registered. */
export type State = ReadonlyMap<string, StateEntry>;

/** What happened to a resource: `create scm-auth`. */
export type Step = string;

export interface PhaseOptions {
  readonly isPreview: boolean;
  readonly state: State;
  /** The dynamic-provider process, started when it is needed first. */
  readonly dynamic: () => Promise<DynamicProcess>;
  /** Names of the resources that are worked on; all when undefined. */
  readonly targets: readonly string[] | undefined;
  /** `up --refresh --run-program`: each is read when it is registered. */
  readonly refresh: boolean;
  /** `refresh` and `destroy` with the program: what it registers is answered by what the state says. */
  readonly isAnswerOnly: boolean;
  readonly traffic: Traffic;
}

const DYNAMIC = "pulumi-nodejs:dynamic";
export const isDynamic = ({ type }: Pick<StateEntry, "type">): boolean => type.startsWith(DYNAMIC);
/** `LogSeverity` of the engine's protocol: debug messages are not shown, errors make an operation fail. */
const DEBUG = 0;
const ERROR = 3;

/**
 * One phase of an operation, the preview or the thing itself: answers what a program registers, and calls the
 * dynamic provider in the order in which the engine does (as seen on Pulumi 3.260).
 */
export class Phase {
  readonly #options: PhaseOptions;
  readonly steps: Step[] = [];
  /** What a user sees under "Diagnostics". */
  readonly diagnostics: string[] = [];
  readonly next = new Map<string, StateEntry>();
  /** What was replaced, and goes at the end. */
  readonly replaced: StateEntry[] = [];
  hasFailed = false;
  /** Checks and diffs of a whole program come one after another. */
  #queue: Promise<unknown> = Promise.resolve();
  #endProgram: () => void = () => undefined;
  /** Settles when the program has registered everything. */
  readonly programDone: Promise<void>;
  #onProgramDone: () => void = () => undefined;
  readonly #programMayEnd: Promise<void>;

  constructor(options: PhaseOptions) {
    this.#options = options;
    this.programDone = new Promise((resolve) => (this.#onProgramDone = resolve));
    this.#programMayEnd = new Promise((resolve) => (this.#endProgram = resolve));
  }

  /** Lets a program end that waits for the end of the operation. */
  endProgram(): void {
    this.#onProgramDone();
    this.#endProgram();
  }

  fail(message: string): void {
    this.hasFailed = true;
    this.diagnostics.push(`error: ${message}`);
  }

  /** A refresh: the resources of the state are read at once, then compared without a check. @returns them anew */
  async readAll(): Promise<State> {
    const read = [...this.#options.state].map(async ([urn, entry]) =>
      isDynamic(entry) ? ([urn, await this.#read(entry)] as const) : ([urn, entry] as const),
    );
    return new Map(await Promise.all(read));
  }

  get isPreview(): boolean {
    return this.#options.isPreview;
  }

  /** What a program speaks to. */
  get services(): { readonly monitor: UntypedServiceImplementation; readonly engine: UntypedServiceImplementation } {
    const { traffic } = this.#options;
    const done: handleUnaryCall<object, object> = (_call, callback) => {
      callback(null, new empties.Empty());
    };
    const unknown: handleUnaryCall<object, object> = (_call, callback) => {
      callback({ code: status.UNIMPLEMENTED, details: "not part of this engine" });
    };
    const supports: handleUnaryCall<SupportsFeatureRequest, SupportsFeatureResponse> = ({ request }, callback) => {
      const response = new messages.SupportsFeatureResponse();
      response.setHassupport(["secrets", "resourceReferences"].includes(request.getId()));
      callback(null, response);
    };
    const register: handleUnaryCall<RegisterResourceRequest, RegisterResourceResponse> = ({ request }, callback) => {
      traffic.note("from program: registerResource", request);
      this.#register(request).then(
        (response) => {
          traffic.note("to program: registerResource", response);
          callback(null, response);
        },
        (error: unknown) => {
          this.fail(error instanceof Error ? error.message : String(error));
          // As when the engine has given up: the program hears no more than that.
          callback({ code: status.UNAVAILABLE, details: "the monitor is shutting down" });
          this.endProgram();
        },
      );
    };
    const wait: handleUnaryCall<object, object> = (_call, callback) => {
      this.#onProgramDone();
      void this.#programMayEnd.then(() => {
        callback(null, new empties.Empty());
      });
    };
    const log: handleUnaryCall<LogRequest, object> = ({ request }, callback) => {
      traffic.note("from program: log", request);
      const level: number = request.getSeverity();
      if (level === ERROR) this.fail(request.getMessage());
      else if (level !== DEBUG) this.diagnostics.push(request.getMessage());
      callback(null, new empties.Empty());
    };
    const empty =
      (make: () => object): handleUnaryCall<object, object> =>
      (_call, callback) => {
        callback(null, make());
      };
    const none = ["getDeploymentInfo", "invoke", "call", "readResource", "existsResource", "registerPackage"];
    const ignored = [
      ...["registerResourceOutputs", "registerStackTransform", "registerStackInvokeTransform"],
      ...["registerResourceHook", "registerErrorHook"],
    ];
    return {
      monitor: {
        supportsFeature: supports,
        registerResource: register,
        signalAndWaitForShutdown: wait,
        ...Object.fromEntries(none.map((name) => [name, unknown])),
        ...Object.fromEntries(ignored.map((name) => [name, done])),
      },
      engine: {
        log,
        getRootResource: empty(() => new engineMessages.GetRootResourceResponse()),
        setRootResource: empty(() => new engineMessages.SetRootResourceResponse()),
        requirePulumiVersion: unknown,
        startDebugging: done,
      },
    };
  }

  async #register(request: RegisterResourceRequest): Promise<RegisterResourceResponse> {
    const type = request.getType();
    const name = request.getName();
    const urn = `urn:pulumi:dev::project::${type}::${name}`;
    const inputs: Properties = request.getObject()?.toJavaScript() ?? {};
    const secrets = request.getAdditionalsecretoutputsList();
    const entry = { type, name, id: "", inputs, outputs: inputs };
    const made = isDynamic(entry) ? await this.#dynamic(urn, entry, secrets) : entry;
    this.next.set(urn, made);
    const response = new messages.RegisterResourceResponse();
    response.setUrn(urn);
    response.setId(made.id);
    response.setObject(structs.Struct.fromJavaScript(made.outputs as Record<string, JavaScriptValue>));
    return response;
  }

  async #dynamic(urn: string, entry: StateEntry, secrets: readonly string[]): Promise<StateEntry> {
    const { state, targets, refresh, isAnswerOnly } = this.#options;
    const { name } = entry;
    const old = state.get(urn);
    if (isAnswerOnly && old !== undefined) return old;
    if (targets !== undefined && !targets.includes(name)) return old ?? entry;
    if (refresh && old !== undefined) await this.#read(old);
    const checked = await this.#inTurn(() => this.#compare(entry, old));
    const { inputs } = checked;
    const work = {
      create: () => this.#create({ ...entry, inputs }, secrets),
      replace: () => this.#create({ ...entry, inputs }, secrets),
      update: () => this.#update({ ...entry, inputs }, old ?? entry, secrets),
      same: () => Promise.resolve({ ...(old ?? entry), inputs }),
    };
    if (checked.step !== "same") this.steps.push(`${checked.step} ${name}`);
    if (checked.step === "replace" && old !== undefined) this.replaced.push(old);
    return work[checked.step]();
  }

  /** Check, then diff, of one resource. */
  async #compare(entry: StateEntry, old: StateEntry | undefined) {
    const dynamic = await this.#options.dynamic();
    const checked = await this.#check(dynamic, entry, old?.inputs ?? {});
    if (old === undefined) return { inputs: checked, step: "create" } as const;
    const { changes, replaces } = await dynamic.diff(old.id, old.outputs, checked);
    if (!changes) return { inputs: checked, step: "same" } as const;
    if (!replaces) return { inputs: checked, step: "update" } as const;
    return { inputs: await this.#check(dynamic, entry, {}), step: "replace" } as const;
  }

  async #check(dynamic: DynamicProcess, { type, name, inputs }: StateEntry, olds: Properties): Promise<Properties> {
    const { inputs: checked, reasons } = await dynamic.check(olds, inputs);
    if (reasons.length > 0)
      throw new Error(reasons.map((reason) => `${type} resource '${name}' has a problem: ${reason}`).join("\n"));
    return markedAs(inputs, checked);
  }

  async #create(entry: StateEntry, secrets: readonly string[]): Promise<StateEntry> {
    const { isPreview, dynamic } = this.#options;
    if (isPreview) return { ...entry, outputs: entry.inputs };
    const { id, outputs } = await (await dynamic()).create(entry.inputs);
    return { ...entry, id, outputs: markedAs(entry.inputs, outputs, secrets) };
  }

  async #update(entry: StateEntry, old: StateEntry, secrets: readonly string[]): Promise<StateEntry> {
    const { isPreview, dynamic } = this.#options;
    // A preview of an update knows what the inputs say, and nothing of the rest.
    const unknown = Object.fromEntries(Object.keys(old.outputs).map((name) => [name, UNKNOWN]));
    if (isPreview) return { ...entry, id: old.id, outputs: { ...unknown, ...entry.inputs } };
    const outputs = await (await dynamic()).update(old.id, old.outputs, entry.inputs);
    return { ...entry, id: old.id, outputs: markedAs(entry.inputs, outputs, secrets) };
  }

  async #read(entry: StateEntry): Promise<StateEntry> {
    const dynamic = await this.#options.dynamic();
    const outputs = markedAs(entry.outputs, await dynamic.read(entry.id, entry.outputs));
    const { changes } = await this.#inTurn(() => dynamic.diff(entry.id, outputs, entry.inputs));
    if (changes || JSON.stringify(outputs) !== JSON.stringify(entry.outputs)) this.steps.push(`refresh ${entry.name}`);
    return { ...entry, outputs };
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }
}
