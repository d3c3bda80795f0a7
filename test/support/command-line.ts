import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildCommand } from "../../scripts/build/command.ts";
import { runProcess, type ProcessOptions, type ProcessResult } from "./processes.ts";
import { startScmServer, type ScmServer, type ScmServerOptions } from "./scm-server.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Writes programs into a directory to be put into PATH: `scm-auth`, and one that installs it without doing anything. */
export async function createProgramDirectory(directory: string): Promise<string> {
  const entry = join(directory, "scm-auth.cjs");
  const bin = join(directory, "bin");
  await mkdir(bin, { recursive: true });
  await writeFile(entry, (await buildCommand())["scm-auth.cjs"] ?? "");
  const programs: Readonly<Record<string, string>> = {
    // Every call has a cache of its own, as on another machine.
    "scm-auth": `export XDG_RUNTIME_DIR="$(mktemp -d "${directory}/XXXXXX")"\nexec ${process.execPath} ${entry} "$@"`,
    npm: 'case "$*" in "install --global scm-auth" | "install --global --silent scm-auth") ;; *) exit 1 ;; esac',
    npx: '[ "$1" = --yes ] && shift && exec "$@"',
    node: `exec ${process.execPath} "$@"`,
  };
  for (const [name, script] of Object.entries(programs))
    await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return bin;
}

/** A process of the command that is still running. */
export interface RunningCommand {
  readonly child: ChildProcess;
  /** What it has written to both streams. */
  readonly output: () => string;
  /** Resolves to the exit code, or to the name of the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
}

/** The built command `scm-auth`, and a server that it signs in to. */
export interface CommandLine {
  readonly server: ScmServer;
  /** The built file. */
  readonly entry: string;
  /** A directory that is removed at the end. */
  readonly directory: string;
  /** The user's directory for tokens. */
  readonly cache: string;
  /** The environment of the command. In it, `$SCM_AUTH` is the command, to be used without quotes. */
  readonly env: Environment;
  readonly run: (args: readonly string[], options?: ProcessOptions) => Promise<ProcessResult>;
  /** Runs `scm-auth run` with options and a shell script. */
  readonly runScript: (script: string, options?: readonly string[], more?: ProcessOptions) => Promise<ProcessResult>;
  /** Starts the command in a process group of its own. */
  readonly start: (args: readonly string[], env?: Environment) => RunningCommand;
  readonly close: () => Promise<void>;
}

export async function startCommandLine(options: ScmServerOptions = {}): Promise<CommandLine> {
  const server = await startScmServer(options);
  const directory = await mkdtemp(join(tmpdir(), "scm-auth-cli-"));
  const entry = join(directory, "scm-auth.cjs");
  await writeFile(entry, (await buildCommand())["scm-auth.cjs"] ?? "");
  await writeFile(join(directory, "ca.pem"), server.ca);
  await mkdir(join(directory, "runtime"), { mode: 0o700 });
  const env: Environment = {
    PATH: process.env["PATH"],
    HOME: directory,
    XDG_RUNTIME_DIR: join(directory, "runtime"),
    NODE_EXTRA_CA_CERTS: join(directory, "ca.pem"),
    SCM_CLIENT_ID: server.clientId,
    SCM_CLIENT_SECRET: server.clientSecret,
    SCM_TSG_ID: server.tsgId,
    SCM_TOKEN_URL: server.tokenUrl,
    SCM_AUTH: `${process.execPath} ${entry}`,
  };
  const run: CommandLine["run"] = (args, more = {}) =>
    runProcess(process.execPath, [entry, ...args], { timeoutMs: 60_000, ...more, env: { ...env, ...more.env } });
  return {
    ...{ server, entry, directory, env, run },
    cache: join(directory, "runtime/scm-auth"),
    runScript: (script, args = [], more = {}) => run(["run", ...args, "--", "sh", "-c", script], more),
    start: (args, more = {}) => {
      const child = spawn(process.execPath, [entry, ...args], {
        env: { ...env, ...more },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
      });
      let text = "";
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      const exited = once(child, "exit").then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
      return { child, output: () => text, exited };
    },
    close: async () => {
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
