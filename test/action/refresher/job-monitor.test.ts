import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { createJobMonitor, identifyProcess, isRunning } from "../../../action/refresher/job-monitor.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { waitUntil } from "../../support/poll.ts";

const HOUR = 3_600_000;
const notOnLinux = process.platform !== "linux" && "needs /proc";

test("does not identify the processes with IDs 0 and 1, which represent processes outside the container", () => {
  assert.equal(identifyProcess(0), undefined);
  assert.equal(identifyProcess(1), undefined);
});

test(
  "reports a process as running until it has exited and as not running if it is a zombie",
  { skip: notOnLinux },
  async () => {
    // The shell starts a child that it never waits for.
    const shell = spawn("/bin/sh", ["-c", "sleep 0.2 & echo $!; exec sleep 60"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [output] = (await once(shell.stdout, "data")) as [Buffer];
    const child = identifyProcess(Number(String(output)));
    assert.ok(child !== undefined);
    assert.equal(isRunning(child), true);
    await waitUntil("the child has exited", () => !isRunning(child));
    shell.kill("SIGKILL");
    await once(shell, "exit");
  },
);

test("does not mistake another process with the same PID for the original one", { skip: notOnLinux }, () => {
  const self = identifyProcess(process.pid);
  assert.ok(self?.startedAt);
  assert.equal(isRunning({ ...self, startedAt: "1" }), false);
  assert.equal(isRunning({ ...self, startedAt: undefined }), true);
});

test(
  "observes a process of another user",
  { skip: notOnLinux || (process.getuid?.() !== 0 && "needs root") },
  async () => {
    const child = spawn("sleep", ["60"], { stdio: "ignore", uid: 12_345 });
    await once(child, "spawn");
    process.seteuid?.(12_346);
    try {
      assert.throws(() => process.kill(child.pid ?? 0, 0), { code: "EPERM" });
      const other = identifyProcess(child.pid ?? 0);
      assert.ok(other !== undefined && isRunning(other));
      assert.equal(isRunning({ ...other, startedAt: "1" }), false);
    } finally {
      process.seteuid?.(0);
      child.kill("SIGKILL");
    }
  },
);

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
