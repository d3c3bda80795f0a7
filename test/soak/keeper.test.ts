import assert from "node:assert/strict";
import { test } from "node:test";

import { run } from "./keeper.ts";

test("the soak's keeper renews for twenty seconds without growing, and is gone", { timeout: 120_000 }, async (t) => {
  const report = await run(20, t.signal);
  assert.ok("faults" in report);
  assert.deepEqual(report.faults, [], JSON.stringify(report));
});
