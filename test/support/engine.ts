import { startDynamicProcess, type DynamicProcess, type ProcessOptions } from "./engine/dynamic-process.ts";
import { isDynamic, Phase, type State, type StateEntry, type Step } from "./engine/phase.ts";
import { runProgramHost } from "./engine/program-host.ts";
import { Traffic } from "./engine/traffic.ts";
import { sealed, type Properties } from "./engine/values.ts";

/**
 * A small stand-in for Pulumi's engine: it drives the real program host and the real dynamic-provider server that ship
 * in `@pulumi/pulumi`, over gRPC, and keeps a state from one operation to the next. What it knows of resources is what
 * dynamic ones need: all others it takes as they are registered.
 */

/** What one operation came to. */
export interface Outcome {
  /** Whether the user sees no error. */
  readonly ok: boolean;
  /** What the operation itself did, without its preview: `create scm-auth`. */
  readonly steps: readonly Step[];
  /** What the preview before it would do. */
  readonly previewed: readonly Step[];
  /** What the user sees under "Diagnostics", texts of both phases. */
  readonly diagnostics: string;
}

/** Where a stack's program is, and how it is run. */
export interface StackOptions {
  /** The program's folder: where `main` of Pulumi.yaml points. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The node that runs all processes. Default: this one. */
  readonly node?: string;
  /** Whether the language host says that it is TypeScript. Default: false. */
  readonly typescript?: boolean;
  /** A script in the place of the program host, as a program of the Automation API is its own host. */
  readonly host?: string;
}

/** How one operation is asked for. */
export interface Wishes {
  readonly targets?: readonly string[];
  /** `up --refresh`. */
  readonly refresh?: boolean;
  /** `--run-program`, for operations that run none by themselves. */
  readonly runProgram?: boolean;
  /** `--skip-preview`. */
  readonly skipPreview?: boolean;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

type Work = (phase: Phase, runProgram: () => Promise<void>, dynamic: () => Promise<DynamicProcess>) => Promise<void>;

interface InnerWishes extends Wishes {
  /** What the program registers is answered by what the state says. */
  readonly isAnswerOnly?: boolean;
}

/** One stack, with its state. */
export class Stack {
  readonly #options: StackOptions;
  /** All that went over gRPC so far. */
  readonly traffic = new Traffic();
  #state: State = new Map();

  constructor(options: StackOptions) {
    this.#options = options;
  }

  get resources(): readonly StateEntry[] {
    return [...this.#state.values()];
  }

  resource(name: string): StateEntry {
    const found = this.resources.find((entry) => entry.name === name);
    if (found === undefined) throw new Error(`no resource ${name} in the state`);
    return found;
  }

  /** The state as it is written: secrets are ciphertext. */
  get stateText(): string {
    return JSON.stringify(this.resources.map((entry) => sealed(entry)));
  }

  /** The state with its secrets in clear. */
  get openedState(): string {
    return JSON.stringify(this.resources);
  }

  /** Puts a text in the place of `__provider` everywhere, as another release would have written it. */
  rewriteProviders(text: string): void {
    const rewritten = ({ inputs, outputs, ...entry }: StateEntry): StateEntry => ({
      ...entry,
      inputs: { ...inputs, __provider: text },
      outputs: { ...outputs, __provider: text },
    });
    this.#state = new Map([...this.#state].map(([urn, entry]) => [urn, isDynamic(entry) ? rewritten(entry) : entry]));
  }

  /** Writes outputs into the state, as time would. */
  setOutputs(name: string, outputs: Properties): void {
    const changed = (entry: StateEntry): StateEntry => (entry.name === name ? { ...entry, outputs } : entry);
    this.#state = new Map([...this.#state].map(([urn, entry]) => [urn, changed(entry)]));
  }

  async preview(wishes: Wishes = {}): Promise<Outcome> {
    const phase = await this.#phase(true, wishes, async (phase, runProgram) => {
      const program = runProgram();
      await Promise.race([phase.programDone, program]);
      phase.endProgram();
      await program;
    });
    return { ok: !phase.hasFailed, steps: phase.steps, previewed: [], diagnostics: phase.diagnostics.join("\n") };
  }

  async up(wishes: Wishes = {}): Promise<Outcome> {
    return this.#operation(wishes, async (phase, runProgram, dynamic) => {
      // Without the program a refresh comes before it, with it all the resources are read as they are registered.
      if (wishes.refresh && !wishes.runProgram) await phase.readAll();
      const program = runProgram();
      await Promise.race([phase.programDone, program]);
      if (!phase.hasFailed) await this.#deleteOld(phase, dynamic);
      phase.endProgram();
      await program;
    });
  }

  async refresh(wishes: Wishes = {}): Promise<Outcome> {
    return this.#operation({ ...wishes, isAnswerOnly: true }, async (phase, runProgram) => {
      const program = wishes.runProgram ? runProgram() : Promise.resolve();
      await Promise.race([phase.programDone, program]);
      if (!phase.hasFailed) for (const [urn, entry] of await phase.readAll()) phase.next.set(urn, entry);
      phase.endProgram();
      await program;
    });
  }

  async destroy(wishes: Wishes = {}): Promise<Outcome> {
    return this.#operation({ ...wishes, skipPreview: true, isAnswerOnly: true }, async (phase, runProgram, dynamic) => {
      const program = wishes.runProgram ? runProgram() : Promise.resolve();
      await Promise.race([phase.programDone, program]);
      phase.next.clear();
      if (!phase.hasFailed) await this.#deleteOld(phase, dynamic);
      phase.endProgram();
      await program;
      phase.next.clear();
    });
  }

  async #operation(wishes: InnerWishes, work: Work): Promise<Outcome> {
    const preview = wishes.skipPreview ? undefined : await this.#phase(true, wishes, work);
    const told = preview?.diagnostics ?? [];
    if (preview?.hasFailed) return { ok: false, steps: [], previewed: preview.steps, diagnostics: told.join("\n") };
    const phase = await this.#phase(false, wishes, work);
    if (!phase.hasFailed) this.#state = phase.next;
    const diagnostics = [...told, ...phase.diagnostics].join("\n");
    return { ok: !phase.hasFailed, steps: phase.steps, previewed: preview?.steps ?? [], diagnostics };
  }

  /** What the program registers no more goes, and what was replaced. */
  async #deleteOld(phase: Phase, dynamic: () => Promise<DynamicProcess>): Promise<void> {
    const gone = [...this.#state].filter(([urn]) => !phase.next.has(urn)).map(([, entry]) => entry);
    for (const entry of [...phase.replaced, ...gone].filter(isDynamic).reverse()) {
      phase.steps.push(`delete ${entry.name}`);
      if (!phase.isPreview) await (await dynamic()).delete(entry.id, entry.outputs);
    }
  }

  /** One phase, with a dynamic-provider process of its own if it needs one. */
  async #phase(isPreview: boolean, wishes: InnerWishes, work: Work): Promise<Phase> {
    const { folder, node = process.execPath, typescript = false, host } = this.#options;
    const env = { ...this.#options.env, ...wishes.env };
    const options: ProcessOptions = { node, folder, env, traffic: this.traffic };
    let started: Promise<DynamicProcess> | undefined;
    const dynamic = (): Promise<DynamicProcess> => (started ??= startDynamicProcess(options));
    const { targets, isAnswerOnly = false } = wishes;
    const refresh = (wishes.refresh ?? false) && (wishes.runProgram ?? false);
    const state = this.#state;
    const { traffic } = this;
    const phase = new Phase({ isPreview, state, dynamic, targets, refresh, isAnswerOnly, traffic });
    const run = async (): Promise<void> => {
      const { code, text } = await runProgramHost({
        ...options,
        dryRun: isPreview,
        services: phase.services,
        typescript,
        host,
      });
      if (text.trim() !== "") phase.diagnostics.push(text.trim());
      if (code !== 0 && !phase.hasFailed) phase.fail(`the program ended with ${String(code)}`);
    };
    try {
      await work(phase, run, dynamic);
    } catch (error) {
      phase.fail(error instanceof Error ? error.message : String(error));
    }
    phase.endProgram();
    const said = (await (await started)?.stop()) ?? "";
    if (said.trim() !== "") phase.diagnostics.push(said.trim());
    return phase;
  }
}
