import type { Milliseconds } from "../../shared/clock.ts";
import type { WatchedProcess } from "./job-watch.ts";

/**
 * All that a keeper is told. It goes through the keeper's standard input alone: environment and arguments can be
 * read by other processes of the same user.
 */
export interface KeeperOrder {
  readonly request: {
    readonly clientId: string;
    readonly clientSecret: string;
    readonly scope: string;
    readonly tokenUrl: string;
    readonly jwksUrl: string;
    readonly ca: string | undefined;
  };
  /** With a CA of the user's: what main's node trusts beside it, PEM texts. */
  readonly roots: readonly string[] | undefined;
  readonly verify: boolean;
  /** The token to begin with. */
  readonly token: {
    readonly value: string;
    /** In milliseconds since 1970 UTC. */
    readonly expiresAt: Milliseconds | undefined;
    /** What is left of its life when the order goes out. */
    readonly lifetime: Milliseconds | undefined;
    /** Its whole life. */
    readonly life: Milliseconds | undefined;
    readonly scope: string;
  };
  /** Absolute path of the auth file. */
  readonly path: string;
  /** What stands in the file instead of the client's secret: good on loopback, for this job. */
  readonly jobSecret: string;
  /** Digest that tells this job from others. */
  readonly job: string;
  /** The process whose end is the job's end; undefined where it can't be recognised. */
  readonly watched: WatchedProcess | undefined;
}

/** What a keeper answers once it listens, and what it ends with when it can't. */
export type KeeperAnswer = { readonly port: number } | { readonly failed: string };

/** What main sends when the file stands. */
export const FILE_STANDS = "the file stands";

const LENGTH_BYTES = 4;
/** Far more than a bundle of certificates takes. */
const LARGEST_ORDER = 64 * 1024 * 1024;

/** An order as bytes: its length in front, so that a cut one is told from a whole one. */
export function frameOrder(order: KeeperOrder): Buffer {
  const body = Buffer.from(JSON.stringify(order));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** Reads one framed order. @throws Error when the stream ends before the order does */
export async function readOrder(stream: AsyncIterable<Buffer>): Promise<KeeperOrder> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of stream) {
    bytes = Buffer.concat([bytes, chunk]);
    const length = bytes.length < LENGTH_BYTES ? LARGEST_ORDER : bytes.readUInt32BE();
    if (length > LARGEST_ORDER) break;
    if (bytes.length >= LENGTH_BYTES + length)
      return JSON.parse(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length).toString()) as KeeperOrder;
  }
  throw new Error("the order was cut");
}
