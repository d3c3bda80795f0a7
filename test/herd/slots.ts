import type { Clock, Milliseconds } from "../../shared/clock.ts";

/**
 * What a server does with requests beyond its slots: lets them hang for ever, refuses them with a 429, or lets them
 * queue. A queue drops those whose clients left, or works on them all the same.
 */
export type Surplus = "hang" | "429" | "queue" | "queue, nobody dropped";

/** A server that works on few requests at a time. */
export interface Slots {
  /**
   * Takes a request.
   *
   * @param answer - is called with the status when there is an answer, and never when there is none
   * @returns what tells that the client has left
   */
  readonly take: (answer: (status: 200 | 429) => void) => () => void;
  /** Requests taken so far. */
  readonly taken: () => number;
}

/** How many requests are worked on at a time. */
export const SLOTS = 10;
/** How long each takes. */
const WORK: Milliseconds = 300;

interface Waiting {
  readonly answer: (status: 200) => void;
  left: boolean;
}

/** Makes the slots of one server. */
export function makeSlots(clock: Clock, surplus: Surplus): Slots {
  let free = SLOTS;
  let taken = 0;
  const queue: Waiting[] = [];

  const work = (request: Waiting): void => {
    free--;
    clock.after(WORK, () => {
      free++;
      if (!request.left) request.answer(200);
      next();
    });
  };
  const next = (): void => {
    for (let first = queue.shift(); first !== undefined; first = queue.shift()) {
      if (first.left && surplus === "queue") continue;
      work(first);
      return;
    }
  };

  return {
    take: (answer) => {
      taken++;
      const request: Waiting = { answer, left: false };
      if (free > 0) work(request);
      else if (surplus === "429") answer(429);
      else if (surplus !== "hang") queue.push(request);
      return () => {
        request.left = true;
      };
    },
    taken: () => taken,
  };
}
