import assert from "node:assert/strict";
import { after, test } from "node:test";

import { sleep, type Clock, type Milliseconds } from "../../../shared/clock.ts";
import { Renewals } from "../../../shared/handoff/keep-fresh.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import { makeSimulatedServer, type SimulatedToken, type Weather } from "../../support/auth-weather.ts";
import { makeFakeClock } from "../../support/fake-clock.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
process.on("unhandledRejection", note);
after(() => {
  process.off("unhandledRejection", note);
  assert.deepEqual(unhandled, [], "no rejection was left unhandled");
});

const never = new AbortController().signal;
const DAY = 86_400_000;
const MINUTES = 60_000;

interface Stage {
  readonly life: Milliseconds;
  readonly seed?: number;
  /** What the first token has left. Default: all. */
  readonly left?: Milliseconds;
  readonly latency?: (random: () => number) => Milliseconds;
}

/** One token kept fresh over a clock that the test moves, by a server whose weather the test makes. */
function makeStage({ life, seed = 1, left = life, latency = (random) => 50 + random() * 400 }: Stage) {
  const fake = makeFakeClock();
  const set = { ahead: 0 };
  const clock: Clock = { ...fake, wall: () => fake.wall() + set.ahead };
  const random = seededRandom(seed);
  const server = makeSimulatedServer(clock, life, () => latency(random));
  /** Ends of the tokens that others find, as they truly are: with all sleep. */
  const file = { token: { lifetime: left, life } as SimulatedToken, since: 0, writes: 0 };
  const disk = { works: true };
  const asleep = { for: 0 };
  const age = (): Milliseconds => fake.now() + asleep.for - file.since;
  const renewals = new Renewals<SimulatedToken>(file.token, {
    mint: server.mint,
    onRenewed: (token) => {
      if (!disk.works) throw new Error("ENOSPC");
      Object.assign(file, { token, since: fake.now() + asleep.for, writes: file.writes + 1 });
    },
    clock,
    random,
  });
  return {
    server,
    renewals,
    disk,
    file,
    random,
    clock: fake,
    pass: (time: Milliseconds) => fake.runUntil(sleep(fake, time, never)),
    /** The machine is suspended: its monotonic clock and all timers stand still. */
    suspend: (time: Milliseconds) => {
      set.ahead += time;
      asleep.for += time;
    },
    setWall: (by: Milliseconds) => (set.ahead += by),
    /** What the token that others find has left, in truth. */
    leftInFile: () => file.token.lifetime - age(),
  };
}
type Staged = ReturnType<typeof makeStage>;

/** Looks each second for `time`; the seconds at which the file held a dead token. */
async function look({ pass, leftInFile }: Staged, time: Milliseconds, each = (): void => undefined): Promise<number> {
  let gaps = 0;
  for (let second = 0; second * 1000 < time; second++) {
    await pass(1000);
    if (leftInFile() <= 0) gaps++;
    each();
  }
  return gaps;
}

for (const life of [900_000, 20_000]) {
  const name = `${life / 1000} s`;
  test(`in quiet times tokens of ${name} leave no gap and take about two requests in a token's life`, async () => {
    const stage = makeStage({ life });
    const time = life * 50;
    assert.equal(await look(stage, time), 0);
    const requests = stage.server.requests.length;
    // Uniform between a third and two thirds, so half a life on average.
    assert.ok(requests >= 93 && requests <= 107, `${requests} requests in 50 lives`);
    assert.deepEqual(stage.renewals.counts, { renewals: requests, outages: 0 });
    assert.equal(stage.file.writes, requests);
  });

  test(`a day of storms and silences, each shorter than the rest of a token of ${name}, leaves no gap`, async () => {
    const stage = makeStage({ life, seed: 7 });
    const { server, renewals, random } = stage;
    const outages = { count: 0, until: 0 };
    const gaps = await look(stage, life > 60_000 ? DAY : DAY / 24, () => {
      const now = stage.clock.now();
      assert.ok(renewals.current.left() > 0, "who asks for the token gets one that lives, too");
      if (server.weather !== "fair") {
        if (now >= outages.until) server.weather = "fair";
        return;
      }
      if (random() > 3000 / life) return;
      const weather = random() < 0.5 ? "storm" : "silence";
      // A request that is not answered is given up after half of what is left then, and a repeat takes its time.
      const longest = renewals.current.left() - (weather === "silence" ? 5000 : 2000);
      if (longest <= 0) return;
      server.weather = weather;
      outages.until = now + random() * longest;
      outages.count++;
    });
    assert.equal(gaps, 0);
    assert.ok(outages.count > 60, `${outages.count} outages`);
    const { counts } = renewals;
    assert.ok(counts.outages > outages.count / 10 && counts.outages <= outages.count, JSON.stringify(counts));
    assert.equal(server.underWay.most, 1, "never two requests at once");
    renewals.stop();
  });
}

test("an outage longer than the token's rest leaves a gap that ends within half a minute of it", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const stage = makeStage({ life: 900_000, seed });
    stage.server.weather = "storm";
    await stage.pass(60 * MINUTES);
    const before = stage.server.requests.length;
    assert.ok(stage.leftInFile() < 0);
    stage.server.weather = "fair";
    await stage.pass(31_000);
    assert.ok(stage.leftInFile() > 0, `seed ${seed}`);
    assert.deepEqual(stage.renewals.counts, { renewals: 1, outages: 1 });
    // At most some 90 tries in the rest of the life, then one in 15 s on average.
    assert.ok(before > 150 && before < 350, `${before} requests in an hour of storm`);
    stage.renewals.stop();
  }
});

test("after a refusal nothing is asked any more, the last token is served on, and the reason is known", async () => {
  const stage = makeStage({ life: 900_000 });
  stage.server.weather = "refusal";
  await stage.pass(DAY / 2);
  assert.equal(stage.server.requests.length, 1);
  assert.equal(stage.renewals.refusal?.code, "invalid_client");
  assert.ok(stage.renewals.current.left() < 0);
  assert.deepEqual(stage.renewals.counts, { renewals: 0, outages: 0 });
  await assert.rejects(stage.renewals.renew(), { code: "invalid_client" });
  await stage.pass(MINUTES);
  assert.equal(stage.server.requests.length, 1, "asking for a renewal changes nothing");
  assert.equal(stage.clock.sleepers(), 0);
});

test("only a refusal of the client ends the renewals; what may pass is tried again", async () => {
  const refusal = (details: Partial<AuthError>): AuthError =>
    new AuthError("no.", { kind: "rejected", code: "http_rejected", ...details } as never);
  const cases: readonly (readonly [unknown, boolean])[] = [
    [refusal({ oauthError: "invalid_client", status: 401 }), true],
    [refusal({ oauthError: "invalid_scope", status: 400 }), true],
    [refusal({ status: 401 }), true],
    [refusal({ status: 403 }), true],
    [new AuthError("bad variable.", { kind: "config", code: "proxy_invalid" }), true],
    [refusal({ status: 404 }), false],
    [refusal({ code: "redirected", status: 302 }), false],
    [new AuthError("a page.", { kind: "protocol", code: "html_page" }), false],
    [new AuthError("unknown.", { kind: "network", code: "unknown_host" }), false],
    [new AuthError("whose?", { kind: "network", code: "untrusted_certificate" }), false],
    [new AuthError("which?", { kind: "verification", code: "unknown_key" }), false],
    [new TypeError("a fault of our own"), false],
    [undefined, false],
  ];
  for (const [thrown, ends] of cases) {
    const clock = makeFakeClock();
    let tries = 0;
    const renewals = new Renewals<SimulatedToken>(
      { lifetime: 60_000, life: 60_000 },
      {
        mint: () => {
          tries++;
          throw thrown;
        },
        onRenewed: () => undefined,
        clock,
        random: () => 0.5,
      },
    );
    await clock.runUntil(sleep(clock, 600_000, never));
    const what = AuthError.isAuthError(thrown) ? thrown.message : String(thrown);
    assert.equal(renewals.refusal !== undefined, ends, what);
    assert.equal(tries === 1, ends, `${what}: ${tries} tries`);
    renewals.stop();
  }
});

test("who asks for a renewal joins the one under way, and a thousand who ask make one request", async () => {
  const stage = makeStage({ life: 900_000, latency: () => 2000 });
  const asked = Array.from({ length: 1000 }, () => stage.renewals.renew());
  const held = await stage.clock.runUntil(Promise.all(asked));
  assert.equal(stage.server.requests.length, 1);
  assert.equal(new Set(held).size, 1);
  assert.equal(held[0], stage.renewals.current);
  assert.ok(stage.clock.now() < 2500, "at once");
});

test("who asks during an outage waits for its end, and however many ask, there is one try a second at most", async () => {
  const stage = makeStage({ life: 900_000, left: 0, latency: () => 10 });
  stage.server.weather = "storm";
  const waiting = stage.renewals.renew();
  let settled = false;
  void waiting.then(() => (settled = true));
  for (let n = 0; n < 100; n++) {
    for (let many = 0; many < 10; many++) void stage.renewals.renew();
    await stage.pass(100);
  }
  assert.equal(settled, false);
  const { requests } = stage.server;
  assert.ok(requests.length >= 8 && requests.length <= 11, `${requests.length} tries in 10 s`);
  stage.server.weather = "fair";
  const held = await stage.clock.runUntil(waiting);
  assert.equal(held.life, 900_000);
});

/** Starts of the tries of a storm in which the server asks for a wait each time. */
async function triesInStorm(stage: Staged, retryAfterMs: Milliseconds, time: Milliseconds) {
  const { server, clock, pass } = stage;
  Object.assign(server, { weather: "storm", retryAfterMs } satisfies Partial<Staged["server"]>);
  const start = clock.monotonic();
  await pass(time);
  stage.renewals.stop();
  return server.requests.map((at) => at - start);
}

test("no try comes earlier than the server asks, whoever asks for one, and it comes soon after", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    for (const left of [900_000, 0]) {
      const stage = makeStage({ life: 900_000, left, seed, latency: () => 10 });
      void stage.renewals.renew().catch(() => undefined);
      const nagging = stage.clock.after(5000, () => void stage.renewals.renew().catch(() => undefined));
      const tries = await triesInStorm(stage, 60_000, 200_000);
      nagging();
      const gaps = tries.slice(1).map((at, n) => at - (tries[n] ?? 0));
      assert.ok(tries.length >= 3, `${tries.length} tries`);
      assert.ok(
        gaps.every((gap) => gap >= 60_000 && gap <= 90_020),
        `seed ${seed}: ${gaps.join(" ")}`,
      );
    }
  }
});

test("a server that asks for more than the token has left is tried before its end, and every few minutes after", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    for (const asked of [3_600_000, Number.MAX_SAFE_INTEGER]) {
      const stage = makeStage({ life: 900_000, left: 600_000, seed });
      const tries = await triesInStorm(stage, asked, 3_600_000);
      const before = tries.filter((at) => at < 600_000);
      const after = tries.filter((at) => at > 660_000);
      const all = `seed ${seed}: ${tries.map(Math.round).join(" ")}`;
      assert.ok(before.length >= 3 && before.length <= 8, all);
      assert.ok(after.length >= 8 && after.length <= 11, all);
    }
  }
});

test("200 who share one token don't renew in the same second, however old it is", async () => {
  for (const left of [310_000, 60_000]) {
    const clock = makeFakeClock();
    const server = makeSimulatedServer(clock, 900_000, () => 100);
    const all = Array.from(
      { length: 200 },
      (_, n) =>
        new Renewals<SimulatedToken>(
          { lifetime: left, life: 900_000 },
          { mint: server.mint, onRenewed: () => undefined, clock, random: seededRandom(n + 1) },
        ),
    );
    await clock.runUntil(sleep(clock, left / 5, never));
    for (const renewals of all) renewals.stop();
    assert.ok(
      all.every(({ counts }) => counts.renewals === 1),
      "all have renewed",
    );
    const seconds = server.requests.map((at) => Math.floor((at - clock.monotonic()) / 1000));
    const most = Math.max(...seconds.map((one) => seconds.filter((other) => other === one).length));
    // Spread evenly over an eighth of the rest there would be 5 and 27.
    assert.ok(most <= (left > 100_000 ? 15 : 45), `${most} in one second`);
  }
});

test("a machine that slept for an hour renews within a second of waking, and serves no dead token meanwhile", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const stage = makeStage({ life: 900_000, seed });
    await stage.pass(10_000 + 20_000 * seed);
    const before = stage.server.requests.length;
    stage.suspend(3_600_000);
    assert.ok(stage.renewals.current.left() < 0, "the sleep counts at once");
    await stage.pass(2000);
    assert.equal(stage.server.requests.length, before + 1);
    assert.ok(stage.leftInFile() > 890_000);
    stage.renewals.stop();
  }
});

test("what was under way when the machine fell asleep is begun anew", async () => {
  const stage = makeStage({ life: 900_000, latency: () => 100 });
  stage.server.weather = "silence";
  void stage.renewals.renew();
  await stage.pass(1500);
  assert.deepEqual([stage.server.requests.length, stage.server.underWay.now], [1, 1]);
  stage.suspend(3_600_000);
  stage.server.weather = "fair";
  await stage.pass(1500);
  assert.equal(stage.server.requests.length, 2);
  assert.equal(stage.server.underWay.now, 0);
  assert.ok(stage.leftInFile() > 890_000);
  assert.deepEqual(stage.renewals.counts, { renewals: 1, outages: 0 }, "a sleep is no outage");
});

test("a wall clock set back or forth leaves no gap, and costs a request at most when set forward", async () => {
  const stage = makeStage({ life: 900_000, seed: 5 });
  let jumps = 0;
  const gaps = await look(stage, DAY / 4, () => {
    if (stage.random() > 1 / 400) return;
    jumps++;
    stage.setWall(jumps % 2 === 0 ? 7_200_000 : -7_200_000);
  });
  assert.equal(gaps, 0);
  const requests = stage.server.requests.length;
  assert.ok(jumps > 30, `${jumps} jumps`);
  assert.ok(requests > 40 && requests <= 54 + jumps / 2, `${requests} requests with ${jumps} jumps`);
});

test("a wall clock set back alone changes no request", async () => {
  const [still, moved] = [makeStage({ life: 900_000, seed: 9 }), makeStage({ life: 900_000, seed: 9 })];
  await still.pass(DAY / 4);
  for (let hour = 0; hour < 6; hour++) {
    await moved.pass(DAY / 24);
    moved.setWall(-3_600_000);
  }
  assert.deepEqual(moved.server.requests.length, still.server.requests.length);
});

test("a disk that is full for a while delays the file, not the token, and leaves no gap in either", async () => {
  for (const life of [900_000, 20_000]) {
    const stage = makeStage({ life, seed: 3 });
    let until = 0;
    let refused = 0;
    const gaps = await look(stage, life > 60_000 ? DAY / 4 : DAY / 96, () => {
      const now = stage.clock.now();
      if (!stage.disk.works && now >= until) stage.disk.works = true;
      else if (stage.disk.works && stage.random() < 4000 / life) {
        stage.disk.works = false;
        refused++;
        until = now + stage.random() * Math.max(0, stage.leftInFile() - life / 8 - 1000);
      }
    });
    assert.equal(gaps, 0);
    assert.ok(refused > 20, `${refused} times`);
    assert.equal(stage.renewals.counts.outages, 0);
  }
});

test("a token without a known end counts as ended, and is not asked for without pause", async () => {
  const clock = makeFakeClock();
  let tries = 0;
  const renewals = new Renewals<{ readonly lifetime: undefined }>(
    { lifetime: undefined },
    {
      mint: () => Promise.resolve((tries++, { lifetime: undefined })),
      onRenewed: () => undefined,
      clock,
      random: seededRandom(4),
    },
  );
  assert.ok(renewals.current.left() <= 0);
  await clock.runUntil(sleep(clock, 3_600_000, never));
  assert.ok(tries > 180 && tries < 300, `${tries}`);
  renewals.stop();
});

test("stopped, it leaves no timer, ends the request under way and lets nobody wait", async () => {
  for (const weather of ["fair", "silence", "storm"] satisfies Weather[]) {
    const stage = makeStage({ life: 900_000, latency: () => 500 });
    stage.server.weather = weather;
    const waiting = stage.renewals.renew();
    await stage.pass(weather === "storm" ? 600 : 100);
    stage.renewals.stop();
    await assert.rejects(waiting, { kind: "aborted" });
    await assert.rejects(stage.renewals.renew(), { kind: "aborted" });
    await stage.pass(DAY);
    assert.deepEqual([stage.server.underWay.now, stage.clock.sleepers()], [0, 0], weather);
    assert.equal(stage.server.requests.length, 1);
    assert.equal(stage.file.writes, 0);
  }
});

test("a mint that does not heed its signal holds nothing up, and its late answer is not taken", async () => {
  const clock = makeFakeClock();
  const answers: ((token: SimulatedToken) => void)[] = [];
  const renewals = new Renewals<SimulatedToken>(
    { lifetime: 20_000, life: 20_000 },
    {
      mint: () => new Promise((resolve) => answers.push(resolve)),
      onRenewed: () => undefined,
      clock,
      random: () => 0.5,
    },
  );
  await clock.runUntil(sleep(clock, 19_000, never));
  assert.ok(answers.length >= 2, `${answers.length} tries`);
  answers[0]?.({ lifetime: 1, life: 1 });
  answers.at(-1)?.({ lifetime: 20_000, life: 20_000 });
  await clock.runUntil(sleep(clock, 10, never));
  assert.equal(renewals.counts.renewals, 1);
  assert.ok(renewals.current.left() > 19_000);
  renewals.stop();
});
