import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { after, test } from "node:test";

import { TokenSource, type SourceOptions } from "../../../shared/client/token-source.ts";
import { sleep, type Milliseconds, type Seconds } from "../../../shared/clock.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import { makeFakeClock, type FakeClock } from "../../support/fake-clock.ts";
import * as fc from "../../support/fuzzing.ts";

interface Token {
  readonly lifetime: Milliseconds | undefined;
  readonly mintedAt: Milliseconds;
}

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
process.on("unhandledRejection", note);
after(() => process.off("unhandledRejection", note));

const never = new AbortController().signal;
const pass = (clock: FakeClock, time: Milliseconds): Promise<void> => clock.runUntil(sleep(clock, time, never));

const lost = () => new AuthError("it broke.", { kind: "network", code: "connection_failed" });
const refused = () =>
  new AuthError("no such client.", { kind: "rejected", code: "invalid_client", oauthError: "invalid_client" });

/** What comes of one mint, after how long. */
interface Mint {
  readonly takes: Milliseconds;
  readonly gives: "token" | "lost" | "refused" | "odd";
  readonly lifetime: Milliseconds | undefined;
}

const lifetimes = fc.oneof(fc.constantFrom(undefined, 0, 1, 30_000, 299_999, 900_000, 86_400_000), fc.nat(2_000_000));
const anyMint: fc.Arbitrary<Mint> = fc.record({
  takes: fc.oneof(fc.constant(0), fc.nat(90_000)),
  gives: fc.constantFrom("token", "token", "token", "lost", "refused", "odd"),
  lifetime: lifetimes,
});

type Step =
  | { readonly do: "ask"; readonly minTtl?: Seconds | undefined; readonly leaveAfter?: Milliseconds | undefined }
  | { readonly do: "refresh" }
  | { readonly do: "pass"; readonly time: Milliseconds }
  | { readonly do: "step the wall clock"; readonly by: Milliseconds };
const option = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("ask"),
      minTtl: option(fc.constantFrom(0, 10, 600, 1e6)),
      leaveAfter: option(fc.oneof(fc.constant(-1), fc.nat(60_000))),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("refresh") }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("pass"),
      time: fc.oneof(fc.nat(20_000), fc.nat(400_000), fc.nat(100_000_000)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("step the wall clock"), by: fc.integer({ min: -1e8, max: 1e8 }) }),
  },
);

interface Flight {
  readonly behind: boolean;
  outcome?: Token | Error;
  endedAt?: Milliseconds;
}

/** What the source must do, in the words of the design: one flight, two windows, no background tries once refused. */
class Model {
  held: Token | undefined;
  flight: Flight | undefined;
  quietUntil = -Infinity;
  begun = 0;

  /** The flight that a caller waits for; undefined when one is served at once. */
  asked(now: Milliseconds, minTtl: Seconds): Flight | undefined {
    const { held } = this;
    const life = held?.lifetime ?? 0;
    const left = held === undefined ? -Infinity : held.mintedAt + life - now;
    if (left <= Math.min(30_000, life / 10) || left < minTtl * 1000) return this.join(false);
    if (left <= Math.min(300_000, life / 3) && now >= this.quietUntil && !this.flight) this.join(true);
    return undefined;
  }

  join(behind: boolean): Flight {
    if (!this.flight) this.begun++;
    return (this.flight ??= { behind });
  }

  landed(now: Milliseconds, outcome: Token | Error): void {
    const flight = this.flight;
    assert.ok(flight, "a mint that nobody asked for");
    Object.assign(flight, { outcome, endedAt: now });
    this.flight = undefined;
    if (!(outcome instanceof Error)) [this.held, this.quietUntil] = [outcome, -Infinity];
    else if (flight.behind) {
      const passes = AuthError.isAuthError(outcome) ? outcome.retryable : true;
      this.quietUntil = passes ? now + 10_000 : Infinity;
    }
  }
}

async function play(steps: readonly Step[], mints: readonly Mint[]): Promise<void> {
  const fake = makeFakeClock();
  let ahead = 0;
  const clock = { ...fake, wall: () => fake.wall() + ahead };
  const model = new Model();
  const heard: unknown[] = [];
  let underWay = 0;
  let begun = 0;

  const mint = async (): Promise<Token> => {
    const { takes, gives, lifetime } = mints[begun++ % mints.length] ?? assert.fail();
    assert.equal(++underWay, 1, "two flights at once");
    if (takes > 0) await sleep(fake, takes, never);
    underWay--;
    const outcome = {
      token: () => ({ lifetime, mintedAt: fake.now() }),
      lost,
      refused,
      odd: () => new TypeError("our own fault"),
    }[gives]();
    model.landed(fake.now(), outcome);
    if (outcome instanceof Error) throw outcome;
    return outcome;
  };
  const source = new TokenSource(mint, { buffer: 300, clock, random: () => 0, onRefreshFailed: (e) => heard.push(e) });

  const calls: Promise<void>[] = [];
  /** One caller, who must get what the flight joined gives, or the newest token at once. */
  const follow = (
    work: () => Promise<Token>,
    expect: () => { readonly flight: Flight | undefined; readonly leavesAt?: Milliseconds | undefined },
    minTtl = 0,
  ): void => {
    const before = model.held;
    // The model first: the call itself may already have landed a flight.
    const { flight, leavesAt = Infinity } = expect();
    const calledAt = fake.now();
    const check = (outcome: unknown): void => {
      const now = fake.now();
      const aborted = AuthError.isAuthError(outcome) && outcome.code === "aborted";
      if (aborted) {
        assert.equal(now, Math.max(calledAt, leavesAt), "left at another time than it wished");
        assert.ok(flight !== undefined || leavesAt < calledAt, "left though it was served at once");
        return;
      }
      assert.ok(leavesAt >= now, "got an answer though it had left");
      if (flight !== undefined) {
        assert.equal(now, flight.endedAt, "the answer did not come when the flight ended");
        assert.equal(outcome, flight.outcome, "who waits gets what their own flight gives");
        return;
      }
      assert.equal(now, calledAt, "had to wait for a token that lives");
      assert.equal(outcome, before);
      const { mintedAt, lifetime = 0 } = before ?? assert.fail("there was no token");
      assert.ok(now + minTtl * 1000 <= mintedAt + lifetime && now < mintedAt + lifetime, "a token that has ended");
    };
    calls.push(work().then(check, check));
  };

  for (const step of steps) {
    const now = fake.now();
    if (step.do === "pass") await pass(fake, step.time);
    else if (step.do === "step the wall clock") ahead += step.by;
    else if (step.do === "refresh")
      follow(
        () => source.refresh(),
        () => ({ flight: model.join(false) }),
      );
    else {
      const { minTtl, leaveAfter } = step;
      const abort = new AbortController();
      if (leaveAfter === -1) abort.abort();
      else if (leaveAfter !== undefined) {
        fake.after(leaveAfter, () => {
          abort.abort();
        });
      }
      const signal = leaveAfter === undefined ? undefined : abort.signal;
      follow(
        () => source.token({ minTtl, signal }),
        () =>
          leaveAfter === -1
            ? { flight: undefined, leavesAt: -1 }
            : {
                flight: model.asked(now, minTtl ?? 0),
                leavesAt: leaveAfter === undefined ? undefined : now + leaveAfter,
              },
        minTtl,
      );
    }
    // Whatever can settle without time passing does so.
    await pass(fake, 0);
    assert.equal(begun, model.begun, "more or fewer mints than there should be");
    assert.equal(source.current, model.held);
    const life = model.held?.lifetime ?? 0;
    const left = model.held === undefined ? 0 : model.held.mintedAt + life - fake.now();
    assert.deepEqual([source.isExpired, source.expiresSoon], [left <= 0, left <= Math.min(300_000, life / 3)]);
  }
  // Throws when one of them never settles.
  await fake.runUntil(Promise.all(calls));
  assert.ok(begun <= steps.filter((step) => step.do === "ask" || step.do === "refresh").length);
  assert.deepEqual(unhandled, []);
}

test("whatever callers, failures and clocks do: one flight, no dead token, an answer for each, no try too many", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 25 }), fc.array(anyMint, { minLength: 1, maxLength: 8 }), play),
    { numRuns: 150 },
  );
});

interface Scene {
  readonly clock: FakeClock;
  readonly source: TokenSource<Token>;
  readonly mints: () => number;
  /** Failures of renewals behind the callers' backs. */
  readonly heard: readonly unknown[];
}

/** A source whose mints take `takes` and give what `gives` makes of their number. */
function scene(
  lifetime: Milliseconds | undefined,
  {
    takes = 0,
    fails = () => undefined,
    ...options
  }: Partial<SourceOptions> & {
    readonly takes?: Milliseconds;
    readonly fails?: (n: number) => Error | undefined;
  } = {},
): Scene {
  const clock = makeFakeClock();
  const heard: unknown[] = [];
  let mints = 0;
  const mint = async (): Promise<Token> => {
    const failure = fails(mints++);
    if (takes > 0) await sleep(clock, takes, never);
    if (failure) throw failure;
    return { lifetime, mintedAt: clock.now() };
  };
  const onRefreshFailed = (error: unknown): void => void heard.push(error);
  const source = new TokenSource(mint, { buffer: 300, clock, random: () => 0, onRefreshFailed, ...options });
  return { clock, source, mints: () => mints, heard };
}

/** Where the windows of a token begin, in milliseconds before its end. */
const windows: readonly (readonly [lifetime: Milliseconds, soon: Milliseconds, last: Milliseconds])[] = [
  [86_400_000, 300_000, 30_000],
  [900_000, 300_000, 30_000],
  [300_000, 100_000, 30_000],
  [90_000, 30_000, 9000],
  [3000, 1000, 300],
];
for (const [lifetime, soon, last] of windows) {
  test(`a token that lives ${lifetime} ms is renewed behind from ${soon} ms before its end, waited for from ${last}`, async () => {
    const { clock, source, mints } = scene(lifetime, { takes: 1 });
    const first = await clock.runUntil(source.token());
    await pass(clock, lifetime - soon - 1);
    assert.equal(await source.token(), first);
    assert.deepEqual([source.expiresSoon, source.isExpired, mints()], [false, false, 1]);
    await pass(clock, 1);
    assert.equal(source.expiresSoon, true);
    assert.equal(await source.token(), first, "inside the buffer the current one is served");
    assert.equal(mints(), 2);

    const idle = scene(lifetime, { takes: 1 });
    const only = await idle.clock.runUntil(idle.source.token());
    await pass(idle.clock, lifetime - last);
    assert.equal(idle.source.isExpired, false);
    assert.notEqual(await idle.clock.runUntil(idle.source.token()), only, "near the end callers wait");
    assert.equal(idle.mints(), 2);
  });
}

test("one millisecond before its last moments a token is still served", async () => {
  const { clock, source } = scene(900_000, { takes: 1 });
  const first = await clock.runUntil(source.token());
  await pass(clock, 869_999);
  assert.equal(await source.token(), first);
});

test("a token has ended at its end, not before", async () => {
  const { clock, source } = scene(900_000);
  assert.deepEqual([source.isExpired, source.expiresSoon, source.current], [true, true, undefined]);
  await clock.runUntil(source.token());
  await pass(clock, 899_999);
  assert.equal(source.isExpired, false);
  await pass(clock, 1);
  assert.equal(source.isExpired, true);
});

test("the buffer is drawn once for each token, up to a tenth wider, so expiresSoon never flaps", async () => {
  const draws = [0.999, 0];
  const { clock, source } = scene(9_000_000, { random: () => draws.shift() ?? assert.fail("drawn more than once") });
  await clock.runUntil(source.token());
  await pass(clock, 9_000_000 - 329_971);
  assert.equal(source.expiresSoon, false);
  await pass(clock, 2);
  assert.deepEqual([source.expiresSoon, source.expiresSoon, draws.length], [true, true, 1]);
});

test("a token of unknown life is given to those who waited, and to nobody after", async () => {
  const { clock, source, mints } = scene(undefined, { takes: 5 });
  const both = await clock.runUntil(Promise.all([source.token(), source.token()]));
  assert.equal(both[0], both[1]);
  assert.notEqual(await clock.runUntil(source.token()), both[0]);
  assert.equal(mints(), 2);
});

test("minTtl is met to the millisecond, and a token just minted is given even where it can't be", async () => {
  const { clock, source, mints } = scene(900_000);
  await clock.runUntil(source.token({ minTtl: 901 }));
  await source.token({ minTtl: 900 });
  assert.equal(mints(), 1);
  await pass(clock, 1);
  await source.token({ minTtl: 900 });
  assert.equal(mints(), 2);
});

test("a renewal that failed behind is told, is tried again after ten seconds and never hurts the caller", async () => {
  const { clock, source, mints, heard } = scene(900_000, { fails: (n) => (n === 1 ? lost() : undefined) });
  const first = await clock.runUntil(source.token());
  await pass(clock, 700_000);
  for (const [wait, begun] of [
    [0, 2],
    [9999, 2],
    [1, 3],
  ] as const) {
    await pass(clock, wait);
    assert.equal(await source.token(), first);
    assert.equal(mints(), begun);
    await pass(clock, 0);
  }
  assert.equal(heard.length, 1);
  assert.notEqual(await source.token(), first);
});

test("a renewal that failed behind is not tried again before the server wants it", async () => {
  const busy = new AuthError("busy.", { kind: "rate_limited", code: "rate_limited", retryAfterMs: 45_000 });
  const { clock, source, mints } = scene(900_000, { fails: (n) => (n === 1 ? busy : undefined) });
  await clock.runUntil(source.token());
  await pass(clock, 700_000);
  for (const [wait, begun] of [
    [0, 2],
    [44_999, 2],
    [1, 3],
  ] as const) {
    await pass(clock, wait);
    await source.token();
    assert.equal(mints(), begun);
    await pass(clock, 0);
  }
});

test("a renewal that failed behind is told once, however many called meanwhile, and whatever it failed by", async () => {
  for (const failure of [lost(), new TypeError("odd")]) {
    const { clock, source, mints, heard } = scene(900_000, { takes: 5, fails: (n) => (n === 1 ? failure : undefined) });
    await clock.runUntil(source.token());
    await pass(clock, 700_000);
    for (let call = 0; call < 3; call++) await source.token();
    await pass(clock, 5);
    assert.deepEqual([mints(), heard], [2, [failure]]);
    // Ten seconds on it is tried again.
    await pass(clock, 9999);
    await source.token();
    assert.equal(mints(), 2);
    await pass(clock, 1);
    await source.token();
    assert.equal(mints(), 3);
  }
  assert.deepEqual(unhandled, []);
});

test("a refusal behind the callers' backs ends the tries there, until a sign-in succeeds again", async () => {
  const { clock, source, mints } = scene(900_000, { fails: (n) => (n === 1 ? refused() : undefined) });
  const first = await clock.runUntil(source.token());
  await pass(clock, 600_000);
  for (let call = 0; call < 5; call++) {
    assert.equal(await source.token(), first);
    await pass(clock, 30_000);
  }
  assert.equal(mints(), 2);
  await clock.runUntil(source.refresh());
  await pass(clock, 600_000);
  await source.token();
  assert.equal(mints(), 4, "the next token is renewed behind again");
});

test("a failed flight fails all who waited with one error, and who comes after begins anew", async () => {
  const { clock, source, mints, heard } = scene(900_000, { takes: 9, fails: (n) => (n === 0 ? refused() : undefined) });
  const [one, two] = await clock.runUntil(Promise.allSettled([source.token(), source.refresh()]));
  assert.ok(one.status === "rejected" && two.status === "rejected");
  assert.equal(one.reason, two.reason);
  assert.deepEqual([mints(), heard], [1, []]);
  await clock.runUntil(source.token());
  assert.equal(mints(), 2);
});

test("who leaves hears so at once, and who stays gets the token of the same flight", async () => {
  const { clock, source, mints } = scene(900_000, { takes: 1000 });
  const abort = new AbortController();
  const leaving = source.token({ signal: abort.signal });
  const staying = source.token({ signal: new AbortController().signal });
  abort.abort();
  await assert.rejects(leaving, { code: "aborted", kind: "aborted" });
  assert.equal(clock.now(), 0);
  assert.equal((await clock.runUntil(staying)).mintedAt, 1000);
  assert.equal(mints(), 1);
  const { signal } = new AbortController();
  await clock.runUntil(source.refresh(signal));
  assert.equal(getEventListeners(signal, "abort").length, 0, "nothing is left on the caller's signal");
});

test("who had left before asking causes no request", async () => {
  const { source, mints } = scene(900_000);
  await assert.rejects(source.token({ signal: AbortSignal.abort() }), { code: "aborted" });
  await assert.rejects(source.refresh(AbortSignal.abort()), { code: "aborted" });
  assert.equal(mints(), 0);
});

test("a source that throws before its first await poisons nobody after", async () => {
  let mints = 0;
  const mint = (): Promise<Token> => {
    if (mints++ === 0) throw lost();
    return Promise.resolve({ lifetime: 900_000, mintedAt: 0 });
  };
  const source = new TokenSource(mint, {
    buffer: 300,
    clock: makeFakeClock(),
    random: () => 0,
    onRefreshFailed: () => undefined,
  });
  await assert.rejects(source.token());
  await source.token();
  assert.equal(mints, 2);
});
