import type { Properties } from "./inputs.ts";

/** What Pulumi's dynamic-provider process asks of a resource (`pulumi.dynamic.ResourceProvider`). */
export interface DynamicProvider {
  readonly check: (olds: Properties, news: Properties) => Promise<CheckResult>;
  readonly diff: (id: string, olds: Properties, news: Properties) => Promise<DiffResult>;
  readonly create: (inputs: Properties) => Promise<{ readonly id: string; readonly outs: Properties }>;
  readonly update: (id: string, olds: Properties, news: Properties) => Promise<{ readonly outs: Properties }>;
  readonly read: (id: string, outputs: Properties) => Promise<{ readonly id: string; readonly props: Properties }>;
  readonly delete: (id: string, outputs: Properties) => Promise<void>;
}

/** What becomes of the inputs. */
export interface CheckResult {
  readonly inputs: Properties;
  /** With the name of an input the engine would print its value, a secret's, too: always a blank one. */
  readonly failures: readonly { readonly property: ""; readonly reason: string }[];
}

/** Whether anything is to be done. Always said: the engine would compare the text of `__provider` otherwise. */
export interface DiffResult {
  readonly changes: boolean;
  readonly replaces?: string[];
}
