import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { suite, test } from "node:test";
import { spawn } from "../support/searched-process.ts";

const GUARD = new URL("../../action/process-guard.ts", import.meta.url).href;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `body` as the work (of `signal`) of a guarded process, which prints what it is told of failures. */
function guarded(body: string, env: NodeJS.ProcessEnv = {}, flags: readonly string[] = []): Promise<Ended> {
  const script = `
    import { guard } from ${JSON.stringify(GUARD)};
    guard(async (signal) => { ${body} }, (error) => { console.log("told: " + (error?.message ?? error)); });`;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...flags, "--input-type=module", "--eval", script], {
      env: { PATH: process.env["PATH"], SystemRoot: process.env["SystemRoot"], ...env },
      timeout: 20_000,
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.once("error", reject);
    child.once("close", (code) => {
      resolve({ code, stdout: stdout.replaceAll("\r\n", "\n"), stderr });
    });
  });
}

const later = (work: string): string => `setTimeout(() => { ${work} }, 5);`;
const FOR_EVER = "await new Promise(() => undefined);";

const scenes: readonly (readonly [what: string, body: string, code: number, told: readonly string[]])[] = [
  ["comes to its end", "await null;", 0, []],
  ["comes to its end late", "await new Promise((resolve) => setTimeout(resolve, 20));", 0, []],
  ["fails", "throw new Error('oh');", 1, ["oh"]],
  ["fails late", "await new Promise((_, reject) => setTimeout(reject, 20, new Error('oh')));", 1, ["oh"]],
  ["throws nothing", "throw undefined;", 1, ["undefined"]],
  ["stops half-way, with nothing left to wait for", FOR_EVER, 1, ["the work stopped before its end"]],
  ["is ended by an error that nobody caught", later("throw new Error('oh');") + FOR_EVER, 1, ["oh"]],
  ["is ended by a rejection that nobody handled", `${later("Promise.reject(new Error('oh'));")}${FOR_EVER}`, 1, ["oh"]],
  ["comes to its end although something else failed", `${later("throw new Error('oh');")}await new Promise((resolve) => setTimeout(resolve, 20));`, 1, ["oh"]],
  ["fails twice", `${later("throw new Error('two');")}throw new Error('one');`, 1, ["one"]],
  ["is ended by an exit", "process.exit();", 1, ["the work stopped before its end"]],
  ["is ended by an exit half-way", `${later("process.exit();")}${FOR_EVER}`, 1, ["the work stopped before its end"]],
  ["hears that something else failed", `${later("throw new Error('oh');")}await new Promise((resolve) => signal.addEventListener("abort", resolve));`, 1, ["oh"]],
  ["came to its end before something broke", later("throw new Error('late');"), 1, ["late"]],
]; // prettier-ignore
suite("a process whose work", { concurrency: 2 }, () => {
  for (const [what, body, code, told] of scenes) {
    test(`${what} ends with ${code} and tells ${told.length === 0 ? "nothing" : told.join()}`, async () => {
      const stdout = told.map((line) => `told: ${line}\n`).join("");
      assert.deepEqual(await guarded(body), { code, stdout, stderr: "" });
    });
  }
});

const REQUEST = `
  const { createServer } = await import("node:https");
  const { request } = await import("node:https");
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  await new Promise((resolve) => request({ port: server.address().port, host: "127.0.0.1" }).on("error", resolve).end());
  server.close();`;

const noises: readonly (readonly [what: string, body: string, env?: NodeJS.ProcessEnv])[] = [
  ["what code writes there", "process.stderr.write('x'); process._rawDebug('x');"],
  ["what code tells the console, as the proxy's tunnel does under NODE_DEBUG", "console.error('x'); console.warn('x');"],
  ["warnings", "process.emitWarning('x', 'DeprecationWarning', 'DEP1'); await new Promise(setImmediate);"],
  ["warnings with their traces", "process.emitWarning('x');", { NODE_OPTIONS: "--trace-warnings --trace-deprecation" }],
  ["deprecations that the job has switched off", "process.emitWarning('x', 'DeprecationWarning', 'DEP1');", { NODE_OPTIONS: "--no-deprecation" }],
  ["node's word on NODE_TLS_REJECT_UNAUTHORIZED", REQUEST, { NODE_TLS_REJECT_UNAUTHORIZED: "0" }],
  ["NODE_DEBUG", REQUEST, { NODE_DEBUG: "http,https,net,tls,stream,timer" }],
]; // prettier-ignore
suite("nothing goes to stderr", { concurrency: 2 }, () => {
  for (const [what, body, env] of noises) {
    test(`of ${what}`, async () => {
      assert.deepEqual(await guarded(body, env), { code: 0, stdout: "", stderr: "" });
    });
  }
});

test("no report of the process holds its environment, and none is written by itself", async () => {
  const body = `
    const { reportOnFatalError, reportOnSignal, reportOnUncaughtException } = process.report;
    console.log(JSON.stringify({
      reportOnFatalError, reportOnSignal, reportOnUncaughtException,
      leaks: JSON.stringify(process.report.getReport()).includes(process.env.INPUT_SECRET),
    }));`;
  const flags = ["--report-uncaught-exception", "--report-on-signal", "--report-on-fatalerror"];
  const { stdout } = await guarded(body, { INPUT_SECRET: "s3cret-value" }, flags);
  assert.deepEqual(JSON.parse(stdout), {
    ...{ reportOnFatalError: false, reportOnSignal: false, reportOnUncaughtException: false, leaks: false },
  });
});

test("a core file would hold no memory", async (t) => {
  const filter = "/proc/self/coredump_filter";
  if (!existsSync(filter)) {
    t.skip("this system has no such filter");
    return;
  }
  const { stdout } = await guarded(`console.log((await import("node:fs")).readFileSync("${filter}", "utf8"));`);
  assert.match(stdout, /^0+\s*$/);
});
