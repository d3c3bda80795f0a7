import type { Clock, Milliseconds } from "../../shared/clock.ts";

/** A clock that jumps from event to event: thousands of sleepers cost little. */
export interface EventClock extends Clock {
  /** Milliseconds since the clock was made. */
  readonly now: () => Milliseconds;
  /** Lets time pass until nobody sleeps any more. */
  readonly runOut: () => Promise<void>;
}

interface Sleeper {
  readonly due: Milliseconds;
  /** Which lay down first, of those who wake at once. */
  readonly turn: number;
  /** Undefined when called off. */
  wake: (() => void) | undefined;
}

const comesBefore = (one: Sleeper, other: Sleeper): boolean =>
  one.due < other.due || (one.due === other.due && one.turn < other.turn);

/** Makes such a clock, at 0. */
export function makeEventClock(): EventClock {
  let now = 0;
  let turns = 0;
  const heap: Sleeper[] = [];
  const at = (index: number): Sleeper => {
    const sleeper = heap[index];
    if (sleeper === undefined) throw new RangeError("nobody sleeps there");
    return sleeper;
  };
  const swap = (one: number, other: number): void => {
    [heap[one], heap[other]] = [at(other), at(one)];
  };

  const add = (sleeper: Sleeper): void => {
    heap.push(sleeper);
    for (let here = heap.length - 1; here > 0;) {
      const parent = (here - 1) >> 1;
      if (!comesBefore(at(here), at(parent))) return;
      swap(here, parent);
      here = parent;
    }
  };

  const takeFirst = (): Sleeper | undefined => {
    if (heap.length === 0) return undefined;
    swap(0, heap.length - 1);
    const first = heap.pop();
    for (let here = 0; ;) {
      let least = here;
      for (const child of [2 * here + 1, 2 * here + 2])
        if (child < heap.length && comesBefore(at(child), at(least))) least = child;
      if (least === here) return first;
      swap(here, least);
      here = least;
    }
  };

  return {
    wall: () => now,
    monotonic: () => now,
    after: (delay, wake) => {
      const sleeper: Sleeper = { due: now + delay, turn: turns++, wake };
      add(sleeper);
      return () => {
        sleeper.wake = undefined;
      };
    },
    now: () => now,
    runOut: async () => {
      for (;;) {
        await everyPromise();
        let sleeper = takeFirst();
        // Who was called off leaves the time as it is.
        while (sleeper && !sleeper.wake) sleeper = takeFirst();
        if (!sleeper) return;
        now = Math.max(now, sleeper.due);
        sleeper.wake?.();
      }
    },
  };
}

/** Resolves when all promises that could settle without time passing have done so. */
const everyPromise = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
