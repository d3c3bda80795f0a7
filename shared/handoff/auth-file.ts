import { basename, resolve } from "node:path";
import { systemClock, type Clock, type Random, type Seconds } from "../clock.ts";
import { abortedError, configError } from "../report/errors.ts";
import type { AccessToken } from "../token/access-token.ts";
import type { AuthRequest } from "../token/auth-request.ts";
import { entryOf, formatAuthFile, type Endpoint } from "./auth-file-format.ts";
import { aboutFile } from "./file-error.ts";
import { judgeFolder } from "./file-folder.ts";
import { withFileLock } from "./file-lock.ts";
import { AuthFileLook, isPrivate, type Found, type ProvedToken, type LookOptions } from "./found-auth-file.ts";
import { livesLongEnough } from "./life-left.ts";
import { replaceFile, sweepTemporaries } from "./replace-file.ts";

/** Who does what the auth file needs of the world beside the disk. */
export interface AuthFilePorts extends Pick<LookOptions, "prove" | "askEndpoint"> {
  /** Signs in. */
  readonly mint: () => Promise<AccessToken>;
  /**
   * Starts to serve a token on loopback. Called when no endpoint that lives was found: with the token in hand, and
   * before the file is written.
   */
  readonly serve?: ((token: AccessToken) => Promise<Endpoint>) | undefined;
}

/** The auth file that is wanted. */
export interface AuthFileOrder {
  readonly request: AuthRequest;
  /** May be relative to the working folder. */
  readonly path: string;
  /** Life that a token found there must have left. Default: 300, at most a third of its life. */
  readonly minTtl?: Seconds | undefined;
  /** When false nothing of a file is used again, since nothing in it would be proved. */
  readonly verify: boolean;
  /** Digest that tells this job from others. An endpoint found must belong to it. */
  readonly job?: string | undefined;
  /** Only renews a file that is there: one that was removed does not come back. Default: false. */
  readonly renewOnly?: boolean | undefined;
  /** A folder that the platform itself gave this job, whoever owns it. */
  readonly trustedFolder?: string | undefined;
  readonly signal: AbortSignal;
  /** For everything. Two thirds of it are spent on waiting for another process at most, which may do the work. */
  readonly timeout: Seconds;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** An auth file that is as it must be. */
export interface MadeSure {
  /** Absolute. */
  readonly path: string;
  /** What stands in it. */
  readonly token: AccessToken;
  /** Whether this call asked for it. */
  readonly minted: boolean;
  /** The endpoint that the file names; undefined when it names none. */
  readonly endpoint: Endpoint | undefined;
  /** Whether the endpoint was there before. */
  readonly foundEndpoint: boolean;
  /** Sentences for the user. */
  readonly warnings: readonly string[];
}

/** The share of the time that may be spent on waiting for the lock. */
const WAITING = 2 / 3;
/** The file is looked at anew so often when it changes while a new one is made ready. */
const ROUNDS = 3;
/** A temporary file that is older has no writer any more, in milliseconds. */
const ABANDONED = 60_000;

/**
 * Makes sure that there is an auth file with a token that lives: the one found, when all of it can be proved, or a new
 * one. Of any number of processes that want the same file at once one signs in, and the others take its token.
 *
 * @throws AuthError: of kind `config` when the path, its folder or what lies there forbid it, or what `mint` throws
 */
export async function makeSureOfAuthFile(order: AuthFileOrder, ports: AuthFilePorts): Promise<MadeSure> {
  const { clock = systemClock, random = Math.random, signal, timeout } = order;
  const deadline = clock.monotonic() + timeout * 1000 * WAITING;
  const path = judgePath(order.path);
  if (signal.aborted) throw abortedError();
  const warnings = await judgeFolder(path, { trusted: order.trustedFolder });
  const making = new Making({ ...order, path, clock }, ports);
  const done = () => making.found();
  const lock = { clock, random, signal, deadline };
  const made = (await done()) ?? (await withFileLock(path, lock, () => making.make(), { done }));
  return { path, ...made, warnings };
}

/**
 * The absolute path of an auth file.
 *
 * @throws AuthError of kind `config` when it can be none
 */
export function judgePath(path: string): string {
  const fault =
    path.trim() === ""
      ? "is blank"
      : path.includes("\0")
        ? "holds a NUL character"
        : /[/\\]$/.test(path) || /^\.{1,2}$/.test(basename(path))
          ? "names a folder"
          : undefined;
  if (fault === undefined) return resolve(path);
  throw configError([{ field: "authFile", reason: fault, hint: "Give the path of a file." }]);
}

type Made = Omit<MadeSure, "path" | "warnings">;

/** The making of one file, from the first look at it to the last. */
class Making {
  readonly #order: AuthFileOrder & { readonly clock: Clock };
  readonly #ports: AuthFilePorts;
  readonly #file: AuthFileLook;
  /** What was made in an earlier round and is still good. */
  #minted: ProvedToken | undefined;
  #served: Endpoint | undefined;

  constructor(order: AuthFileOrder & { readonly clock: Clock }, ports: AuthFilePorts) {
    const { path, request, verify, job, clock } = order;
    this.#order = order;
    this.#ports = ports;
    const { prove, askEndpoint } = ports;
    this.#file = new AuthFileLook({ path, request, verify, job, clock, prove, askEndpoint });
  }

  /** The file as it was found, when nothing is left to do. */
  async found(): Promise<Made | undefined> {
    return this.#asIs(await this.#file.look());
  }

  /** Makes what is missing, and writes it. */
  async make(): Promise<Made> {
    const { path, clock, renewOnly = false } = this.#order;
    await sweepTemporaries(path, ABANDONED, clock.wall());
    for (let round = 1; ; round++) {
      const found = await this.#file.look();
      const asIs = this.#asIs(found);
      if (asIs !== undefined) return asIs;
      if (renewOnly && found.file === undefined) throw aboutFile(path, "was removed", "auth_file_path");
      const held =
        found.held !== undefined && this.#isEnough(found.held) ? found.held : (this.#minted ??= await this.#mint());
      const endpoint = found.endpoint ?? (this.#served ??= await this.#ports.serve?.(held.token));
      // Its keeper may renew it meanwhile, and an older token must not take the place of a newer one.
      const lastRound = renewOnly ? () => this.#file.isThere() : undefined;
      const stillWanted = round < ROUNDS ? () => this.#file.isStill(found) : lastRound;
      if (await replaceFile(path, this.#text(held, endpoint), { stillWanted, clock }))
        return this.#made(held, endpoint, found);
    }
  }

  #asIs(found: Found): Made | undefined {
    const { file, held, endpoint } = found;
    if (file === undefined || held === undefined || !this.#isEnough(held)) return undefined;
    if (endpoint === undefined && this.#ports.serve !== undefined) return undefined;
    // Fields that somebody planted are worth a new file, too.
    const isRight = isPrivate(file) && file.text === this.#text(held, endpoint);
    return isRight ? this.#made(held, endpoint, found) : undefined;
  }

  #isEnough(held: ProvedToken): boolean {
    return livesLongEnough(held, this.#order.minTtl, this.#order.clock);
  }

  async #mint(): Promise<ProvedToken> {
    const { clock, signal } = this.#order;
    const token = await this.#ports.mint();
    if (signal.aborted) throw abortedError();
    return { token, wall: clock.wall(), monotonic: clock.monotonic() };
  }

  #text({ token, wall }: ProvedToken, endpoint: Endpoint | undefined): string {
    return formatAuthFile(entryOf(this.#order.request, token, wall, endpoint));
  }

  #made(held: ProvedToken, endpoint: Endpoint | undefined, found: Found): Made {
    const foundEndpoint = endpoint !== undefined && endpoint === found.endpoint;
    return { token: held.token, minted: held === this.#minted, endpoint, foundEndpoint };
  }
}
