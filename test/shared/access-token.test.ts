import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { AccessToken, getMinRemaining, hasMinRemaining, type AccessTokenProps } from "../../shared/access-token.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { assertNoSecret } from "../support/secrets.ts";

const VALUE = "header-12345.payload-12345.signature-12345";
const clock = createFakeClock();
const createToken = (props: Partial<AccessTokenProps> = {}): AccessToken =>
  new AccessToken(VALUE, {
    expiresAt: new Date(clock.now() + 900_000),
    deadline: clock.elapsed() + 900_000,
    lifetime: 900_000,
    scope: ["profile", "tsg_id:1"],
    tsgIds: ["1"],
    ...props,
  });

test("does not reveal its value when it is printed or serialized", () => {
  const token = createToken();
  assert.equal(token.value, VALUE);
  assert.equal(inspect(token), "AccessToken { profile tsg_id:1, expires 2026-01-31T12:15:00.000Z }");
  const printed = [inspect(token, { showHidden: true, depth: 9 }), JSON.stringify(token)];
  assertNoSecret({ printed: printed.join("\n") }, [VALUE]);
});

test("returns the requested tenant, or the scope's tenant if there is exactly one", () => {
  const getTsgId = (tsgIds: readonly string[], scope: readonly string[]) => createToken({ tsgIds, scope }).tsgId;
  assert.equal(getTsgId(["1"], ["tsg_id:1", "tsg_id:2"]), "1");
  assert.equal(getTsgId([], ["a", "tsg_id:2"]), "2");
  assert.equal(getTsgId(["1", "2"], ["tsg_id:1", "tsg_id:2"]), undefined);
  assert.equal(getTsgId([], ["a"]), undefined);
});

test("subtracts suspended time from the remaining lifetime and ignores wall-clock changes", async () => {
  const token = createToken();
  await clock.advance(100_000);
  clock.suspend(200_000);
  clock.adjustWallClock(-3_600_000);
  assert.equal(token.remaining(clock), 600_000);
  await clock.advance(700_000);
  assert.equal(token.remaining(clock), -100_000);
  assert.equal(createToken({ deadline: undefined }).remaining(clock), undefined);
});

test("reuses a token that is valid for minTtl, by default 300 s or a third of its lifetime if that is shorter", () => {
  assert.deepEqual([getMinRemaining(undefined, 900_000), getMinRemaining(undefined, 60_000)], [300_000, 20_000]);
  assert.equal(getMinRemaining(0, 900_000), 0);
  const isReusable = (remaining: number, minTtl?: number, lifetime: number | undefined = 900_000): boolean =>
    hasMinRemaining(createToken({ deadline: clock.elapsed() + remaining, lifetime }), minTtl, clock);
  assert.deepEqual([isReusable(300_000), isReusable(299_999)], [true, false]);
  assert.deepEqual([isReusable(60_000, 60), isReusable(59_999, 60)], [true, false]);
  assert.deepEqual([isReusable(1, 0), isReusable(0, 0)], [true, false]);
  assert.equal(hasMinRemaining(createToken({ lifetime: undefined }), 0, clock), false);
  assert.equal(hasMinRemaining(createToken({ deadline: undefined }), 0, clock), false);
});
