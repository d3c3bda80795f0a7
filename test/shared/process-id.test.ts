import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { isRunning, readProcessId } from "../../shared/process-id.ts";
import { waitUntil } from "../support/poll.ts";

const notOnLinux = process.platform !== "linux" && "needs /proc";

test(
  "reports a process as running until it has exited and as not running if it is a zombie",
  { skip: notOnLinux },
  async () => {
    // The shell starts a child that it never waits for.
    const shell = spawn("/bin/sh", ["-c", "sleep 0.2 & echo $!; exec sleep 60"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [output] = (await once(shell.stdout, "data")) as [Buffer];
    const child = readProcessId(Number(String(output)));
    assert.equal(isRunning(child), true);
    await waitUntil("the child has exited", () => !isRunning(child));
    shell.kill("SIGKILL");
    await once(shell, "exit");
  },
);

test("does not mistake another process with the same PID for the original one", { skip: notOnLinux }, () => {
  const self = readProcessId(process.pid);
  assert.ok(self.startedAt);
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
      const other = readProcessId(child.pid ?? 0);
      assert.equal(isRunning(other), true);
      assert.equal(isRunning({ ...other, startedAt: "1" }), false);
    } finally {
      process.seteuid?.(0);
      child.kill("SIGKILL");
    }
  },
);
