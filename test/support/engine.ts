import { ProviderProcess } from "./engine/provider-process.ts";
import { isDynamic, Phase, type State, type StateEntry } from "./engine/phase.ts";
import { runProgram, type ProgramOptions } from "./engine/program-host.ts";
import { encrypt, type Properties } from "./engine/values.ts";

/**
 * A small stand-in for Pulumi's engine. It controls the real program host and the real dynamic provider process of
 * `@pulumi/pulumi` over gRPC, and keeps a state between operations. It manages only dynamic resources and accepts all
 * other resources as they are registered.
 */

/** The result of an operation. */
export interface OperationResult {
  readonly ok: boolean;
  /** The steps that the operation performed, excluding its preview, for example `create scm-auth`. */
  readonly steps: readonly string[];
  /** The steps that its preview showed. */
  readonly previewed: readonly string[];
  /** The messages of both phases that Pulumi shows under "Diagnostics". */
  readonly diagnostics: string;
}

/** Options for an operation. */
export interface OperationOptions {
  readonly targets?: readonly string[];
  /** As `up --refresh`. */
  readonly refresh?: boolean;
  /** As `--run-program`. */
  readonly runProgram?: boolean;
  /** As `--skip-preview`. */
  readonly skipPreview?: boolean;
  /** Variables to add to the environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

interface PhaseContext {
  readonly isPreview: boolean;
  readonly phase: Phase;
  /** Runs the program until it has registered everything. */
  readonly register: () => Promise<void>;
  readonly getDynamic: () => Promise<ProviderProcess>;
}

type Work = (context: PhaseContext) => Promise<void>;

/** A stack with its state. */
export class Stack {
  readonly #options: Omit<ProgramOptions, "onMessage">;
  readonly #messages: (readonly [name: string, text: string])[] = [];
  #state: State = new Map();

  constructor(options: Omit<ProgramOptions, "onMessage">) {
    this.#options = options;
  }

  /** The resources in the state. */
  get resources(): readonly StateEntry[] {
    return [...this.#state.values()];
  }

  getResource(name: string): StateEntry {
    const found = this.resources.find((entry) => entry.name === name);
    if (found === undefined) throw new Error(`no resource ${name} in the state`);
    return found;
  }

  /** The stored state, with encrypted secrets. */
  get stateText(): string {
    return JSON.stringify(this.resources.map(encrypt));
  }

  /** The state with its secrets in plain text. */
  get decryptedState(): string {
    return JSON.stringify(this.resources);
  }

  /** Returns all gRPC messages except those whose names match `except`. */
  getMessages(except: RegExp): string {
    const messages = this.#messages.filter(([name]) => !except.test(name));
    return messages.map(([name, text]) => `${name} ${text}`).join("\n");
  }

  /** Changes outputs in the state. */
  setOutputs(name: string, changes: Properties): void {
    const change = (entry: StateEntry): StateEntry =>
      entry.name === name ? { ...entry, outputs: { ...entry.outputs, ...changes } } : entry;
    this.#state = new Map([...this.#state].map(([urn, entry]) => [urn, change(entry)]));
  }

  async preview(options: OperationOptions = {}): Promise<OperationResult> {
    const phase = await this.#runPhase(true, options, false, ({ register }) => register());
    return toResult([phase], phase.steps, []);
  }

  up(options: OperationOptions = {}): Promise<OperationResult> {
    return this.#operate(options, false, async ({ phase, register, ...context }) => {
      // With --run-program, resources are read when they are registered instead.
      if (options.refresh && !options.runProgram) await phase.readAll();
      await register();
      if (!phase.hasFailed) await this.#deleteOld(phase, context);
    });
  }

  refresh(options: OperationOptions = {}): Promise<OperationResult> {
    return this.#operate(options, true, async ({ phase, register }) => {
      if (options.runProgram) await register();
      if (!phase.hasFailed) for (const [urn, entry] of await phase.readAll()) phase.next.set(urn, entry);
    });
  }

  destroy(options: OperationOptions = {}): Promise<OperationResult> {
    return this.#operate({ ...options, skipPreview: true }, true, async ({ phase, register, ...context }) => {
      if (options.runProgram) await register();
      phase.next.clear();
      if (!phase.hasFailed) await this.#deleteOld(phase, context);
    });
  }

  async #operate(options: OperationOptions, isReadOnly: boolean, work: Work): Promise<OperationResult> {
    const preview = options.skipPreview ? undefined : await this.#runPhase(true, options, isReadOnly, work);
    if (preview?.hasFailed) return toResult([preview], [], preview.steps);
    const phase = await this.#runPhase(false, options, isReadOnly, work);
    if (!phase.hasFailed) this.#state = phase.next;
    return toResult([...(preview ? [preview] : []), phase], phase.steps, preview?.steps ?? []);
  }

  /** Deletes replaced resources and resources that the program no longer registers. */
  async #deleteOld(
    phase: Phase,
    { isPreview, getDynamic }: Pick<PhaseContext, "isPreview" | "getDynamic">,
  ): Promise<void> {
    const gone = [...this.#state].filter(([urn]) => !phase.next.has(urn)).map(([, entry]) => entry);
    for (const entry of [...phase.replaced, ...gone].filter(isDynamic).reverse()) {
      phase.steps.push(`delete ${entry.name}`);
      if (!isPreview) await (await getDynamic()).delete(entry.id, entry.outputs);
    }
  }

  /** Runs one phase with its own dynamic provider process. */
  async #runPhase(isPreview: boolean, options: OperationOptions, isReadOnly: boolean, work: Work): Promise<Phase> {
    const onMessage = (name: string, text: string): void => void this.#messages.push([name, text]);
    const processes = { ...this.#options, env: { ...this.#options.env, ...options.env }, onMessage };
    let dynamic: Promise<ProviderProcess> | undefined;
    const getDynamic = (): Promise<ProviderProcess> => (dynamic ??= ProviderProcess.startDynamic(processes));
    const { targets, refresh = false, runProgram: isRun = false } = options;
    const phase = new Phase({
      ...{ isPreview, state: this.#state, getDynamic, onMessage, targets, isReadOnly },
      refresh: refresh && isRun,
    });
    let program: Promise<void> | undefined;
    const run = async (): Promise<void> => {
      const { exitCode, log } = await runProgram(processes, isPreview, phase.services);
      if (log.trim() !== "") phase.diagnostics.push(log.trim());
      if (exitCode !== 0 && !phase.hasFailed) phase.fail(`the program ended with ${exitCode}`);
    };
    const register = async (): Promise<void> => {
      program = run();
      await Promise.race([phase.registered, program]);
    };
    try {
      await work({ isPreview, phase, register, getDynamic });
    } catch (error) {
      phase.fail(error instanceof Error ? error.message : String(error));
    }
    phase.end();
    await program;
    const output = (await (await dynamic)?.stop()) ?? "";
    if (output.trim() !== "") phase.diagnostics.push(output.trim());
    return phase;
  }
}

const toResult = (
  phases: readonly Phase[],
  steps: readonly string[],
  previewed: readonly string[],
): OperationResult => ({
  ok: !phases.some(({ hasFailed }) => hasFailed),
  steps,
  previewed,
  diagnostics: phases.flatMap(({ diagnostics }) => diagnostics).join("\n"),
});
