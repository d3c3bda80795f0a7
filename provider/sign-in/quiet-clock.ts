import { systemClock, type Clock } from "../../shared/clock.ts";

/** The machine's clock for work that nobody waits for: its timers never keep a process from ending. */
export const quietClock: Clock = {
  ...systemClock,
  after: (delay, wake) => {
    // Node cuts fractions off, and nobody may wake early.
    const timer = setTimeout(wake, Math.ceil(delay)).unref();
    return () => {
      clearTimeout(timer);
    };
  },
};
