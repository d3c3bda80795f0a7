import type { Milliseconds } from "../../shared/clock.ts";
import { AuthError } from "../../shared/report/errors.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { makeEventClock } from "./event-clock.ts";
import type { Attempt, Policy } from "./policies.ts";
import { makeSlots, type Surplus } from "./slots.ts";

/** A number of jobs that start at chance times. */
export interface Herd {
  readonly jobs: number;
  /** They all start within this. */
  readonly within: Milliseconds;
}

/** What became of one job. */
export interface JobRun {
  /** When it was signed in, since the herd began; undefined when it failed. */
  readonly signedInAt: Milliseconds | undefined;
  readonly requests: number;
}

/** What becomes of a herd against a server, on a clock that costs no time. The same seed, the same run. */
export async function simulate(
  { jobs, within }: Herd,
  surplus: Surplus,
  policy: Policy,
  seed: number,
): Promise<readonly JobRun[]> {
  const clock = makeEventClock();
  const random = seededRandom(seed);
  const slots = makeSlots(clock, surplus);

  const signIn = async (): Promise<JobRun> => {
    let requests = 0;
    const attempt: Attempt = (timeLimit) =>
      new Promise((resolve, reject) => {
        requests++;
        const callOff = clock.after(timeLimit, () => {
          leave();
          reject(new AuthError("no answer.", { kind: "timeout", code: "no_answer" }));
        });
        const leave = slots.take((status) => {
          callOff();
          resolve({ status, headers: {}, body: "", clockOffset: undefined });
        });
      });
    await new Promise<void>((resolve) => clock.after(random() * within, resolve));
    const signedInAt = await policy.signIn(attempt, { clock, random }).then(
      () => clock.now(),
      (error: unknown) => {
        if (!AuthError.isAuthError(error)) throw error;
        return undefined;
      },
    );
    return { signedInAt, requests };
  };

  const runs = Promise.all(Array.from({ length: jobs }, signIn));
  await clock.runOut();
  return runs;
}
