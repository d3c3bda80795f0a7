import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";

import type { Milliseconds, Seconds } from "../../shared/clock.ts";
import { ApiError, AuthError } from "../../shared/index.ts";
import {
  clientClaims,
  createClient,
  createMovableClock,
  forbidUnhandledRejections,
  signer,
  startScripted,
  tokenResponse,
} from "../support/client-fixtures.ts";
import { countRuns, fc } from "../support/fuzzing.ts";
import type { ScriptedRequest, ScriptedResponse } from "../support/scripted-server.ts";

/** Tests the client with a server and random schedules. token-source.test.ts does the same with a fake clock. */

forbidUnhandledRejections();

/** A response that the token endpoint sends after `latency` real milliseconds. */
interface TokenScript {
  readonly type: "token" | "rejection" | "server error" | "truncated" | "other tenant";
  readonly ttl: Seconds;
  readonly latency: Milliseconds;
}
interface Step {
  readonly type: "get" | "request" | "refresh" | "decode" | "revoke" | "delay" | "pass" | "age" | "set wall clock";
  readonly minTtl?: Seconds | undefined;
  /** Time until the call is aborted, in real milliseconds. */
  readonly abortAfter?: Milliseconds | undefined;
  /** Time by which a clock is moved. */
  readonly time?: Milliseconds;
}

const scripts: fc.Arbitrary<TokenScript> = fc.record({
  type: fc.constantFrom("token", "token", "token", "rejection", "server error", "truncated", "other tenant"),
  ttl: fc.constantFrom(2, 20, 90, 900, 86_400),
  latency: fc.nat(4),
});
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("get"),
      minTtl: optional(fc.constantFrom(0, 10, 600, 86_400)),
      abortAfter: optional(fc.nat(3)),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom("request", "refresh", "decode", "revoke", "delay") }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constantFrom("pass", "age"),
      time: fc.oneof(fc.nat(20_000), fc.nat(1_000_000), fc.nat(100_000_000)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("set wall clock"), time: fc.integer({ min: -1e8, max: 1e8 }) }),
  },
);

/** Milliseconds that may pass on a busy machine before the test receives a token from the client. */
const TOLERANCE = 1000;
const MAX_RETRIES = 1;

/** @param schedule - the steps, and whether all calls made so far must settle before the next step */
async function checkSchedule(
  schedule: readonly (readonly [Step, boolean])[],
  responses: readonly TokenScript[],
): Promise<void> {
  const cleanups: (() => Promise<void>)[] = [];
  const { clock, pass, age, setWallClock } = createMovableClock();
  // The server's clock is never adjusted.
  let passed = 0;
  /** The expiration of each token by the server's wall clock and by `clock.elapsed()`. */
  const issued = new Map<string, { readonly wall: Milliseconds; readonly elapsed: Milliseconds }>();
  const revoked = new Set<string>();
  const open = new Set<number>();
  let concurrent = 0;

  const token = async ({ n, closed }: ScriptedRequest): Promise<ScriptedResponse> => {
    const { type, ttl, latency } = responses[n % responses.length] ?? assert.fail();
    const close = (): void => void open.delete(n);
    closed.addEventListener("abort", close, { once: true });
    if (!closed.aborted) concurrent = Math.max(concurrent, open.add(n).size);
    if (latency > 0) await delay(latency);
    close();
    if (type === "rejection") return { status: 401, body: { error: "invalid_client" } };
    if (type === "server error") return { status: 500 };
    const now = Math.floor((Date.now() + passed) / 1000);
    const claims = { ...clientClaims(now), exp: now + ttl, ...(type === "other tenant" && { scope: ["tsg_id:2"] }) };
    const value = signer.sign(claims);
    issued.set(value, { wall: claims.exp * 1000, elapsed: clock.elapsed() + ttl * 1000 });
    return {
      ...tokenResponse({ access_token: value, expires_in: ttl }),
      ...(type === "truncated" && { destroyAfterBytes: 20 }),
    };
  };
  const other = ({ headers }: ScriptedRequest): ScriptedResponse => {
    const value = (headers.authorization ?? "").replace("Bearer ", "");
    return issued.has(value) && !revoked.has(value) ? { body: { id: 1 } } : { status: 401 };
  };
  const context = { after: (cleanup: () => Promise<void>) => cleanups.push(cleanup) };
  const { server, request } = await startScripted(context, { token, other });
  try {
    const options = { apiUrl: server.origin, clock, maxRetries: MAX_RETRIES, retryBackoff: 0 };
    const client = createClient(request, options);
    const checkToken = (value: string): void => {
      const { wall, elapsed } = issued.get(value) ?? assert.fail("a token that was never issued");
      const isExpired = Date.now() + passed >= wall + TOLERANCE && clock.elapsed() >= elapsed + TOLERANCE;
      assert.ok(!isExpired, "the client returned an expired token");
    };
    const calls: Promise<void>[] = [];
    const follow = <T>(call: Promise<T>, check: (value: T) => void = () => undefined): void => {
      const checkError = (error: unknown): void => {
        assert.ok(AuthError.isAuthError(error) || ApiError.isApiError(error), String(error));
      };
      calls.push(call.then(check, checkError));
    };
    const settle = async (): Promise<void> => {
      const abort = new AbortController();
      const timeout = delay(20_000, "hangs", { signal: abort.signal }).catch(() => "cancelled");
      const outcome = await Promise.race([Promise.all(calls).then(() => "settled"), timeout]).finally(() => {
        abort.abort();
      });
      assert.equal(outcome, "settled");
    };

    /** Maximum number of sign-ins caused by each type of step. */
    const SIGN_INS: Readonly<Partial<Record<Step["type"], number>>> = { get: 1, refresh: 1, request: 2 };
    let permitted = 0;
    for (const [{ type, time = 0, minTtl, abortAfter }, settles] of schedule) {
      // Checks the tokens already returned before the next step moves a clock.
      await turn();
      permitted += SIGN_INS[type] ?? 0;
      const signal = abortAfter === undefined ? undefined : AbortSignal.timeout(abortAfter);
      if (type === "get") follow(client.accessToken({ minTtl, signal }), checkToken);
      else if (type === "request") follow(client.session.request("GET", "/x"));
      else if (type === "refresh") follow(client.refreshToken());
      else if (type === "decode") follow(client.decodeToken());
      else if (type === "revoke") for (const value of issued.keys()) revoked.add(value);
      else if (type === "delay") await delay(5);
      else if (type === "age") age(time);
      else if (type === "set wall clock") setWallClock(passed + time);
      else {
        pass(time);
        passed += time;
      }
      if (settles) await settle();
      assert.ok(!client.isExpired || client.tokenExpiresSoon, "an expired token expires soon");
    }
    await settle();
    assert.ok(concurrent <= 1, "one token request at a time");
    assert.ok(server.requestsTo("token").length <= permitted * (MAX_RETRIES + 1), "too many requests");
  } finally {
    for (const cleanup of cleanups) await cleanup();
  }
}

test("meets its guarantees for every interleaving of calls, responses, and clock changes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(steps, fc.boolean()), { maxLength: 25 }),
      fc.array(scripts, { minLength: 1, maxLength: 6 }),
      checkSchedule,
    ),
    { numRuns: countRuns(60) },
  );
});
