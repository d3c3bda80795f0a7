import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { removeFile } from "../../shared/handoff/replace-file.ts";
import { ensureAuthFile } from "../../shared/handoff/ensure-auth-file.ts";
import { startWriter, type Writer } from "../shared/handoff/writers.ts";
import { bundle } from "../support/bundled.ts";
import { startScmServer } from "../support/scm-server.ts";
import { FootprintWatch, type Footprint } from "./footprint.ts";
import { spawn } from "../support/searched-process.ts";
import type { Seen } from "./reader.ts";

/** What came of it. */
export interface WritersReport extends Seen {
  readonly seconds: number;
  /** Writers that were killed by SIGKILL, and how many of them held the lock. */
  readonly kills: number;
  readonly killedHolders: number;
  /** Files that killed writers had left beside the file when it was over. */
  readonly left: number;
  /** What of these was there still after the file was removed. */
  readonly leftovers: number;
  readonly tokenRequests: number;
  /** Of those writers that nobody killed, where the system tells. */
  readonly footprints: readonly Footprint[];
  /** Errors that writers told of, and whatever else should not be. */
  readonly faults: readonly string[];
}

/**
 * Life of a token in seconds, and what is asked to be left of it: so a new one is wanted every other second. The rest
 * outlives some holders of the lock that are killed in a row, for each of which all wait ten seconds.
 */
const TTL = 120;
const MIN_TTL = 118;
/** Writers that sign in, and others that write without the lock as fast as they can, as a keeper might. */
const SIGNING = 4;
const RENEWING = 4;
/** Who breaks the locks of the dead must live for longer than that takes. */
const PATIENT = 2;
const READERS = 2;
/** Milliseconds between two looks at what the patient take, and how many more files they may have open in the end. */
const WATCH = 500;
const MOST_FILES = 4;
/** A writer lives so long at most before it is killed, in milliseconds. */
const LONGEST_LIFE = 1200;
/** Every so many kills are aimed at who holds the lock. */
const AIMED = 20;

/**
 * Kills writers at random moments while readers look.
 *
 * @param seconds - how long
 * @param signal - ends it before
 */
export async function run(seconds: number, signal: AbortSignal): Promise<WritersReport> {
  const work = await mkdtemp(join(tmpdir(), "scm-auth-soak-"));
  const server = await startScmServer({ ttl: TTL });
  const { clientId, clientSecret, tokenUrl, ca } = server;
  const request = { clientId, clientSecret, tokenUrl, ca };
  const folder = join(work, "place");
  const path = join(folder, "auth.json");
  const state = { kills: 0, killedHolders: 0, errors: new Set<string>() };
  const running = new Set<Writer>();
  try {
    await Promise.all(["writer", "reader"].map((name) => mkdir(join(work, name))));
    const writer = await bundle("test/shared/handoff/writer.ts", join(work, "writer"));
    const reader = await bundle("test/soak/reader.ts", join(work, "reader"));
    await mkdir(folder, { mode: 0o700 });
    await ensureAuthFile(request, { path });
    const readers = Array.from({ length: READERS }, () => startReader(reader, path));
    const end = performance.now() + seconds * 1000;
    const isOver = (): boolean => signal.aborted || performance.now() >= end;

    /** One writer after the other, each killed at a random moment. */
    const seat = async (isRenewing: boolean): Promise<void> => {
      while (!isOver()) {
        const order = { path, request, minTtl: MIN_TTL, rounds: 1e6, isRenewing };
        const one = startWriter(writer, order);
        running.add(one);
        await delay(Math.random() * LONGEST_LIFE);
        if (++state.kills % AIMED === 0) await untilItHolds(one, path, isOver);
        const held = (await holderOf(path)) === one.child.pid;
        one.child.kill("SIGKILL");
        await one.ended;
        running.delete(one);
        if (held) state.killedHolders++;
        for (const said of one.said) if (!isFine(said)) state.errors.add(JSON.stringify(said));
      }
    };
    const patient = Array.from({ length: PATIENT }, () =>
      startWriter(writer, { path, request, minTtl: MIN_TTL, rounds: 1e6 }, seconds * 1000 + 60_000),
    );
    for (const one of patient) running.add(one);
    const watches = process.platform === "linux" ? patient.map(({ child }) => new FootprintWatch(child.pid ?? 0)) : [];
    const watchAll = async (): Promise<void> => {
      while (!isOver()) {
        await Promise.all(watches.map((watch) => watch.look()));
        await delay(WATCH);
      }
    };
    await Promise.all([
      watchAll(),
      ...Array.from({ length: SIGNING }, () => seat(false)),
      ...Array.from({ length: RENEWING }, () => seat(true)),
    ]);
    await Promise.all(
      patient.map(async (one) => {
        one.child.kill("SIGKILL");
        await one.ended;
        for (const said of one.said) if (!isFine(said)) state.errors.add(JSON.stringify(said));
      }),
    );
    const seen = await Promise.all(readers.map((one) => one()));
    const left = (await readdir(folder)).length - 1;
    await removeFile(path);
    const sum = (key: keyof Seen): number => seen.reduce((total, one) => total + one[key], 0);
    const leftovers = await readdir(folder);
    const footprints = watches.map(({ footprint }) => footprint);
    const none = {
      missing: sum("missing"),
      ended: sum("ended"),
      unparsable: sum("unparsable"),
      wrongModes: sum("wrongModes"),
    };
    return {
      seconds,
      kills: state.kills,
      killedHolders: state.killedHolders,
      looks: sum("looks"),
      ...none,
      left,
      leftovers: leftovers.length,
      tokenRequests: server.requests.filter(({ method }) => method === "POST").length,
      footprints,
      faults: [
        ...state.errors,
        ...footprints.flatMap(({ files }) => (files.last - files.first > MOST_FILES ? ["open files grew"] : [])),
        ...leftovers.map((name) => `${name} was left behind`),
        ...Object.entries(none).flatMap(([name, count]) => (count > 0 ? [`${name}: ${count}`] : [])),
      ],
    };
  } finally {
    for (const { child } of running) child.kill("SIGKILL");
    await server.close();
    await rm(work, { recursive: true, force: true });
  }
}

const isFine = (said: unknown): boolean => typeof said === "object" && said !== null && "minted" in said;

const holderOf = (path: string): Promise<number> =>
  readFile(join(path, "..", ".auth.json.lock"), "utf8").then(Number.parseInt, () => 0);

/** Waits for the moment when a writer has the lock, and then for a random one while it has it; a second at most. */
async function untilItHolds({ child }: Writer, path: string, isOver: () => boolean): Promise<void> {
  for (let look = 0; look < 500 && !isOver(); look++) {
    if ((await holderOf(path)) === child.pid) {
      await delay(Math.random() * 30);
      return;
    }
    await delay(2);
  }
}

/** Starts a reader; what is given back ends it and tells what it saw. */
function startReader(program: string, path: string): () => Promise<Seen> {
  const child = spawn(process.execPath, [program, path], { stdio: ["pipe", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (data: Buffer) => (text += data.toString()));
  return async () => {
    child.stdin.end();
    await once(child, "close");
    return JSON.parse(text) as Seen;
  };
}
