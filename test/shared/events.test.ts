import assert from "node:assert/strict";
import { test } from "node:test";
import { safeListener, type AuthEvent } from "../../shared/events.ts";

const event: AuthEvent = { type: "token", scope: "tsg_id:1", expiresAt: undefined };

test("passes each event to the listener, and ignores exceptions and rejections from the listener", async () => {
  const received: AuthEvent[] = [];
  safeListener((one) => received.push(one))(event);
  assert.deepEqual(received, [event]);
  safeListener(undefined)(event);
  safeListener(() => {
    throw new Error("thrown");
  })(event);
  const rejects = (): unknown => Promise.reject(new Error("rejected"));
  safeListener(rejects)(event);
  // An unhandled rejection would fail the test.
  await new Promise((resolve) => setImmediate(resolve));
});
