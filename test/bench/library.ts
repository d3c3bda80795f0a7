import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Row } from "./row.ts";
import type { Stage } from "./stage.ts";

/** What was measured of the library. */
export interface LibraryFigures {
  /** Nanoseconds of processor time for a call, of many made one after another. */
  readonly warm: { readonly floor: readonly number[]; readonly ours: readonly number[] };
  /** Bytes that the heap grew by over `CALLS` calls. */
  readonly growth: readonly number[];
  /** Milliseconds until all of `CALLERS` have the first token. */
  readonly cold: { readonly floor: readonly number[]; readonly ours: readonly number[] };
  /** Token requests of one such herd, on average. */
  readonly askedByHerd: number;
  /** Milliseconds of a whole sign-in, without and with an authority of the user's. */
  readonly signIn: Readonly<Record<"floor" | "ours" | "floorByField" | "oursByField", readonly number[]>>;
}

/** Calls made one after another. */
export const CALLS = 100_000;
/** Calls made at once. */
export const CALLERS = 10_000;
const thousands = (count: number): string => count.toLocaleString("en");

/** `OAuth2Client`, in a process of its own, so that the server's work and heap stay out of what is measured. */
export async function measureLibrary({ server, caFile, runs, signal }: Stage): Promise<readonly Row[]> {
  const child = fork(fileURLToPath(new URL("library-process.ts", import.meta.url)), [String(runs)], {
    execArgv: ["--expose-gc"],
    signal,
    env: {
      PATH: process.env["PATH"],
      NODE_EXTRA_CA_CERTS: caFile,
      SCM_CLIENT_ID: server.clientId,
      SCM_CLIENT_SECRET: server.clientSecret,
      SCM_TSG_ID: server.tsgId,
      SCM_TOKEN_URL: server.tokenUrl,
    },
  });
  const told: { figures?: LibraryFigures } = {};
  child.once("message", (figures) => (told.figures = figures as LibraryFigures));
  const [code] = (await once(child, "close")) as [number | null];
  if (told.figures === undefined) throw new Error(`the library's process ended with ${String(code)} and no figures`);
  const { warm, growth, cold, askedByHerd, signIn } = told.figures;
  const row = (
    what: string,
    unit: Row["unit"],
    value: readonly number[],
    than: string,
    other: readonly number[],
  ): Row => ({
    ...{ what, unit, value },
    against: { what: than, value: other },
  });
  const herd = `${thousands(CALLERS)} callers before the first token, ${askedByHerd} token request${askedByHerd === 1 ? "" : "s"}`;
  return [
    row("`accessToken()`, the token lives", "ns", warm.ours, "async function that does nothing", warm.floor),
    { what: `heap after ${thousands(CALLS)} such calls`, unit: "KiB", value: growth.map((bytes) => bytes / 1024) },
    row(herd, "ms", cold.ours, "one raw sign-in for all", cold.floor),
    row("`connect()`", "ms", signIn.ours, "raw sign-in", signIn.floor),
    row("`connect()`, field `ca`", "ms", signIn.oursByField, "raw sign-in, the same trust", signIn.floorByField),
  ];
}
