import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { sleep } from "../../shared/clock.ts";
import { makeEventClock } from "./event-clock.ts";
import { figuresOf, median, worstOf, type Figures } from "./figures.ts";
import { HERDS, type HerdName } from "./herds.ts";
import { ACTION, POLICIES, throughRetries } from "./policies.ts";
import { buildPrograms, runProcesses, type Programs } from "./processes.ts";
import { simulate, type JobRun } from "./simulate.ts";
import { makeSlots, SLOTS, type Surplus } from "./slots.ts";

// The measure itself

/** When each of `count` requests that come at once is answered, and how. Some leave at once. */
async function answersOf(surplus: Surplus, count: number, leaving = 0): Promise<readonly string[]> {
  const clock = makeEventClock();
  const slots = makeSlots(clock, surplus);
  const answers: string[] = [];
  for (let n = 0; n < count; n++) {
    const leave = slots.take((status) => answers.push(`${status} at ${clock.now()}`));
    if (n >= SLOTS && n < SLOTS + leaving) leave();
  }
  await clock.runOut();
  assert.equal(slots.taken(), count);
  return answers;
}
const times = (count: number, answer: string): readonly string[] => Array<string>(count).fill(answer);

test("beyond its slots a server lets requests hang, refuses them, or answers them later", async () => {
  assert.deepEqual(await answersOf("hang", 25), times(10, "200 at 300"));
  assert.deepEqual(await answersOf("429", 25), [...times(15, "429 at 0"), ...times(10, "200 at 300")]);
  const queue = [...times(10, "200 at 300"), ...times(10, "200 at 600")];
  assert.deepEqual(await answersOf("queue", 25), [...queue, ...times(5, "200 at 900")]);
});

test("a queue drops those who left, or works on for them", async () => {
  assert.deepEqual(await answersOf("queue", 25, 10), [...times(10, "200 at 300"), ...times(5, "200 at 600")]);
  assert.deepEqual(await answersOf("queue, nobody dropped", 25, 10), [
    ...times(10, "200 at 300"),
    ...times(5, "200 at 900"),
  ]);
});

test("on the clock of events everybody wakes in turn, at the time asked for, unless called off", async () => {
  const clock = makeEventClock();
  const woken: string[] = [];
  const { signal } = new AbortController();
  for (const delay of [30, 10, 20, 10, 0])
    void sleep(clock, delay, signal).then(() => woken.push(`${delay} at ${clock.now()}`));
  clock.after(15, () => woken.push("called off"))();
  await clock.runOut();
  assert.deepEqual(woken, ["0 at 0", "10 at 10", "10 at 10", "20 at 20", "30 at 30"]);
});

test("figures are those of the worst run, and the middle one of the last jobs in", () => {
  const run = (...ends: readonly (number | undefined)[]): readonly JobRun[] =>
    ends.map((signedInAt, n) => ({ signedInAt, requests: n + 1 }));
  const runs = [run(100, 200), run(300, undefined), run(100, 900)];
  assert.deepEqual(figuresOf(runs), {
    share: 0.5,
    last: { median: 300, worst: 900 },
    requests: { mean: 1.5, most: 2 },
  });
  assert.equal(worstOf(runs), runs[1]);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

// The action's policy: seeds that the benchmark does not use, and few of them

const played = async (name: HerdName, surplus: Surplus, seeds: number, policy = ACTION): Promise<Figures> => {
  const runs: (readonly JobRun[])[] = [];
  for (let seed = 101; seed < 101 + seeds; seed++) runs.push(await simulate(HERDS[name], surplus, policy, seed));
  return figuresOf(runs);
};

test("the same seed plays the same", async () => {
  const herd = HERDS["50 jobs in 1 s"];
  assert.deepEqual(await simulate(herd, "429", ACTION, 1), await simulate(herd, "429", ACTION, 1));
  assert.notDeepEqual(await simulate(herd, "429", ACTION, 1), await simulate(herd, "429", ACTION, 2));
});

/** How soon the last job shall be in, in seconds, in the middle run. */
const GOALS: readonly (readonly [herd: HerdName, seeds: number, last: number])[] = [
  ["20 jobs in 1 s", 5, 10],
  ["50 jobs in 1 s", 5, 10],
  ["200 jobs in 5 s", 5, 25],
  ["1,000 jobs in 5 s", 3, 60],
];
for (const surplus of ["hang", "429"] as const)
  for (const [herd, seeds, last] of GOALS)
    test(`of ${herd} all get in by ${last} s, with at most 4 requests each, where the surplus gets: ${surplus}`, async () => {
      const seen = await played(herd, surplus, seeds);
      assert.equal(seen.share, 1);
      assert.ok(seen.last.median <= last * 1000 && seen.last.worst <= 180_000, JSON.stringify(seen));
      assert.ok(seen.requests.mean <= 4, JSON.stringify(seen));
    });

test("ten jobs are as fast as with the plain policy, with a request each", async () => {
  for (const surplus of ["hang", "429"] as const) {
    const [plain] = POLICIES;
    assert.ok(plain && !plain.ours);
    const seen = await played("10 jobs in 5 s", surplus, 20);
    assert.deepEqual(seen, await played("10 jobs in 5 s", surplus, 20, plain));
    assert.deepEqual(seen.requests, { mean: 1, most: 1 });
  }
});

test("where requests are answered late all get in, even if the server works on for those who left", async () => {
  assert.equal((await played("1,000 jobs in 5 s", "queue", 1)).share, 1);
  assert.equal((await played("200 jobs in 5 s", "queue, nobody dropped", 2)).share, 1);
  const crowd = await played("1,000 jobs in 5 s", "queue, nobody dropped", 1);
  assert.ok(crowd.share > 0.99, JSON.stringify(crowd));
});

test("the measure tells policies apart: those of others lose jobs or are slow", async () => {
  const library = throughRetries("library", { maxRetries: 3, backoff: 0.3, spreadOverload: false }, 180);
  assert.ok((await played("1,000 jobs in 5 s", "429", 1, library)).share < 0.5);
  for (const policy of POLICIES.slice(0, 2))
    assert.ok((await played("1,000 jobs in 5 s", "hang", 1, policy)).share < 0.8, policy.name);
  for (const policy of POLICIES.slice(2, -1))
    assert.ok((await played("50 jobs in 1 s", "hang", 3, policy)).last.median > 25_000, policy.name);
});

describe("real processes", () => {
  let programs: Programs;
  before(async () => {
    programs = await buildPrograms();
  });
  after(() => programs.remove());

  for (const policy of [ACTION, POLICIES[0] ?? ACTION])
    test(`a few jobs are all signed in, and their requests counted: ${policy.name}`, { timeout: 120_000 }, async () => {
      const runs = await runProcesses({ jobs: 5, within: 500 }, "429", policy, programs);
      assert.ok(runs.every(({ signedInAt }) => signedInAt !== undefined && signedInAt > 100));
      assert.ok(runs.every(({ requests }) => requests >= 1 && requests <= 10));
    });
});
