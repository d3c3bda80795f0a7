import assert from "node:assert/strict";
import { test } from "node:test";

import { frameOrder, readOrder, type KeeperOrder } from "../../../action/keeper/order.ts";
import * as fc from "../../support/fuzzing.ts";

const order: KeeperOrder = {
  request: {
    clientId: "ci@1.iam.panserviceaccount.com",
    clientSecret: "s3cret-välue",
    scope: "tsg_id:1",
    tokenUrl: "https://auth.scm.test/am/oauth2/access_token",
    jwksUrl: "https://auth.scm.test/am/oauth2/connect/jwk_uri",
    ca: "-----BEGIN CERTIFICATE-----\n",
  },
  roots: ["one", "two"],
  verify: true,
  token: { value: "a.b.c", expiresAt: 1, lifetime: 2, life: 3, scope: "tsg_id:1" },
  path: "/runner/_temp/scm-auth-0.json",
  jobSecret: "x".repeat(43),
  job: "digest",
  watched: { pid: 2, startedAt: "7" },
};

async function* chunks(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer, void, undefined> {
  let from = 0;
  for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
    await Promise.resolve();
    yield bytes.subarray(from, Math.min(cut, bytes.length));
    from = Math.min(cut, bytes.length);
  }
}

test("an order comes through in whatever pieces the pipe gives", async () => {
  const bytes = frameOrder(order);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 8 }), async (cuts) => {
      assert.deepEqual(await readOrder(chunks(bytes, cuts)), order);
    }),
  );
});

test("an order that was cut anywhere is none", async () => {
  const bytes = frameOrder(order);
  for (let length = 0; length < bytes.length; length++)
    await assert.rejects(readOrder(chunks(bytes.subarray(0, length), [])), /cut/);
});

test("a length that no order has is refused at once", async () => {
  await assert.rejects(readOrder(chunks(Buffer.from("ffffffff00", "hex"), [])), /cut/);
});
