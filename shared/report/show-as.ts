import { inspect } from "node:util";

/**
 * Lets console.log and util.inspect show instances of a class as one line that holds no secret. Set apart from the
 * class's own members, so that its published type does not ask for node's types.
 */
export function showAs<T extends object>(prototype: T, line: (instance: T) => string): void {
  Object.defineProperty(prototype, inspect.custom, {
    value(this: T): string {
      return line(this);
    },
  });
}
