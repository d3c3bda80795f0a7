import assert from "node:assert/strict";
import type { Milliseconds } from "../../shared/clock.ts";
import { SIGN_INS } from "./sign-ins.ts";
import type { Front, SweepStage } from "./stage.ts";
import { CUTS, SLACK, WAYS, type Cut, type Line, type Signer, type Way } from "./table.ts";

/** What came of one line. */
export interface Tally {
  readonly cases: number;
  readonly failed: number;
  readonly proved: number;
  /** The longest time that one took, start of a process included. */
  readonly longest: Milliseconds;
  /** How long after its due time the latest one ended. */
  readonly latest: Milliseconds;
}

/** How to sweep. */
export interface Manner {
  readonly signer: Signer;
  /** Cuts after every so many bytes. */
  readonly step: number;
}

/**
 * Behind the answer comes TLS's own farewell (24 bytes); and a signature in the handshake is a few bytes longer or
 * shorter each time. So much before the end of what was measured an answer may be whole.
 */
const FAREWELL = 32;
/** So much after it each is. */
const BEYOND = 8;
/** How often what did not come about is tried again, each time fewer at once. */
const ROUNDS = 12;
/** Longer than any sign-in may take, even on the busiest machine. */
const FOREVER: Milliseconds = 60_000;

/**
 * Signs in once for each cut of one line, and judges: each cut happened where it was planned; what was cut short never
 * passed for whole; what was whole did; and all ended in time.
 */
export async function sweep(stage: SweepStage, line: Line, manner: Manner): Promise<Tally> {
  const length = await lengthOf(stage, line);
  const { tls }: Way = WAYS[line.way];
  const short = range(length - (tls ? FAREWELL : 0), manner.step);
  const whole = [...(tls && manner.step === 1 ? range(length, 1).slice(-FAREWELL) : []), length + (tls ? BEYOND : 0)];
  const { signer } = manner;
  const seen: Seen[] = [];
  let pending: readonly number[] = short;
  for (let round = 0; pending.length > 0 && round < ROUNDS; round++) {
    const atOnce = Math.ceil(CUTS[line.cut].atOnce[signer] / 2 ** round);
    const ofRound = await signInEach(stage, line, pending, { signer, atOnce });
    assert.equal(ofRound.proved, 0, "cut answers passed for whole ones");
    seen.push(ofRound);
    // On a busy machine a client's time may be over before the bytes have come: that was another case than planned.
    pending = pending.filter((cut, n) => ofRound.replied[n] !== cut);
  }
  assert.equal(pending.length, 0, `cuts that did not happen: ${pending.join(" ")}`);
  const ofWhole = await signInEach(stage, line, whole, { signer, atOnce: 2 });
  assert.ok(ofWhole.proved > 0, "no whole answer was good");
  seen.push(ofWhole);
  const latest = Math.max(...seen.map((one) => one.latest));
  assert.ok(latest <= SLACK[signer], `one ended ${Math.round(latest)} ms late`);
  assert.ok(!stage.proxyWasMisused(), "a proxy was asked for loopback");
  const cases = short.length + whole.length;
  const { proved } = ofWhole;
  return { cases, failed: cases - proved, proved, longest: Math.max(...seen.map((one) => one.longest)), latest };
}

/** What came of a row of cuts. */
interface Seen {
  readonly proved: number;
  readonly longest: Milliseconds;
  readonly latest: Milliseconds;
  /** Bytes that passed on the n-th connection. */
  readonly replied: readonly number[];
}

/** Signs in once for each of `bytes`, in any order. */
async function signInEach(
  stage: SweepStage,
  { way, answer, cut }: Line,
  bytes: readonly number[],
  { signer, atOnce }: { readonly signer: Signer; readonly atOnce: number },
): Promise<Seen> {
  const { after, timeout, wait, kinds }: Cut = CUTS[cut];
  const front = await stage.open(way, answer, (n) => after(bytes[n] ?? 0));
  let proved = 0;
  let longest = 0;
  let latest = 0;
  let next = 0;
  const signInAgain = async (): Promise<void> => {
    while (next++ < bytes.length) {
      const start = performance.now();
      let dueAt = Infinity;
      const due = setTimeout(() => (dueAt = performance.now()), wait);
      const outcome = await unlessForever(SIGN_INS[signer](front, stage.token, timeout));
      clearTimeout(due);
      const end = performance.now();
      longest = Math.max(longest, end - start);
      latest = Math.max(latest, end - dueAt);
      if (outcome.proved) proved++;
      else if (outcome.kind !== undefined) assert.ok(kinds.includes(outcome.kind), `a failure of kind ${outcome.kind}`);
    }
  };
  try {
    await within(front, () => Promise.all(Array.from({ length: atOnce }, signInAgain)));
  } finally {
    await front.close();
  }
  return { proved, longest, latest, replied: front.connections.map(({ replied }) => replied) };
}

/** @throws Error when it does not settle */
async function unlessForever<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const never = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error("one never ended"));
    }, FOREVER);
  });
  try {
    return await Promise.race([work, never]);
  } finally {
    clearTimeout(timer);
  }
}

/** Bytes of the whole answer, as they pass: headers, and on TLS the handshake. */
async function lengthOf(stage: SweepStage, { way, answer }: Line): Promise<number> {
  const front = await stage.open(way, answer, () => ({}));
  try {
    const { proved } = await within(front, () => SIGN_INS.core(front, stage.token, 20));
    const replied = front.connections[0]?.replied ?? 0;
    assert.ok(proved && replied > 100, "the way is open");
    return replied;
  } finally {
    await front.close();
  }
}

/** Does it with what `front` says of proxies in the environment. */
async function within<T>({ env }: Front, work: () => Promise<T>): Promise<T> {
  const names = Object.keys(env).flatMap((name) => [name, name.toUpperCase()]);
  const before = names.map((name) => [name, process.env[name]] as const);
  const set = (name: string, value: string | undefined): void => {
    // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- only deleting takes a variable away
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  };
  for (const name of names) set(name, env[name]);
  try {
    return await work();
  } finally {
    for (const [name, value] of before) set(name, value);
  }
}

const range = (end: number, step: number): readonly number[] =>
  Array.from({ length: Math.ceil(end / step) }, (_, n) => n * step);
