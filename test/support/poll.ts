import { setTimeout as delay } from "node:timers/promises";

/** Polls until `condition` is true. @throws Error with `description` after `timeoutMs` */
export async function waitUntil(
  description: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${description}`);
    await delay(20);
  }
}
