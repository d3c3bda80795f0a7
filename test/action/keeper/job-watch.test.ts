import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import { isRunning, watchable } from "../../../action/keeper/job-watch.ts";
import { spawn } from "../../support/searched-process.ts";

const onLinux = process.platform === "linux" ? {} : { skip: "start times are read from /proc" };

test("a process runs until it has ended", async () => {
  const child = spawn(process.execPath, ["-e", "process.stdin.resume()"], { stdio: ["pipe", "ignore", "ignore"] });
  const watched = watchable(child.pid ?? 0);
  assert.ok(watched);
  assert.equal(isRunning(watched), true);
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(isRunning(watched), false);
});

test("another process under the same id is not the one that was watched", onLinux, () => {
  const watched = watchable(process.pid);
  assert.ok(watched?.startedAt);
  assert.equal(isRunning(watched), true);
  assert.equal(isRunning({ ...watched, startedAt: String(Number(watched.startedAt) - 1) }), false);
});

test("a dead process that nobody has buried does not run", onLinux, async () => {
  // A shell that becomes another program never hears of its children's ends, if they come later.
  const parent = spawn("sh", ["-c", "sleep 0.2 & echo $!; exec sleep 30"], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    const [data] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(data.toString());
    for (let look = 0; look < 100 && isRunning({ pid, startedAt: watchable(pid)?.startedAt ?? "gone" }); look++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    process.kill(pid, 0);
    assert.equal(isRunning({ pid, startedAt: watchable(pid)?.startedAt ?? "gone" }), false);
  } finally {
    parent.kill("SIGKILL");
  }
});

for (const pid of [0, 1]) {
  test(`process ${pid} is nothing to watch`, () => {
    assert.equal(watchable(pid), undefined);
  });
}

test(
  "a process of another user counts as gone",
  { skip: process.getuid?.() === 0 ? "root may signal all" : false },
  () => {
    assert.equal(isRunning({ pid: 1, startedAt: undefined }), false);
  },
);
