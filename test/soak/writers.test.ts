import assert from "node:assert/strict";
import { test } from "node:test";

import { run } from "./writers.ts";

test("the soak's writers are killed for some seconds, and readers find no fault", { timeout: 120_000 }, async (t) => {
  const { kills, looks, faults } = await run(4, t.signal);
  assert.deepEqual(faults, []);
  assert.ok(kills >= 8 && looks > 100, `${kills} kills, ${looks} looks`);
});
