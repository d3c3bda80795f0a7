import {
  execFile,
  spawn as spawnChild,
  type ChildProcess,
  type ExecFileOptions,
  type SpawnOptions,
} from "node:child_process";
import { basename } from "node:path";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { assertNoCanary, assertNoSecret, canBeCanary, type Places, type Shown } from "./canaries.ts";

/**
 * The one way in which tests start processes (a rule in eslint.config.js sees to it): all that one writes is searched
 * for every secret of the tests, and for those that its environment gave it.
 */

type Environment = Readonly<Record<string, string | undefined>> | undefined;

/** What may be seen of a process. */
const shownBy = new WeakMap<ChildProcess, Shown>();

/** Lets a process that was just started show secrets of some sorts. */
export function mayShow<Child extends ChildProcess>(child: Child, shown: Shown): Child {
  shownBy.set(child, shown);
  return child;
}

/** Processes whose streams have not closed. */
const unsearched = new Set<() => void>();
process.once("exit", () => {
  for (const search of unsearched) search();
});

/**
 * As node's. When the streams of the process have closed, what came by them is searched. What a process inherits
 * comes by this one, and so is searched, too.
 *
 * @throws Error, into the void, when a secret can be seen: the test that runs then fails, or else its file
 */
export const spawn = ((command: string, args: readonly string[] = [], options: SpawnOptions = {}): ChildProcess => {
  const given = options.stdio ?? "pipe";
  const stdio = typeof given === "string" ? [given, given, given] : given;
  const inherits = [1, 2].filter((fd) => stdio[fd] === "inherit" || stdio[fd] === fd);
  const piped = stdio.map((io, fd) => (inherits.includes(fd) ? "pipe" : io));
  const child = spawnChild(command, args, { ...options, stdio: piped });
  const [stdout, stderr] = [keep(child.stdout), keep(child.stderr)];
  // Not by pipes: fifty into one stream are more listeners than node likes.
  if (inherits.includes(1)) child.stdout?.on("data", (data: Buffer) => process.stdout.write(data));
  if (inherits.includes(2)) child.stderr?.on("data", (data: Buffer) => process.stderr.write(data));
  const search = (): void => {
    unsearched.delete(search);
    searchIn([command, ...args], { stdout: stdout(), stderr: stderr() }, options.env, shownBy.get(child));
  };
  unsearched.add(search);
  child.once("close", () => void intoTheVoid(search));
  return child;
}) as typeof spawnChild;

/** Runs a program to its end. @throws as node's `execFile`; and into the void, as {@link spawn} */
export async function run(
  command: string,
  args: readonly string[],
  options: ExecFileOptions = {},
  shown: Shown = {},
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const search = ({ stdout = "", stderr = "" }: Readonly<Record<string, string>>): Promise<void> =>
    intoTheVoid(() => {
      searchIn([command, ...args], { stdout, stderr }, options.env, shown);
    });
  try {
    const ended = await promisify(execFile)(command, args, { ...options, encoding: "utf8" });
    await search(ended);
    return ended;
  } catch (error) {
    await search(error as Readonly<Record<string, string>>);
    throw error;
  }
}

/** Searches where no test can catch what is thrown, and where it keeps nobody from hearing of an end. */
const intoTheVoid = (search: () => void): Promise<void> =>
  new Promise((resolve) => {
    process.nextTick(() => {
      try {
        search();
      } finally {
        resolve();
      }
    });
  });

/** What has come by a stream so far. Reading it is left to whom the process belongs. */
function keep(stream: Readable | null): () => Buffer {
  const chunks: Buffer[] = [];
  if (stream !== null) {
    const push = stream.push.bind(stream);
    stream.push = (chunk: Buffer | null, encoding) => {
      if (chunk !== null) chunks.push(chunk);
      return push(chunk, encoding);
    };
  }
  return () => Buffer.concat(chunks);
}

function searchIn(commandLine: readonly string[], written: Places, env: Environment, shown: Shown = {}): void {
  const [command = "", ...args] = commandLine;
  const program = [command, ...args.filter((arg) => /\.(c|m)?[jt]s$/.test(arg))]
    .map((path) => basename(path))
    .join(" ");
  const places = Object.fromEntries(
    Object.entries(written).map(([stream, bytes]) => [`${stream} of ${program}`, bytes]),
  );
  assertNoSecret(places, shown);
  for (const [sort, secrets] of Object.entries(secretsIn(env ?? process.env)))
    if (!(sort in shown)) assertNoCanary(secrets, places);
}

/** Variables that hold a secret by what they are called. A sealed token is none to who lacks the secret. */
const NAMES = { "client secret": /SECRET/i, password: /PASSWORD/i, token: /(?<!SEALED[-_])(?:TOKEN|JWT)$/i };

/** The secrets that an environment gives: by the variables' names, and the passwords in the addresses of proxies. */
function secretsIn(env: NonNullable<Environment>): Readonly<Record<keyof typeof NAMES, readonly string[]>> {
  const variables = Object.entries(env).map(([name, value = ""]) => [name, value] as const);
  const named = (pattern: RegExp): readonly string[] =>
    variables.filter(([name, value]) => pattern.test(name) && canBeCanary(value)).map(([, value]) => value);
  const inAddresses = variables.flatMap(([name, value]) =>
    /proxy$/i.test(name) ? (/\/\/[^/]*?:([^/]*)@/.exec(value)?.[1] ?? []) : [],
  );
  return {
    "client secret": named(NAMES["client secret"]),
    password: [...named(NAMES.password), ...inAddresses.filter(canBeCanary)],
    token: named(NAMES.token),
  };
}
