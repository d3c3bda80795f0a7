/** Properties of a resource as the engine passes them: inputs, or outputs from an earlier run. */
export type Properties = Readonly<Record<string, unknown>>;

type Awaitable<T> = T | Promise<T>;

/** The methods that the handler calls for one kind of resource. They throw AuthErrors. */
export interface DynamicResource {
  /** @returns the inputs to store */
  readonly check: (olds: Properties, news: Properties) => Awaitable<Properties>;
  /**
   * `changes` is always set because, without it, the engine compares the inputs, including the string `__provider`.
   *
   * @param olds - the outputs from the last run
   */
  readonly diff: (olds: Properties, news: Properties) => { readonly changes: boolean; readonly replaces?: string[] };
  readonly create: (inputs: Properties) => Promise<{ readonly id: string; readonly outs: Properties }>;
  /** @returns the outputs */
  readonly update: (inputs: Properties) => Promise<Properties>;
  /** Called by a refresh. The outputs stay the same. */
  readonly read: (outputs: Properties) => Awaitable<void>;
  readonly delete: (outputs: Properties) => Awaitable<void>;
}
