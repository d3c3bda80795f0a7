import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmod, chown, copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { exists, readAuthFileJson, requestTokenAsProvider } from "../support/auth-file-harness.ts";
import { startCommandLine, type CommandLine } from "../support/command-line.ts";
import { waitUntil } from "../support/poll.ts";
import { canListProcesses, findProcesses, findProgram, runProcess } from "../support/processes.ts";
import { JWKS_PATH } from "../support/scm-auth-server.ts";
import { assertNoSecret } from "../support/secrets.ts";

/** Runs the built command as users do, against a local server. */

const isWindows = process.platform === "win32";
/** Without a maximum, a process that was starved would fail a test. */
const LONG = { timeoutMs: 120_000 };

/** Init may need a moment to reap a process that was killed. */
const waitUntilGroupIsGone = (group: string): Promise<void> =>
  waitUntil("the process group is gone", () => {
    try {
      return !process.kill(-Number(group), 0);
    } catch {
      return true;
    }
  });

describe("scm-auth", { skip: isWindows && "the scripts are for a POSIX shell" }, () => {
  let cli: CommandLine;
  before(async () => {
    cli = await startCommandLine();
  });
  after(() => cli.close());
  beforeEach(() => rm(cli.cache, { recursive: true, force: true }));

  test("token prints a verified token, and nothing else", async () => {
    const { exitCode, stdout, stderr } = await cli.run(["token"]);
    assert.deepEqual([exitCode, stdout, stderr], [0, `${cli.server.issued.at(-1) ?? ""}\n`, ""]);
    const json = JSON.parse((await cli.run(["token", "--json"])).stdout) as Readonly<Record<string, string>>;
    assert.equal(json["access_token"], stdout.trim());
    assert.equal(json["tsg_id"], cli.server.tsgId);
    assert.match(json["scope"] ?? "", /\btsg_id:1234567890\b/);
    assert.ok(Date.parse(json["expires_at"] ?? "") > Date.now());
    assert.equal((await stat(cli.cache)).mode & 0o777, 0o700);
    for (const name of await readdir(cli.cache))
      assert.equal((await stat(join(cli.cache, name))).mode & 0o777, 0o600, name);
  });

  test("50 calls of token at once make one token request", async () => {
    const count = cli.server.countTokenRequests();
    const calls = Array.from({ length: 50 }, () => cli.run(["token", "--timeout", "600"], { timeoutMs: 600_000 }));
    const results = await Promise.all(calls);
    for (const { log } of results) assert.equal(log, results[0]?.log);
    assert.equal(cli.server.countTokenRequests() - count, 1);
    assert.notEqual((await cli.run(["token", "--no-cache"])).stdout, results[0]?.stdout);
  });

  test("token works without a usable cache directory, and warns", async () => {
    const insecure = join(cli.directory, "insecure");
    await mkdir(insecure);
    await chmod(insecure, 0o777);
    for (const directory of [insecure, "/dev/null"]) {
      const { exitCode, stdout, stderr } = await cli.run(["token"], { env: { XDG_RUNTIME_DIR: directory } });
      assert.deepEqual([exitCode, stdout], [0, `${cli.server.issued.at(-1) ?? ""}\n`]);
      assert.match(stderr, /^warning: The token is not shared with other calls: /);
    }
    const run = await cli.runScript("true", [], { env: { XDG_RUNTIME_DIR: "/dev/null" } });
    assert.equal(run.exitCode, 0, run.log);
  });

  test("token works on a full disk, and run says that the auth file cannot be written", async () => {
    // EFBIG, which the limit causes, is treated like ENOSPC.
    const onFullDisk = (args: string) =>
      runProcess("sh", ["-c", `trap "" XFSZ; ulimit -f 0; exec $SCM_AUTH ${args}`], { ...LONG, env: cli.env });
    const token = await onFullDisk("token");
    assert.deepEqual([token.exitCode, token.stdout], [0, `${cli.server.issued.at(-1) ?? ""}\n`]);
    assert.match(
      token.stderr,
      /^warning: The token is not shared with other calls: the auth file .* cannot be written/,
    );
    const run = await onFullDisk("run -- echo started");
    assert.deepEqual([run.exitCode, run.stdout], [1, ""]);
    assert.match(run.stderr, /error: .* cannot be written: .*\nhint: /);
  });

  test("run reports that the output of its command cannot be written", async (t) => {
    if (!(await exists("/dev/full"))) {
      t.skip("needs /dev/full");
      return;
    }
    for (const [script, status] of [
      ["echo x", 1],
      ["echo x; sleep 0.5; exit 3", 3],
    ] as const) {
      const env = { ...cli.env, SCRIPT: script };
      const run = await runProcess("sh", ["-c", '$SCM_AUTH run -- sh -c "$SCRIPT" > /dev/full'], { ...LONG, env });
      assert.equal(run.exitCode, status, run.log);
      assert.equal(
        run.stderr,
        "error: the output of the command cannot be written: ENOSPC.\nhint: Free up disk space.\n",
      );
    }
  });

  const asRoot = process.getuid?.() !== 0 && "needs root";
  test("token warns about a cache directory of another user", { skip: asRoot }, async () => {
    await mkdir(cli.cache, { mode: 0o700 });
    await chown(cli.cache, 12_345, 12_345);
    const { exitCode, stderr } = await cli.run(["token"]);
    assert.deepEqual(
      [exitCode, stderr],
      [0, `warning: The directory ${cli.cache} belongs to another user (uid 12345), who can replace the auth file.\n`],
    );
  });

  test("exits with 2 and a hint if an argument or the identity is wrong, and never asks", async () => {
    const unset = { SCM_CLIENT_ID: undefined, SCM_CLIENT_SECRET: undefined, SCM_TSG_ID: undefined };
    for (const [args, env, message] of [
      [["tokn"], {}, /^error: "tokn" is not a command.\nhint: Did you mean token\?\n$/],
      [["token", "--client-secret", "x"], {}, /^error: --client-secret is not supported.\nhint: .* rotate the secret/],
      [["run", "ls"], {}, /^error: the command to run must follow --.\n/],
      [["run", "--export", "x", "--", "ls"], {}, /^error: --export: "x" is not a known tool.\n/],
      [
        ["token"],
        unset,
        /^error: SCM_CLIENT_ID or --client-id is required.\n[^]*error: SCM_CLIENT_SECRET, SCM_CLIENT_SECRET_FILE, or --client-secret-file is required.\n/,
      ],
      [[], {}, /^error: no command was given.\n/],
    ] as const) {
      const { exitCode, stdout, stderr } = await cli.run(args, { env });
      assert.deepEqual([exitCode, stdout], [2, ""]);
      assert.match(stderr, message);
    }
  });

  test("exits with 1 if the sign-in fails or the result cannot be written", async () => {
    const wrong = await cli.run(["token"], { env: { SCM_CLIENT_SECRET: "wrong" } });
    assert.deepEqual([wrong.exitCode, wrong.stdout], [1, ""]);
    assert.match(wrong.stderr, /^error: .*invalid_client.*\nhint: /);
    const closed = await cli.run(["token"], { closeStdout: true });
    assert.equal(closed.exitCode, 1);
    assert.match(closed.stderr, /^error: .*stdout cannot be written: the reader closed the pipe.\n/);
  });

  test("reads the client secret from stdin, and fails if a file cannot be read", async () => {
    const { clientSecret } = cli.server;
    const env = { SCM_CLIENT_SECRET: undefined };
    const fromStdin = await cli.run(["token", "--client-secret-file", "-"], { env, input: `${clientSecret}\n` });
    assert.deepEqual([fromStdin.exitCode, fromStdin.stderr], [0, ""]);
    const missing = await cli.run(["token"], { env: { ...env, SCM_CLIENT_SECRET_FILE: "/missing" } });
    assert.equal(missing.exitCode, 1);
    assert.match(missing.stderr, /^error: the client secret cannot be read from \/missing: ENOENT.\nhint: /);
  });

  test("a sealed token replaces token requests, unless it cannot be used", async () => {
    const { stdout: sealed } = await cli.run(["seal"]);
    assert.equal(sealed.split(".").length, 5);
    const count = cli.server.countTokenRequests();
    const env = { SCM_SEALED_TOKEN: sealed };
    const used = await cli.run(["token", "--no-cache"], { env });
    assert.deepEqual([used.stdout, used.stderr], [`${cli.server.issued.at(-1) ?? ""}\n`, ""]);
    assert.equal((await cli.runScript("exit 3", ["--no-cache"], { env })).exitCode, 3);
    assert.equal(cli.server.countTokenRequests(), count);
    const ignored = await cli.run(["token", "--no-cache"], { env: { SCM_SEALED_TOKEN: "x.y" } });
    assert.deepEqual([ignored.exitCode, cli.server.countTokenRequests()], [0, count + 1]);
    assert.match(ignored.stderr, /^warning: SCM_SEALED_TOKEN is ignored: /);
  });

  test("seal uses a token in the cache only if other jobs have ten minutes to use it", async (t) => {
    const brief = await startCommandLine({ ttl: 800 });
    t.after(brief.close);
    for (const { server, run } of [cli, brief]) {
      const count = server.countTokenRequests();
      for (const command of ["token", "token", "seal"]) await run([command]);
      assert.equal(server.countTokenRequests() - count, server === cli.server ? 1 : 2);
    }
  });

  test("check prints a table of all steps, or JSON, and its exit status tells whether one failed", async () => {
    const { exitCode, stdout, stderr } = await cli.run(["check"]);
    assert.deepEqual([exitCode, stderr], [0, ""]);
    assert.match(
      stdout,
      /^Check: success.\n(.*\n)*Token +ok +\d+ ms {2}status 200, https:[^]*\nTenant granted +1234567890\n/,
    );
    const env = { SCM_CLIENT_SECRET: "wrong" };
    const failed = await cli.run(["check", "--json"], { env });
    const report = JSON.parse(failed.stdout) as { readonly rows: readonly { readonly name: string }[] };
    assert.partialDeepStrictEqual(report, {
      success: false,
      headline: "failed at Token",
      error_code: "invalid_client",
    });
    assert.partialDeepStrictEqual(
      report.rows.find(({ name }) => name === "Token"),
      { result: "FAILED" },
    );
    assert.equal(failed.exitCode, 1);
    assertNoSecret({ stdout }, cli.server.issued);
    assert.equal((await cli.run(["check"], { env: { SCM_CLIENT_ID: "" } })).exitCode, 2);
  });

  test("run gives the command an auth file and a token server, but neither the client secret nor a debugger", async () => {
    // SIGUSR1 would start the debugger of a process with Node, which reports that on stderr.
    const script =
      'kill -USR1 $PPID; cat /proc/self/cmdline; env; cat "$SCM_AUTH_FILE"; ls -l "$SCM_AUTH_FILE"; sleep 0.3; exit 7';
    const { exitCode, stdout, stderr } = await cli.runScript(script, ["--no-mask"], {
      env: { EXTRA: `x${cli.server.clientSecret}` },
    });
    assert.equal(exitCode, 7);
    assertNoSecret({ stdout }, [cli.server.clientSecret]);
    assert.equal(stderr, "note: not passed on, because it contains the client secret: EXTRA\n");
    const [, file = ""] = /^SCM_AUTH_FILE=(.*)$/m.exec(stdout) ?? [];
    const [json = ""] = /^\{[^]*?^\}/m.exec(stdout) ?? [];
    const content = JSON.parse(json) as Readonly<Record<string, string>>;
    assert.equal(content["jwt"], cli.server.issued.at(-1));
    assert.match(stdout, new RegExp(`^SCM_CLIENT_SECRET=${content["client_secret"] ?? ""}$`, "m"));
    assert.match(stdout, new RegExp(`^SCM_TOKEN_URL=${content["auth_url"] ?? ""}$`, "m"));
    assert.match(stdout, /^-rw------- /m);
    assert.ok(file.startsWith(cli.cache));
    assert.equal(await exists(file), false);
    await assert.rejects(fetch(content["auth_url"] ?? "", { method: "POST" }));
  });

  test("inside run, token and run request nothing from the auth server", async () => {
    await cli.run(["token"]);
    const count = cli.server.requests.length;
    const script = '$SCM_AUTH token; $SCM_AUTH run -- sh -c "$SCM_AUTH token"; $SCM_AUTH seal';
    const { stdout, stderr } = await cli.runScript(script, ["--no-mask"]);
    const token = cli.server.issued.at(-1) ?? "";
    assert.equal(stdout, `${token}\n***\n`);
    assert.match(stderr, /^error: a command of scm-auth run does not have the client secret, so it cannot seal/);
    // The outer command requests the signing keys to verify the token in its cache.
    assert.deepEqual(
      cli.server.requests.slice(count).map(({ path }) => path),
      [JWKS_PATH],
    );
  });

  test("run masks tokens and the secrets of the account and the token server on stdout and stderr", async () => {
    const script = `cat "$SCM_AUTH_FILE"; echo "\${SCM_CLIENT_SECRET}x"; $SCM_AUTH token >&2; printf "y${cli.server.clientSecret}"`;
    const { stdout, stderr } = await cli.runScript(script);
    assertNoSecret({ stdout, stderr }, [...cli.server.issued, cli.server.clientSecret]);
    assert.match(stdout, /"jwt": "\*\*\*"[^]*\n\*\*\*x\ny\*\*\*$/);
    assert.equal(stderr, "***\n");
  });

  test("run passes on 200 MB unchanged, apart from the tokens in it", async () => {
    const size = 200_000_000;
    const script = `head -c ${size} /dev/zero; $SCM_AUTH token`;
    const { child, exited } = cli.start(["run", "--", "sh", "-c", script]);
    child.stdout?.removeAllListeners("data").setEncoding("latin1");
    const hash = createHash("sha256");
    let length = 0;
    child.stdout?.on("data", (chunk: string) => {
      hash.update(chunk, "latin1");
      length += chunk.length;
    });
    assert.equal(await exited, 0);
    const expected = createHash("sha256").update(Buffer.alloc(size)).update("***\n").digest("hex");
    assert.deepEqual([length, hash.digest("hex")], [size + 4, expected]);
  });

  test("run ends when its reader has gone away", async () => {
    const { exitCode } = await cli.run(["run", "--", "sh", "-c", "while echo x; do :; done"], { closeStdout: true });
    // The shell ends its loop, or SIGPIPE ends the shell.
    assert.ok(exitCode === 0 || exitCode === 141, String(exitCode));
  });

  for (const [command, status, message] of [
    ["nosuch-command", 127, /^error: the command nosuch-command was not found.\nhint: /],
    ["/etc/passwd", 126, /^error: the command \/etc\/passwd cannot be executed.\nhint: /],
    ["/etc/passwd/x", 126, /^error: the command \/etc\/passwd\/x cannot be started: ENOTDIR.\n/],
  ] as const)
    test(`run exits with ${status} if the command is ${command}`, async () => {
      const { exitCode, stderr } = await cli.run(["run", "--", command]);
      assert.equal(exitCode, status);
      assert.match(stderr, message);
      assert.deepEqual(
        (await readdir(cli.cache)).filter((name) => name.startsWith("run-")),
        [],
      );
    });

  test("run exits with 126 if it has too many open files to start a process", async () => {
    // How many files are open depends on the version of Node.
    for (let limit = 20; ; limit += 2) {
      const script = `ulimit -n ${limit}; exec $SCM_AUTH run --no-cache -- echo started`;
      const { exitCode, stdout, stderr } = await runProcess("sh", ["-c", script], { ...LONG, env: cli.env });
      assert.notEqual(exitCode, 0, stderr);
      if (!/^error: the command echo cannot be started: EMFILE.\n/m.test(stderr)) continue;
      assert.deepEqual([exitCode, stdout], [126, ""]);
      return;
    }
  });

  describe("signals to run", () => {
    /** Starts a script that writes `ready`, sends signals, and returns the exit code and the output. */
    async function signalScript(script: string, ...signals: readonly (NodeJS.Signals | number)[]) {
      const command = cli.start([
        "run",
        "--",
        "sh",
        "-c",
        `${script}; sleep 60 & echo ready $$; wait; sleep 1; exit 5`,
      ]);
      await waitUntil("the script is ready", () => command.output().includes("ready"), 60_000);
      for (const signal of signals)
        if (typeof signal === "number") await new Promise((resolve) => setTimeout(resolve, signal));
        else command.child.kill(signal);
      const status = await command.exited;
      const [, pid = "0"] = /ready (\d+)/.exec(command.output()) ?? [];
      await waitUntilGroupIsGone(pid);
      return { status, output: command.output() };
    }

    for (const [signal, status] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
      ["SIGHUP", 129],
      ["SIGQUIT", 131],
    ] as const)
      test(`${signal} ends the command and its children, and the exit status is ${status}`, async () => {
        assert.equal((await signalScript(":", signal)).status, status);
      });

    test("the command may handle a signal, which it receives once even if it was sent twice", async () => {
      const { status, output } = await signalScript('trap "echo handled" TERM', "SIGTERM", 100, "SIGTERM");
      assert.deepEqual([status, output.match(/handled/g)?.length], [5, 1]);
    });

    test("the second signal kills a command that ignores the first one", async () => {
      assert.equal((await signalScript('trap "" TERM', "SIGTERM", 1000, "SIGTERM")).status, 137);
    });

    test("a signal before the command starts ends the sign-in", async () => {
      cli.server.delayTokenResponses(60_000);
      const count = cli.server.countTokenRequests();
      const { child, exited, output } = cli.start(["run", "--", "echo", "started"]);
      await waitUntil("a token is requested", () => cli.server.countTokenRequests() > count, 60_000);
      child.kill("SIGTERM");
      assert.equal(await exited, 143);
      assert.equal(output(), "");
      cli.server.delayTokenResponses(0);
    });
  });

  test("run ends processes that its command leaves in its group, even those that ignore SIGTERM", async () => {
    const { exitCode, stdout } = await cli.runScript('(trap "" TERM; sleep 1000) & echo $$; exit 4');
    assert.equal(exitCode, 4);
    await waitUntilGroupIsGone(stdout);
  });

  test("run does not wait for a daemon that keeps its output open", { skip: !canListProcesses }, async (t) => {
    const marker = `daemon-${process.pid}`;
    t.after(async () => {
      const daemons = await findProcesses(({ commandLine }) => commandLine.includes(marker));
      for (const { pid } of daemons) process.kill(pid, "SIGKILL");
    });
    const loop = `while :; do echo x; done # ${marker}`;
    for (const daemon of [`sleep 1000 # ${marker}`, loop]) {
      const script = `setsid sh -c '${daemon}' & sleep 0.3; echo last; exit 6`;
      const { exitCode, stdout } = await cli.runScript(script, [], LONG);
      assert.equal(exitCode, 6);
      assert.match(stdout, /^last$/m);
    }
  });

  test("the next call removes the auth file of a run that was killed", async () => {
    const { child, exited, output } = cli.start(["run", "--", "sh", "-c", "echo ready $SCM_AUTH_FILE; exec sleep 30"]);
    await waitUntil("the command has started", () => output().includes("ready"), 60_000);
    child.kill("SIGKILL");
    await exited;
    const [, file = ""] = /ready (\S+)/.exec(output()) ?? [];
    assert.ok(await exists(file));
    // This process has the same ID, but not the same start time.
    const reused = file.replace(/-\d+-\d*-(\w+\.json)$/, `-${process.pid}-1-$1`);
    await copyFile(file, reused);
    await cli.run(["token"]);
    assert.deepEqual([await exists(file), await exists(reused)], [false, process.platform !== "linux"]);
  });

  test("auth-file writes a file, prints its path, and reuses the token in it", async () => {
    const path = join(cli.directory, "file/auth.json");
    for (let count = 0; count < 2; count++) {
      const { exitCode, stdout, stderr } = await cli.run(["auth-file", path]);
      assert.deepEqual([exitCode, stdout, stderr], [0, `${path}\n`, ""]);
      assert.equal((await readAuthFileJson(path)).jwt, cli.server.issued.at(-1));
    }
    const foreign = join(cli.directory, "foreign.json");
    await writeFile(foreign, "{}");
    const rejected = await cli.run(["auth-file", foreign]);
    assert.equal(rejected.exitCode, 1);
    assert.match(rejected.stderr, /^error: .* already exists and was not created by scm-auth.\nhint: /);
    assert.equal(await readFile(foreign, "utf8"), "{}");
  });

  test("auth-file --watch serves tokens until a signal, and then removes the file", async () => {
    const path = join(cli.directory, "watch/auth.json");
    const { child, exited, output } = cli.start(["auth-file", path, "--watch"]);
    await waitUntil("the file has been written", () => output().includes(path), 60_000);
    const content = await readAuthFileJson(path);
    const second = await cli.run(["auth-file", path, "--watch"]);
    assert.match(second.stderr, /^error: .* is in use by another job/);
    assert.equal((await requestTokenAsProvider(content)).status, 200);
    child.kill("SIGTERM");
    assert.deepEqual([await exited, await exists(path)], [0, false]);
  });

  test("auth-file --watch fails when its file is removed", async () => {
    const path = join(cli.directory, "removed/auth.json");
    const { exited, output } = cli.start(["auth-file", path, "--watch"]);
    await waitUntil("the file has been written", () => output().includes(path), 60_000);
    await rm(path);
    assert.equal(await exited, 1);
    assert.match(output(), /error: the auth file was removed or replaced.\n/);
  });

  test("in a terminal, Ctrl+C reaches the command once, and the progress line is erased", async (t) => {
    if ((await findProgram("python3")) === undefined) {
      t.skip("python3, which opens a terminal, is not on PATH");
      return;
    }
    const script = 'trap "echo interrupted" INT; test -t 1 && echo ready; for i in 1 2 3 4; do sleep 0.5; done; exit 9';
    const python = `import os, pty, sys
pid, fd = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
text, sent = b"", False
while True:
    try: data = os.read(fd, 4096)
    except OSError: break
    if not data: break
    text += data
    if b"ready" in text and not sent: sent = os.write(fd, b"\\x03") > 0
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), repr(text))`;
    const command = [process.execPath, cli.entry, "run", "--", "sh", "-c", script];
    const { stdout } = await runProcess("python3", ["-c", python, ...command], {
      ...LONG,
      env: { ...cli.env, TERM: "xterm" },
    });
    assert.match(stdout, /^9 b'\\r\\x1b\[KSigning in as [^\\]*\\r\\x1b\[Kready\\r\\n/);
    assert.equal(stdout.match(/interrupted/g)?.length, 1, stdout);
    const failing = [process.execPath, cli.entry, "nosuch"];
    for (const [env, expected] of [
      [{}, /x1b\[31merror:/],
      [{ NO_COLOR: "1" }, /^2 b'error:/],
    ] as const) {
      const result = await runProcess("python3", ["-c", python, ...failing], {
        env: { ...cli.env, TERM: "xterm-256color", ...env },
      });
      assert.match(result.stdout, expected);
    }
  });

  test("the command of run inherits stdin", async () => {
    const { stdout } = await cli.run(["run", "--", "cat"], { input: "from stdin" });
    assert.equal(stdout, "from stdin");
  });
});

describe("renewals", { skip: isWindows }, () => {
  let cli: CommandLine;
  before(async () => {
    cli = await startCommandLine({ ttl: 8 });
  });
  after(() => cli.close());

  /** Waits in a script until the token in the auth file is a different one. */
  const WAIT = 'first=$(cat $SCM_AUTH_FILE); while [ "$(cat $SCM_AUTH_FILE)" = "$first" ]; do sleep 0.1; done';

  test("run renews the token in the file, and masks the new one", async () => {
    const { exitCode, stdout, stderr } = await cli.runScript(`${WAIT}; cat $SCM_AUTH_FILE; $SCM_AUTH token`, [], LONG);
    assert.deepEqual([exitCode, stderr], [0, ""]);
    assert.ok(cli.server.issued.length > 1);
    assertNoSecret({ stdout }, cli.server.issued);
    assert.match(stdout, /"jwt": "\*\*\*"[^]*\n\*\*\*\n$/);
  });

  test("run reports that the token cannot be renewed, and the command lives on", async () => {
    const { child, exited, output } = cli.start(["run", "--", "sh", "-c", `echo ready; ${WAIT}; echo renewed; exit 3`]);
    await waitUntil("the command has started", () => output().includes("ready"), 60_000);
    cli.server.failTokenRequests({ status: 503 });
    await waitUntil("the failure is reported", () => output().includes("note: the token was not renewed"), 60_000);
    cli.server.failTokenRequests(undefined);
    assert.equal(await exited, 3, output());
    assert.equal(output().match(/not renewed/g)?.length, 1);
    assert.match(output(), /note: the token was renewed.\n/);
    assert.match(output(), /^renewed$/m);
    assert.equal(child.exitCode, 3);
  });

  test("run warns if the auth server rejects the renewal", async () => {
    const { child, exited, output } = cli.start(["run", "--", "sh", "-c", "echo ready; exec sleep 60"]);
    await waitUntil("the command has started", () => output().includes("ready"), 60_000);
    cli.server.changeSecret("another secret");
    await waitUntil("the rejection is reported", () => output().includes("cannot be renewed"), 60_000);
    assert.match(output(), /warning: The token cannot be renewed. .*invalid_client.* The client ID or the secret/);
    child.kill("SIGTERM");
    assert.equal(await exited, 143);
    cli.server.changeSecret(cli.server.clientSecret);
  });

  test("run warns if its command removes the auth file", async () => {
    const { exitCode, stderr } = await cli.runScript('rm "$SCM_AUTH_FILE"; sleep 3; exit 2', [], LONG);
    assert.deepEqual([exitCode, stderr.includes("warning: The auth file was removed or replaced")], [2, true], stderr);
  });
});
