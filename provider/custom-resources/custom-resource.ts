/**
 * The resource for each `kind`. In the dynamic provider, the kind is one of the inputs, because its process receives
 * neither the type nor the URN.
 */
export const KINDS = { "auth-file": "AuthFile", "access-token": "AccessToken" } as const;
export type ResourceKind = keyof typeof KINDS;

/** The value of an input that is unknown in a preview (the engine's `UnknownStringValue`). */
export const UNKNOWN_VALUE = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Properties of a resource as the engine passes them: inputs, or outputs from an earlier run. */
export type Properties = Readonly<Record<string, unknown>>;

type Awaitable<T> = T | Promise<T>;

/** The methods of one kind of resource. They throw AuthErrors. */
export interface CustomResource {
  /** @returns the inputs to store */
  readonly check: (olds: Properties, news: Properties) => Awaitable<Properties>;
  /**
   * `changes` is always set because, without it, the engine compares the inputs, which in the dynamic provider
   * include the string `__provider`.
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
