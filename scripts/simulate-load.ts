import { sleep, type Clock, type Milliseconds, type RandomSource } from "../shared/clock.ts";
import { AuthError } from "../shared/errors.ts";
import type { RetryPolicy } from "../shared/http/request-context.ts";
import type { HttpResponse } from "../shared/http/request.ts";
import { requestWithRetries } from "../shared/http/retry.ts";
import { Redactor } from "../shared/redact.ts";
import { createSeededRandom } from "../test/support/seeded-random.ts";

/**
 * `node scripts/simulate-load.ts` prints the tables in docs/retries.md. It simulates jobs that sign in at the same time
 * to a server with ten slots, with several retry policies. It takes less than a minute. Time is simulated, so the results
 * do not depend on the machine.
 */

const SEEDS = 20;
const SLOTS = 10;
/** The time that the server needs to process a request. */
const WORK: Milliseconds = 300;
/** The time limit for a sign-in with the policies that this project's policy is compared to. */
const TIMEOUT: Milliseconds = 180_000;

const LOADS = [
  { name: "10 jobs in 5 s", jobs: 10, within: 5000 },
  { name: "50 jobs in 1 s", jobs: 50, within: 1000 },
  { name: "100 jobs in 5 s", jobs: 100, within: 5000 },
  { name: "200 jobs in 5 s", jobs: 200, within: 5000 },
  { name: "1,000 jobs in 5 s", jobs: 1000, within: 5000 },
] as const;

/** What the server does with requests that arrive while all slots are busy. */
type OverloadMode = "hang" | "429";

/** Makes one attempt. Resolves to the status, or rejects with an AuthError after the time limit. */
type Send = (timeoutMs: Milliseconds) => Promise<number>;

interface Policy {
  readonly name: string;
  /** Resolves when the job has signed in. Rejects with an AuthError when it gives up. */
  readonly signIn: (send: Send, clock: Clock, random: RandomSource) => Promise<unknown>;
}

/** A clock that advances only when every job is waiting. */
class SimulatedClock implements Clock {
  #now: Milliseconds = 0;
  #timers: { readonly due: Milliseconds; readonly callback: () => void; cancelled: boolean }[] = [];

  readonly now = (): Milliseconds => this.#now;
  readonly monotonic = this.now;
  readonly elapsed = this.now;

  readonly setTimeout = (callback: () => void, delay: Milliseconds): (() => void) => {
    const timer = { due: this.#now + delay, callback, cancelled: false };
    const next = this.#timers.findIndex(({ due }) => due > timer.due);
    this.#timers.splice(next === -1 ? this.#timers.length : next, 0, timer);
    return () => {
      timer.cancelled = true;
    };
  };

  async runToEnd(): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const timer = this.#timers.shift();
      if (timer === undefined) return;
      if (timer.cancelled) continue;
      this.#now = timer.due;
      timer.callback();
    }
  }
}

/** Creates a server with {@link SLOTS} slots. */
function createServer(clock: Clock, mode: OverloadMode): Send {
  let free = SLOTS;
  return (timeoutMs) =>
    new Promise((resolve, reject) => {
      const cancel = clock.setTimeout(() => {
        reject(new AuthError("no response.", { kind: "timeout", code: "response_timeout" }));
      }, timeoutMs);
      const respond = (status: number): void => {
        cancel();
        resolve(status);
      };
      if (free > 0) {
        free--;
        clock.setTimeout(() => {
          free++;
          respond(200);
        }, WORK);
      } else if (mode === "429") respond(429);
    });
}

/** Creates a policy with a fixed time limit for each attempt. */
const fixedPolicy = (
  name: string,
  attemptTimeout: Milliseconds,
  maxRetries: number,
  getDelay: (attempt: number, random: RandomSource) => Milliseconds,
): Policy => ({
  name,
  signIn: async (send, clock, random) => {
    for (let attempt = 1; ; attempt++) {
      const timeLeft = TIMEOUT - clock.now();
      const status = await send(Math.max(1, Math.min(attemptTimeout, timeLeft))).catch(() => 0);
      if (status === 200) return;
      const delay = getDelay(attempt, random);
      if (attempt > maxRetries || clock.now() + delay >= TIMEOUT)
        throw new AuthError("gave up.", { kind: "server", code: "server_error" });
      await sleep(clock, delay);
    }
  },
});

/** Creates a policy that uses this project's retry code. */
const ownPolicy = (name: string, policy: RetryPolicy, timeoutMs: Milliseconds): Policy => ({
  name,
  signIn: (send, clock, random) =>
    requestWithRetries(
      {
        ...{ clock, random, policy, userAgent: "", secureContext: undefined, redactor: new Redactor() },
        onEvent: () => undefined,
      },
      {
        name: "token",
        request: { method: "POST", url: new URL("https://auth.example"), headers: {} },
        parse: ({ status }) =>
          status === 200
            ? { type: "success", value: undefined }
            : { type: "overloaded", error: new AuthError("busy.", { kind: "rate_limited", code: "rate_limited" }) },
      },
      { deadline: clock.monotonic() + timeoutMs },
      async (_request, _context, options): Promise<HttpResponse> => {
        const status = await send(options.timeoutMs);
        return { status, headers: {}, body: "", clockOffset: undefined };
      },
    ),
});

/** urllib3's `Retry.get_backoff_time`: no delay before the first retry, then a delay that doubles. */
const urllib3Delay = (attempt: number): Milliseconds => (attempt === 1 ? 0 : 300 * 2 ** (attempt - 1));

const POLICIES: readonly Policy[] = [
  fixedPolicy("urllib3 `Retry(3, 0.3)`, 30 s each", 30_000, 3, urllib3Delay),
  fixedPolicy("the same with full jitter", 30_000, 3, (attempt, random) => random() * 300 * 2 ** (attempt - 1)),
  fixedPolicy("3 retries, 30 s each, delays up to 30 s", 30_000, 3, (_attempt, random) => random() * 30_000),
  fixedPolicy("to the deadline, 5 s each, delays up to 30 s", 5000, Infinity, (_attempt, random) => random() * 30_000),
  ownPolicy("this action", { maxRetries: 9, backoff: 0.3, spreadOnOverload: true }, 240_000),
];

interface JobResult {
  /** Undefined if the job gave up. */
  readonly signedInAt: Milliseconds | undefined;
  readonly requests: number;
}

async function simulate(
  { jobs, within }: (typeof LOADS)[number],
  mode: OverloadMode,
  policy: Policy,
  seed: number,
): Promise<readonly JobResult[]> {
  const clock = new SimulatedClock();
  const random = createSeededRandom(seed);
  const server = createServer(clock, mode);
  const runJob = async (): Promise<JobResult> => {
    let requests = 0;
    const send: Send = (timeoutMs) => {
      requests++;
      return server(timeoutMs);
    };
    await sleep(clock, random() * within);
    try {
      await policy.signIn(send, clock, random);
      return { signedInAt: clock.now(), requests };
    } catch (error) {
      if (!AuthError.isAuthError(error)) throw error;
      return { signedInAt: undefined, requests };
    }
  };
  const results = Promise.all(Array.from({ length: jobs }, runJob));
  await clock.runToEnd();
  return results;
}

/**
 * Formats a table cell: the percentage of jobs that signed in, the time of the last sign-in, and the number of requests
 * per job. See docs/retries.md.
 */
function toCell(runs: readonly (readonly JobResult[])[]): string {
  const shares = runs.map((run) => run.filter(({ signedInAt }) => signedInAt !== undefined).length / run.length);
  const lastTimes = runs
    .map((run) => Math.max(...run.map(({ signedInAt = 0 }) => signedInAt)) / 1000)
    .sort((a, b) => a - b);
  const means = runs.map((run) => run.reduce((sum, { requests }) => sum + requests, 0) / run.length);
  const most = Math.max(...runs.flat().map(({ requests }) => requests));
  const median = lastTimes[Math.floor(lastTimes.length / 2)] ?? 0;
  const share = `${Number((Math.min(...shares) * 100).toFixed(1))} %`;
  return `${share}, ${median.toFixed(1)} s (${(lastTimes.at(-1) ?? 0).toFixed(1)}), ${Math.max(...means).toFixed(1)} (${most})`;
}

for (const mode of ["hang", "429"] as const) {
  console.log(`\n### Excess requests ${mode === "hang" ? "hang" : "get a 429"}\n`);
  console.log(`| policy | ${LOADS.map(({ name }) => name).join(" | ")} |\n| --- |${" --- |".repeat(LOADS.length)}`);
  for (const policy of POLICIES) {
    const cells: string[] = [];
    for (const load of LOADS) {
      const runs: (readonly JobResult[])[] = [];
      for (let seed = 1; seed <= SEEDS; seed++) runs.push(await simulate(load, mode, policy, seed));
      cells.push(toCell(runs));
    }
    console.log(`| ${policy.name} | ${cells.join(" | ")} |`);
  }
}
