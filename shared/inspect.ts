import { inspect } from "node:util";

/**
 * Makes console.log and util.inspect print instances of a class as one line without secrets. The method is not declared
 * in the class, so that the published types do not depend on Node's types.
 */
export function defineInspect<T extends object>(prototype: T, format: (instance: T) => string): void {
  Object.defineProperty(prototype, inspect.custom, {
    value(this: T): string {
      return format(this);
    },
  });
}
