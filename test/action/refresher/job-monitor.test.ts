import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { createJobMonitor, identifyProcess } from "../../../action/refresher/job-monitor.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

const HOUR = 3_600_000;

test("does not identify the processes with IDs 0 and 1, which represent processes outside the container", () => {
  assert.equal(identifyProcess(0), undefined);
  assert.equal(identifyProcess(1), undefined);
});

test("reports the end of the job when the parent has exited", async () => {
  const parent = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60_000)"], { stdio: "ignore" });
  const hasJobEnded = createJobMonitor(identifyProcess(parent.pid ?? 0), createFakeClock());
  assert.equal(hasJobEnded(), false);
  parent.kill("SIGKILL");
  await once(parent, "exit");
  assert.equal(hasJobEnded(), true);
});

test("reports the end of the job after 5 days, or 6 hours if the parent is unknown", async () => {
  for (const [parent, limit] of [
    [identifyProcess(process.pid), 120 * HOUR],
    [undefined, 6 * HOUR],
  ] as const) {
    const clock = createFakeClock();
    const hasJobEnded = createJobMonitor(parent, clock);
    await clock.advance(limit - 1);
    assert.equal(hasJobEnded(), false);
    await clock.advance(1);
    assert.equal(hasJobEnded(), true);
  }
});
