const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

/**
 * Receives the signals that would end the process, until it is disposed of. The first one that no receiver takes aborts
 * {@link Signals.aborted}, so that the process can clean up.
 */
export class Signals {
  readonly #controller = new AbortController();
  #receiver: ((signal: NodeJS.Signals) => void) | undefined;
  #first: NodeJS.Signals | undefined;

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#receive);
  }

  readonly #receive = (signal: NodeJS.Signals): void => {
    this.#first ??= signal;
    if (this.#receiver) this.#receiver(signal);
    else this.#controller.abort();
  };

  /** Aborted by the first signal that no receiver takes. */
  get aborted(): AbortSignal {
    return this.#controller.signal;
  }

  /** The first signal. */
  get first(): NodeJS.Signals | undefined {
    return this.#first;
  }

  /** Resolves when {@link Signals.aborted} is aborted. */
  get received(): Promise<void> {
    const { signal } = this.#controller;
    return new Promise((resolve) => {
      if (signal.aborted) resolve();
      else
        signal.addEventListener(
          "abort",
          () => {
            resolve();
          },
          { once: true },
        );
    });
  }

  /** Takes all signals from now on, until `undefined` is set. */
  set receiver(receiver: ((signal: NodeJS.Signals) => void) | undefined) {
    this.#receiver = receiver;
  }

  /** Restores the default effect of signals. */
  dispose(): void {
    for (const signal of SIGNALS) process.off(signal, this.#receive);
  }
}
