import type { Clock, Milliseconds } from "../../shared/clock.ts";
import { AuthError } from "../../shared/report/errors.ts";
import { joined, ours, phrase, type Phrase } from "./phrase.ts";
import type { Span } from "./time-line.ts";

/** The steps of a sign-in, in the order in which they are told. */
export const STEPS = ["DNS", "TCP", "proxy", "TLS", "token", "keys", "verify"] as const;
/** The name of a step. */
export type StepName = (typeof STEPS)[number];

/** How a step ended. */
export type Outcome = "ok" | "failed" | "not used" | "not reached";

/** One step, and what was found in it. */
export interface Step {
  readonly name: StepName;
  readonly outcome: Outcome;
  /** When it took place; undefined when it did not. */
  readonly span: Span | undefined;
  readonly found: Phrase;
}

/** A step that failed, and why: an AuthError, unless nobody thought of it. */
export interface Failure {
  readonly step: StepName;
  readonly error: unknown;
}

/** Something known beside the steps: of the clock, the token, the surroundings. */
export interface Fact {
  readonly name: string;
  readonly found: Phrase;
}

/** Keeps what is found in each step, and when. Steps may run side by side. */
export class Diagnosis {
  readonly #clock: Clock;
  readonly #steps = new Map<StepName, Step>();
  readonly #failures: Failure[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** All steps in order, those that nobody came to among them. */
  get steps(): readonly Step[] {
    return STEPS.map(
      (name) => this.#steps.get(name) ?? { name, outcome: "not reached", span: undefined, found: ours("") },
    );
  }

  /** What failed, in the order of the steps. */
  get failures(): readonly Failure[] {
    return STEPS.flatMap((name) => this.#failures.filter(({ step }) => step === name));
  }

  /** How long a step took. */
  took(name: StepName): Milliseconds | undefined {
    const span = this.#steps.get(name)?.span;
    return span && span.end - span.start;
  }

  /** A step that this sign-in does without, and why. */
  skip(name: StepName, found: Phrase): void {
    this.#steps.set(name, { name, outcome: "not used", span: undefined, found });
  }

  /**
   * Does a step.
   *
   * @param work - gets what keeps a finding; a later one takes the place of an earlier one, and what was found before a
   *   failure is told, too
   * @throws what `work` throws
   */
  async run<T>(name: StepName, work: (find: (found: Phrase) => void) => Promise<T>): Promise<T> {
    const start = this.#clock.monotonic();
    let found = ours("");
    const note = (outcome: Outcome, end: Phrase = found): void => {
      this.#steps.set(name, { name, outcome, span: { start, end: this.#clock.monotonic() }, found: end });
    };
    try {
      const result = await work((what) => (found = what));
      note("ok");
      return result;
    } catch (error) {
      const code = AuthError.isAuthError(error) ? error.code : "unexpected";
      note("failed", joined([...(found.length > 0 ? [found] : []), phrase`${code}`], ", "));
      this.#failures.push({ step: name, error });
      throw error;
    }
  }
}
