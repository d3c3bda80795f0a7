import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { runProcess } from "../support/processes.ts";

const MODULE = new URL("../../shared/process-memory.ts", import.meta.url).href;

/** Runs code in a process with protected memory. Returns what it prints. */
const runProtected = async (body: string, flags: readonly string[] = []): Promise<string> => {
  const script = `
    import { readFileSync } from "node:fs";
    import { url } from "node:inspector";
    import { protectMemory } from ${JSON.stringify(MODULE)};
    protectMemory();
    ${body}`;
  const env = { PATH: process.env["PATH"], SystemRoot: process.env["SystemRoot"], SECRET: "s3cret-value" };
  const args = [...flags, "--input-type=module", "--eval", script];
  const { exitCode, stdout, stderr } = await runProcess(process.execPath, args, { env });
  assert.deepEqual([exitCode, stderr], [0, ""]);
  return stdout.trim();
};

test("diagnostic reports omit the environment and are not written automatically", async () => {
  const body = `
    const { reportOnFatalError, reportOnSignal, reportOnUncaughtException } = process.report;
    const leaks = JSON.stringify(process.report.getReport()).includes(process.env.SECRET);
    console.log(JSON.stringify([reportOnFatalError, reportOnSignal, reportOnUncaughtException, leaks]));`;
  const flags = ["--report-uncaught-exception", "--report-on-signal", "--report-on-fatalerror"];
  assert.deepEqual(JSON.parse(await runProtected(body, flags)), [false, false, false, false]);
});

test("core dumps contain no memory", { skip: !existsSync("/proc/self/coredump_filter") }, async () => {
  assert.match(await runProtected(`console.log(readFileSync("/proc/self/coredump_filter", "utf8"));`), /^0+$/);
});

test("SIGUSR1 starts no debugger", { skip: process.platform === "win32" }, async () => {
  const body = `
    process.kill(process.pid, "SIGUSR1");
    setTimeout(() => console.log(url() ?? "none"), 500);`;
  assert.equal(await runProtected(body, ["--inspect-port=0"]), "none");
});
