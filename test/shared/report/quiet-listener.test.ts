import assert from "node:assert/strict";
import { test } from "node:test";

import type { AuthEvent } from "../../../shared/report/events.ts";
import { quietly } from "../../../shared/report/quiet-listener.ts";

const event: AuthEvent = { type: "token", level: "debug", scope: "tsg_id:1", expiresAt: undefined };

test("a listener hears each event", () => {
  const heard: AuthEvent[] = [];
  quietly((one) => heard.push(one))(event);
  assert.deepEqual(heard, [event]);
});

test("what a listener throws, or rejects with, hurts nobody, nor does it when there is none", async () => {
  quietly(undefined)(event);
  quietly(() => {
    throw new Error("thrown");
  })(event);
  const rejects = (): unknown => Promise.reject(new Error("rejected"));
  quietly(rejects)(event);
  // An unhandled rejection would fail this test.
  await new Promise((done) => setImmediate(done));
});
