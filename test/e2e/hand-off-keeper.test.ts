import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, readdir, readFile, readlink, rename, stat, unlink, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";

import { assertNoCanary } from "../support/canaries.ts";
import {
  HandOffStage,
  isThere,
  makeSmallDisk,
  pause,
  readWritten,
  signInAsProvider,
  until,
} from "../support/hand-off-stage.ts";
import { canSeeProcesses } from "../support/orphans.ts";
import { run as runProgram, spawn } from "../support/searched-process.ts";

/** The real background process under signals, without disk, files or a server, and with hostile neighbours. */

const linux = canSeeProcesses ? {} : { skip: "processes are seen in /proc" };
const TTL = 6;
let stage: HandOffStage;

const expiryOf = (jwt: string): number =>
  (JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString()) as { exp: number }).exp * 1000;

describe("The keeper", linux, () => {
  before(async () => {
    stage = await HandOffStage.open({ ttl: TTL });
  });
  after(() => stage.close());
  afterEach(() => stage.nextJob());

  test("shows nothing to who looks at it: files, memory dumps, name, arguments, environment", async () => {
    const run = await stage.signIn();
    const path = run.outputs["auth-file"] ?? "";
    const { pid } = await stage.keeper();
    const proc = (name: string): Promise<string> => readFile(`/proc/${pid}/${name}`, "latin1");
    const { client_secret: jobSecret } = await readWritten(path);
    assertNoCanary([stage.server.clientSecret, jobSecret, run.token ?? ""], {
      arguments: await proc("cmdline"),
      environment: await proc("environ"),
      name: await proc("comm"),
    });
    assert.equal(Number.parseInt(await proc("coredump_filter"), 16), 0);
    const links = await Promise.all(
      (await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")),
    );
    assert.deepEqual(
      links.filter((link) => link.startsWith("/") && !link.startsWith("/dev/null")),
      [],
      "no file is open",
    );
    assert.equal(await readlink(`/proc/${pid}/cwd`), "/");
    await stage.post(run);
  });

  for (const signal of ["SIGINT", "SIGHUP", "SIGUSR1", "SIGPIPE", "SIGWINCH", "SIGCONT"] as const) {
    test(`takes no notice of ${signal}`, async () => {
      const run = await stage.signIn();
      const { pid } = await stage.keeper();
      for (let times = 0; times < 5; times++) process.kill(pid, signal);
      await pause(200);
      assert.equal((await signInAsProvider(await readWritten(run.outputs["auth-file"] ?? ""))).status, 200);
      assert.match((await stage.post(run)).log, /^The auth file is removed\. Its keeper/);
    });
  }

  for (const signal of ["SIGQUIT", "SIGABRT", "SIGSEGV", "SIGUSR2"] as const) {
    test(`killed by ${signal} leaves no dump, and post takes the file away`, async () => {
      const run = await stage.signIn();
      const { pid } = await stage.keeper();
      process.kill(pid, signal);
      await stage.untilNoKeeper();
      assert.match((await stage.post(run)).log, /had died before the job's end; the file is removed now/);
      assert.deepEqual(await stage.left(), []);
      assert.deepEqual(
        (await readdir(stage.job.temp)).filter((name) => /core|report|diagnostic/i.test(name)),
        [],
      );
      assert.deepEqual(await readdir(stage.job.workspace), []);
    });
  }

  test("killed at any moment of a renewal leaves a whole file", async () => {
    for (let round = 0; round < 3; round++) {
      const run = await stage.signIn();
      const path = run.outputs["auth-file"] ?? "";
      const { pid } = await stage.keeper();
      const issued = stage.server.issued.length;
      await until("a renewal", () => stage.server.issued.length > issued, 10_000);
      await pause(round * 3);
      process.kill(pid, "SIGKILL");
      await stage.untilNoKeeper();
      const { jwt } = await readWritten(path);
      assert.ok(stage.server.issued.includes(jwt));
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      await stage.post(run);
      assert.deepEqual(await stage.left(), []);
      await stage.nextJob();
    }
  });

  for (const [what, change] of Object.entries({
    deleted: (path: string) => unlink(path),
    replaced: (path: string) => writeFile(path, "another's"),
  })) {
    test(`that slept while its file was ${what} leaves it so`, async () => {
      const run = await stage.signIn();
      const path = run.outputs["auth-file"] ?? "";
      const { pid } = await stage.keeper();
      process.kill(pid, "SIGSTOP");
      await pause(2000);
      await change(path);
      // Past the renewal that was due, and the token's end.
      await pause(5000);
      process.kill(pid, "SIGCONT");
      await stage.untilNoKeeper(2000);
      assert.equal(await readFile(path, "utf8").catch(() => "gone"), what === "deleted" ? "gone" : "another's");
      assert.equal((await stage.post(run)).exitCode, 0);
    });
  }

  test("that sleeps through its whole token wakes with a new one", async () => {
    const run = await stage.signIn();
    const path = run.outputs["auth-file"] ?? "";
    const { pid } = await stage.keeper();
    process.kill(pid, "SIGSTOP");
    await pause(TTL * 1000 + 1500);
    process.kill(pid, "SIGCONT");
    await until("a living token", async () => expiryOf((await readWritten(path)).jwt) > Date.now(), 3000);
    assert.match((await stage.post(run)).log, /renewed it \d+ times?/);
  });

  test("asleep at the job's end costs post three seconds, and then it ends too", async () => {
    const run = await stage.signIn();
    const { pid } = await stage.keeper();
    process.kill(pid, "SIGSTOP");
    const end = await stage.post(run);
    assert.equal(end.exitCode, 0);
    assert.ok(end.ms < 6000);
    assert.match(end.log, /had died|did not answer/);
    assert.deepEqual(await stage.left(), []);
    process.kill(pid, "SIGCONT");
    await stage.untilNoKeeper(2000);
    assert.deepEqual(await stage.left(), []);
  });

  test("writes on when the file is read-only or was moved back and forth", async () => {
    const run = await stage.signIn();
    const path = run.outputs["auth-file"] ?? "";
    await chmod(path, 0o400);
    const { jwt } = await readWritten(path);
    await until("a renewal", async () => (await readWritten(path)).jwt !== jwt, TTL * 1000);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const aside = join(stage.job.temp, "aside");
    await rename(path, aside);
    await rename(aside, path);
    await pause(600);
    assert.equal((await stage.keepers()).length, 1);
    assert.match((await stage.post(run)).log, /^The auth file is removed\. Its keeper/);
  });

  test("sits out a full disk, and leaves nothing on it", async (t) => {
    const disk = await makeSmallDisk(32);
    if (disk === undefined) {
      t.skip("no disk can be mounted");
      return;
    }
    try {
      const env = { RUNNER_TEMP: disk.path };
      const run = await stage.signIn({}, { env });
      const path = run.outputs["auth-file"] ?? "";
      const filler = join(disk.path, "full");
      await writeFile(filler, Buffer.alloc(64 * 1024)).catch(() => undefined);
      const { jwt } = await readWritten(path);
      const issued = stage.server.issued.length;
      await until("a renewal", () => stage.server.issued.length > issued, TTL * 1000);
      await pause(1000);
      assert.equal((await readWritten(path)).jwt, jwt);
      // Who asks gets the new one all the same.
      const served = (await (await signInAsProvider(await readWritten(path))).json()) as { access_token: string };
      assert.notEqual(served.access_token, jwt);
      await unlink(filler);
      await until("a new token in the file", async () => (await readWritten(path)).jwt !== jwt, TTL * 1000);
      assert.match((await stage.post(run, { env })).log, /^The auth file is removed\. Its keeper renewed/);
      assert.deepEqual(await readdir(disk.path), []);
    } finally {
      await disk.remove();
    }
  });

  test("keeps its file and its job when it can open no file", async (t) => {
    const run = await stage.signIn();
    const { pid } = await stage.keeper();
    try {
      await runProgram("prlimit", ["--pid", String(pid), "--nofile=40:40"]);
    } catch {
      t.skip("prlimit is not here");
      return;
    }
    const path = run.outputs["auth-file"] ?? "";
    const file = await readWritten(path);
    const port = Number(new URL(file.auth_url).port);
    const sockets: Socket[] = [];
    const keepAll = setInterval(() => {
      while (sockets.filter(({ closed }) => !closed).length < 80) {
        const socket = connect(port, "127.0.0.1");
        socket.on("error", () => undefined);
        sockets.push(socket);
      }
    }, 50);
    await pause(2500);
    clearInterval(keepAll);
    for (const socket of sockets) socket.destroy();
    assert.equal((await stage.keepers()).length, 1);
    assert.ok(await isThere(path));
    await until("a living token", async () => expiryOf((await readWritten(path)).jwt) > Date.now(), 8000);
    assert.equal((await signInAsProvider(file)).status, 200);
    assert.match((await stage.post(run)).log, /^The auth file is removed\. Its keeper/);
  });

  test("tells post that the server refused it, and asks no more", async () => {
    const run = await stage.signIn();
    const file = await readWritten(run.outputs["auth-file"] ?? "");
    const old = stage.server.clientSecret;
    stage.server.changeSecret("another-secret-of-the-client");
    try {
      const refusals = (): number => stage.server.requests.filter(({ status }) => status === 401).length;
      await until("a refusal", () => refusals() > 0, TTL * 1000);
      await pause(TTL * 1000);
      assert.equal(refusals(), 1);
      const answer = await signInAsProvider(file);
      const text = await answer.text();
      assert.equal(answer.status, 401);
      assertNoCanary([old, file.client_secret], { "the refusal": text });
      const end = await stage.post(run);
      assert.equal(end.exitCode, 0);
      assert.match(end.log, /is removed\. .* until the auth server refused a renewal\./);
    } finally {
      stage.server.changeSecret(old);
    }
  });
});

describe("The keeper's input", linux, () => {
  const keeper = join(import.meta.dirname, "../../dist/action/keeper.cjs");

  test("is waited for by a process of which no memory can be dumped", async () => {
    const child = spawn(process.execPath, [keeper], { stdio: ["pipe", "ignore", "ignore", "ipc"], env: {} });
    try {
      const filter = (): Promise<string> => readFile(`/proc/${child.pid}/coredump_filter`, "utf8");
      await until("no part of it is dumped", async () => Number.parseInt(await filter(), 16) === 0);
    } finally {
      child.kill("SIGKILL");
    }
  });

  const framed = (text: string): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(text));
    return Buffer.concat([length, Buffer.from(text)]);
  };
  for (const [what, input] of Object.entries({
    nothing: Buffer.alloc(0),
    "a cut length": Buffer.from([0, 0]),
    "a cut order": framed("{}").subarray(0, 5),
    "no JSON": framed("{"),
    "another order": framed('{"request":{},"token":null}'),
    null: framed("null"),
    "a length of gigabytes": Buffer.from([0xff, 0xff, 0xff, 0xff, 0x7b]),
    "an order without end": Buffer.concat([Buffer.from([0x03, 0, 0, 0]), Buffer.alloc(1_000_000, "x")]),
  })) {
    test(`that is ${what} ends it, with one plain answer`, async () => {
      const child = spawn(process.execPath, [keeper], { stdio: ["pipe", "pipe", "pipe", "ipc"], env: {} });
      const answers: unknown[] = [];
      let written = "";
      child.on("message", (answer) => answers.push(answer));
      for (const stream of [child.stdout, child.stderr])
        stream?.on("data", (data: Buffer) => (written += data.toString()));
      child.stdin?.on("error", () => undefined);
      child.stdin?.end(input);
      const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
      const [code] = (await once(child, "close")) as [number | null];
      clearTimeout(timer);
      assert.equal(code, 1);
      assert.deepEqual(answers, [{ failed: "the background process could not begin its work" }]);
      assert.equal(written, "");
    });
  }
});
