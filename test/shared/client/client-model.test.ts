import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";

import type { Milliseconds, Seconds } from "../../../shared/clock.ts";
import { ApiError, AuthError, OAuth2Client } from "../../../shared/index.ts";
import { CLIENT_ID, makeMovedClock, SECRET, signer, TSG_ID, watchRejections } from "../../support/client-stage.ts";
import * as fc from "../../support/fuzzing.ts";
import { startScriptedServer, type ScriptedAnswer, type ScriptedRequest } from "../../support/scripted-server.ts";
import { honestClaims } from "../../support/tokens.ts";

/** The client against real servers, under any schedule. The source alone, step by step: token-source.test.ts. */

watchRejections();

/** One answer of the token endpoint, after so many real milliseconds. */
interface Sign {
  readonly gives: "a token" | "a refusal" | "a fault" | "a cut answer" | "a foreign token";
  readonly ttl: Seconds;
  readonly takes: Milliseconds;
}

const anySign: fc.Arbitrary<Sign> = fc.record({
  gives: fc.constantFrom("a token", "a token", "a token", "a refusal", "a fault", "a cut answer", "a foreign token"),
  ttl: fc.constantFrom(2, 20, 90, 900, 86_400),
  takes: fc.nat(4),
});

/** Milliseconds between the moment a token is chosen and the moment it is judged, on a busy machine. */
const ON_ITS_WAY = 500;

interface Step {
  readonly do: "ask" | "call" | "refresh" | "decode" | "revoke" | "wait" | "pass" | "age" | "step the wall clock";
  /** Of an ask. */
  readonly minTtl?: Seconds | undefined;
  /** Of an ask: the caller leaves after so many real milliseconds. */
  readonly leaveAfter?: Milliseconds | undefined;
  /** Of what moves a clock. */
  readonly time?: Milliseconds;
}

const option = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("ask"),
      minTtl: option(fc.constantFrom(0, 10, 600, 1e6)),
      leaveAfter: option(fc.nat(3)),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("call", "refresh", "decode", "revoke", "wait", "wait") }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("pass", "age"),
      time: fc.oneof(fc.nat(20_000), fc.nat(1_000_000), fc.nat(100_000_000)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("step the wall clock"), time: fc.integer({ min: -1e8, max: 1e8 }) }),
  },
);

/** When a token ends by each of the two clocks. */
interface Life {
  readonly wall: Milliseconds;
  readonly monotonic: Milliseconds;
}

/** No promise may take longer, in real milliseconds. */
const PATIENCE = 10_000;
const MAX_RETRIES = 1;

/** Waits for `work`, which must not hang. */
async function settled(work: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  const hangs = delay(PATIENCE, "hangs", { signal: done.signal }).catch(() => "called off");
  const outcome = await Promise.race([work.then(() => "settled"), hangs]).finally(() => {
    done.abort();
  });
  assert.equal(outcome, "settled");
}

/** @param schedule - the steps, and whether all that was asked for so far settles before the next one */
async function play(schedule: readonly (readonly [Step, boolean])[], signs: readonly Sign[]): Promise<void> {
  const { clock, moved, pass, age } = makeMovedClock();
  // The server's clock is right: time passes for it too, and nobody sets it.
  let ahead = 0;
  const lives = new Map<string, Life>();
  const revoked = new Set<string>();
  const underWay = new Set<number>();
  let together = 0;

  const sign = async ({ n, left }: ScriptedRequest): Promise<ScriptedAnswer> => {
    const { gives, ttl, takes } = signs[n % signs.length] ?? assert.fail();
    const over = (): void => {
      underWay.delete(n);
    };
    // A try given up, its time over, may reach the server all the same, and even later than that.
    left.addEventListener("abort", over, { once: true });
    if (!left.aborted) together = Math.max(together, underWay.add(n).size);
    if (takes > 0) await delay(takes);
    over();
    if (gives === "a refusal") return { status: 401, body: { error: "invalid_client" } };
    if (gives === "a fault") return { status: 500 };
    const now = Date.now() + ahead;
    const tsgId = gives === "a foreign token" ? "2" : TSG_ID;
    const claims = honestClaims({ clientId: CLIENT_ID, tsgId, now: now / 1000, ttl });
    const token = signer.sign(claims);
    lives.set(token, { wall: claims.exp * 1000, monotonic: clock.monotonic() + ttl * 1000 });
    const body = { access_token: token, token_type: "Bearer", expires_in: ttl };
    return gives === "a cut answer" ? { body, destroyAfterBytes: 20 } : { body };
  };
  const server = await startScriptedServer({
    token: sign,
    keys: { body: { keys: [signer.jwk] } },
    other: ({ headers }) => {
      const token = (headers.authorization ?? "").replace("Bearer ", "");
      return lives.has(token) && !revoked.has(token) ? { body: { id: 1 } } : { status: 401 };
    },
  });
  try {
    const client = new OAuth2Client(
      { clientId: CLIENT_ID, clientSecret: SECRET, tokenUrl: server.tokenUrl },
      { apiUrl: server.origin, clock, maxRetries: MAX_RETRIES, retryBackoff: 0 },
    );

    /** No token is handed out that has ended by both clocks, and none that was not proved. */
    const judgeToken = (token: string): void => {
      const life = lives.get(token) ?? assert.fail("a token from nowhere");
      // The machine's own time runs on while a token is on its way to here.
      const ended = clock.wall() >= life.wall + ON_ITS_WAY && clock.monotonic() >= life.monotonic + ON_ITS_WAY;
      assert.ok(!ended, "a token that has ended by both clocks");
    };
    const judgeFailure = (error: unknown): void => {
      assert.ok(AuthError.isAuthError(error) || ApiError.isApiError(error), String(error));
    };
    const promises: Promise<void>[] = [];
    const follow = <T>(work: Promise<T>, judge: (value: T) => void = () => undefined): void => {
      promises.push(work.then(judge, judgeFailure));
    };

    /** Each step, and how many sign-ins it may cause. */
    const actions: Readonly<Record<Step["do"], (step: Step) => number>> = {
      ask: ({ minTtl, leaveAfter }) => {
        const signal = leaveAfter === undefined ? undefined : AbortSignal.timeout(leaveAfter);
        follow(client.accessToken({ minTtl, signal }), judgeToken);
        return 1;
      },
      call: () => {
        follow(client.session.request("GET", "/x"));
        return 2;
      },
      refresh: () => {
        follow(client.refreshToken());
        return 1;
      },
      decode: () => {
        follow(client.decodeToken());
        return 0;
      },
      revoke: () => {
        for (const token of lives.keys()) revoked.add(token);
        return 0;
      },
      wait: () => 0,
      pass: ({ time = 0 }) => {
        pass(time);
        ahead += time;
        return 0;
      },
      age: ({ time = 0 }) => {
        age(time);
        return 0;
      },
      "step the wall clock": ({ time = 0 }) => {
        moved.wall += time;
        return 0;
      },
    };

    let permitted = 0;
    for (const [step, settles] of schedule) {
      // A token chosen before a clock is moved is judged before it, not after.
      if (step.time !== undefined) await turn();
      permitted += actions[step.do](step);
      if (step.do === "wait") await delay(5);
      if (settles) await settled(Promise.all(promises));
      assert.equal(client.isExpired && !client.tokenExpiresSoon, false, "what has ended ends soon");
    }
    await settled(Promise.all(promises));
    assert.ok(together <= 1, "two flights at once");
    assert.ok(server.requestsTo("token").length <= permitted * (MAX_RETRIES + 1), "too many requests");
  } finally {
    await server.close();
  }
}

test("whatever callers, servers and clocks do: one flight, no dead token, an answer for each, no request too many", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(anyStep, fc.boolean()), { maxLength: 25 }),
      fc.array(anySign, { minLength: 1, maxLength: 6 }),
      play,
    ),
    { numRuns: 60 },
  );
});
