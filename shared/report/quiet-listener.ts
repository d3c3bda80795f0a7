import type { AuthEvent, OnEvent } from "./events.ts";

/** A listener whose own failures hurt nobody: what it throws, or rejects with, is dropped. */
export function quietly(listener: OnEvent | undefined): OnEvent {
  return (event: AuthEvent): void => {
    try {
      // An async listener's rejection is its own as well.
      void Promise.resolve(listener?.(event)).catch(() => undefined);
    } catch {
      // Nobody to tell.
    }
  };
}
