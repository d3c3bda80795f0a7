import type { Milliseconds, Seconds } from "../../shared/clock.ts";
import type { Faults } from "../support/chaos-proxy.ts";

/** THE table of the sweep: which answer is cut, on which way, and how. Every combination is swept. */

/** The answer that is cut. The other one comes whole, and on the straight way. */
export const ANSWERS = ["token", "keys"] as const;
export type Answer = (typeof ANSWERS)[number];

/** Who signs in: the core, called in this process, or the action's bundle as a step of a workflow. */
export type Signer = "core" | "step";

/** How a client reaches the server. The cut is on the client's side, so a proxy's own answer is cut as well. */
export interface Way {
  readonly tls: boolean;
  /**
   * Whether the environment names a proxy. Plain http is for loopback alone, which no client sends through a proxy:
   * there the proxy must not be asked.
   */
  readonly proxy: boolean;
}

export const WAYS = {
  "plain http": { tls: false, proxy: false },
  "plain http, a proxy named": { tls: false, proxy: true },
  TLS: { tls: true, proxy: false },
  "TLS through a proxy": { tls: true, proxy: true },
} as const satisfies Readonly<Record<string, Way>>;
export type WayName = keyof typeof WAYS;

/** How a network cuts. */
export interface Cut {
  readonly after: (bytes: number) => Faults;
  /** The sign-in's time limit. */
  readonly timeout: Seconds;
  /** What it takes to notice. */
  readonly wait: Milliseconds;
  /** The kinds of error that may come of it. */
  readonly kinds: readonly string[];
  /** How many to look at at once. Silence costs time and no work. */
  readonly atOnce: Readonly<Record<Signer, number>>;
}

const AT_ONCE = { core: 4, step: 3 };
const AT_ONCE_IN_SILENCE = { core: 40, step: 12 };

export const CUTS = {
  "a FIN": {
    after: (endAfter) => ({ endAfter }),
    timeout: 20,
    wait: 0,
    kinds: ["network", "protocol"],
    atOnce: AT_ONCE,
  },
  "an RST": {
    after: (resetAfter) => ({ resetAfter }),
    timeout: 20,
    wait: 0,
    kinds: ["network", "protocol"],
    atOnce: AT_ONCE,
  },
  silence: {
    after: (silentAfter) => ({ silentAfter }),
    timeout: 2,
    wait: 2000,
    kinds: ["timeout"],
    atOnce: AT_ONCE_IN_SILENCE,
  },
} as const satisfies Readonly<Record<string, Cut>>;
export type CutName = keyof typeof CUTS;

/**
 * How late a sign-in may end, by a timer that was set to the moment when it should and that a busy machine delays as
 * well. What it does not tell is how long such a machine takes to start a process; a FIN that goes unnoticed takes 20 s.
 */
export const SLACK: Readonly<Record<Signer, Milliseconds>> = { core: 4000, step: 12_000 };

/** One line of the sweep. */
export interface Line {
  readonly way: WayName;
  readonly answer: Answer;
  readonly cut: CutName;
}

/** All lines. */
export const LINES: readonly Line[] = (Object.keys(WAYS) as WayName[]).flatMap((way) =>
  ANSWERS.flatMap((answer) => (Object.keys(CUTS) as CutName[]).map((cut) => ({ way, answer, cut }))),
);
