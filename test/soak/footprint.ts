import { readdir, readFile, rename } from "node:fs/promises";
import { sleep, systemClock, type Milliseconds } from "../../shared/clock.ts";

/** From the first third of the looks to the last one: medians, and the highest of all. */
export interface Change {
  readonly first: number;
  readonly last: number;
  readonly most: number;
}

/** What a process takes, as Linux shows it. */
export interface Footprint {
  /** Resident memory, in MiB. */
  readonly resident: Change;
  /** Open files, sockets and pipes among them. */
  readonly files: Change;
}

/** What the keeper says of itself when its garbage is collected, and how many renewals it had made. */
export interface Weight {
  /** What lives, in MiB: V8's heap, and the buffers outside of it. */
  readonly heap: number;
  /** What node would wait for, by kind: timers, sockets, servers. */
  readonly resources: Readonly<Record<string, number>>;
  readonly renewals: number;
}

const MEBIBYTE = 1024 * 1024;
const PAGE = 4096;
/** In MiB: what V8 leaves lying about for a while is less. */
const MOST_GROWTH = 12;
/** What lives, in MiB, from the second weight on: a token kept in each of 600 renewals would be more. */
const MOST_HEAP_GROWTH = 0.5;
/** Open files, or what else node would wait for: a connection more or less. */
const MOST_HANDLES = 4;
/** How long the keeper may take to say what it holds. */
const PATIENCE: Milliseconds = 10_000;
const POLL: Milliseconds = 50;

/** Looks at one process again and again. */
export class FootprintWatch {
  readonly #pid: number;
  readonly #resident: number[] = [];
  readonly #files: number[] = [];

  constructor(pid: number) {
    this.#pid = pid;
  }

  /** Once more. @throws Error when the process is gone */
  async look(): Promise<void> {
    const pages = Number((await readFile(`/proc/${this.#pid}/statm`, "utf8")).split(" ")[1]);
    const files = (await readdir(`/proc/${this.#pid}/fd`)).length;
    this.#resident.push((pages * PAGE) / MEBIBYTE);
    this.#files.push(files);
  }

  get footprint(): Footprint {
    return { resident: changeOf(this.#resident), files: changeOf(this.#files) };
  }
}

/**
 * Asks a process that runs `weighed-keeper.cjs` what it holds.
 *
 * @param answerFile - where it writes the answer
 * @throws Error when none comes
 */
export async function weigh(pid: number, answerFile: string): Promise<Omit<Weight, "renewals">> {
  process.kill(pid, "SIGUSR2");
  const end = systemClock.monotonic() + PATIENCE;
  while (systemClock.monotonic() < end) {
    const answer = await readFile(answerFile, "utf8").catch(() => undefined);
    if (answer !== undefined) {
      await rename(answerFile, `${answerFile}.read`);
      return JSON.parse(answer) as Omit<Weight, "renewals">;
    }
    await sleep(systemClock, POLL, new AbortController().signal);
  }
  throw new Error("the keeper does not say what it holds");
}

/**
 * How much more lives, in MiB, and for a thousand renewals. The first weight is not counted: by then V8 has not yet
 * compiled all that a renewal runs through.
 */
export function heapGrowth(weights: readonly Weight[]): { readonly mebibytes: number; readonly perThousand: number } {
  const [from, to] = [weights[1], weights.at(-1)];
  const mebibytes = from && to ? to.heap - from.heap : 0;
  const renewals = from && to ? to.renewals - from.renewals : 0;
  return { mebibytes, perThousand: renewals === 0 ? 0 : (mebibytes / renewals) * 1000 };
}

/** Where a process grew. */
export function faultsOf(footprint: Footprint | undefined, weights: readonly Weight[]): readonly string[] {
  const grown = (change: Change): number => change.last - change.first;
  const waitedFor = weights.map(({ resources }) => Object.values(resources).reduce((sum, count) => sum + count, 0));
  const grew: readonly [what: string, by: number, most: number][] = [
    ["resident memory (MiB)", footprint ? grown(footprint.resident) : 0, MOST_GROWTH],
    ["open files", footprint ? grown(footprint.files) : 0, MOST_HANDLES],
    ["what node waits for", Math.max(0, ...waitedFor) - (waitedFor[0] ?? 0), MOST_HANDLES],
    ["living memory (MiB)", heapGrowth(weights).mebibytes, MOST_HEAP_GROWTH],
  ];
  // NaN is a fault as well.
  return grew.filter(([, by, most]) => !(by <= most)).map(([what, by]) => `${what} grew by ${by}`);
}

function changeOf(values: readonly number[]): Change {
  const third = Math.ceil(values.length / 3);
  return { first: median(values.slice(0, third)), last: median(values.slice(-third)), most: Math.max(...values) };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
