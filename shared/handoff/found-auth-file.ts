import type { Clock, Milliseconds } from "../clock.ts";
import { AuthError } from "../report/errors.ts";
import type { AccessToken } from "../token/access-token.ts";
import type { AuthRequest } from "../token/auth-request.ts";
import { belongsTo, isOurs, parseAuthFile, type AuthFileEntry, type Endpoint } from "./auth-file-format.ts";
import { aboutFile } from "./file-error.ts";
import { readOwnFile, type OwnFile } from "./own-file.ts";

/** A token and the moment from which its `lifetime` counts. */
export interface ProvedToken {
  readonly token: AccessToken;
  readonly wall: Milliseconds;
  readonly monotonic: Milliseconds;
}

/** Proving a token that was found is worth this share of the time that is left, or there would be none to sign in. */
export const PROVING = 1 / 3;

/** What of a path's file may be used again. */
export interface Found {
  /** What lies there; undefined when nothing does. */
  readonly file: OwnFile | undefined;
  /** Proved just now. */
  readonly held: ProvedToken | undefined;
  /** Lives, and belongs to this job. */
  readonly endpoint: Endpoint | undefined;
  /** Why the file's own token is of no use; undefined when it is of use, or was not looked at. */
  readonly fault?: AuthError;
}

/** How a file is looked at. */
export interface LookOptions {
  readonly path: string;
  readonly request: AuthRequest;
  /** Whether anything of a file may be used again: only what can be proved is. */
  readonly verify: boolean;
  /** Digest of the job that an endpoint must belong to. Default: any. */
  readonly job?: string | undefined;
  readonly clock: Clock;
  /** Proves a stranger's token. */
  readonly prove: (raw: string) => Promise<AccessToken>;
  /** Asks the endpoint that a file names; undefined: it is dead. */
  readonly askEndpoint?:
    ((entry: AuthFileEntry) => Promise<{ readonly token: string; readonly job: string } | undefined>) | undefined;
}

const NOTHING = { held: undefined, endpoint: undefined };

/** Looks at the file at one path, again and again, and proves what it says once for each text that it ever held. */
export class AuthFileLook {
  readonly #options: LookOptions;
  #last: Found | undefined;

  constructor(options: LookOptions) {
    this.#options = options;
  }

  /**
   * What lies there now.
   *
   * @throws AuthError of kind `config` when it must stay as it is: another's file, identity or job
   */
  async look(): Promise<Found> {
    const file = await readOwnFile(this.#options.path);
    if (this.#last?.file !== undefined && isSame(file, this.#last.file)) return this.#last;
    this.#last = await this.#judge(file);
    return this.#last;
  }

  /** Whether there lies what `found` tells of. */
  async isStill(found: Found): Promise<boolean> {
    return isSame(await readOwnFile(this.#options.path), found.file);
  }

  /** Whether anything lies there. */
  async isThere(): Promise<boolean> {
    return (await readOwnFile(this.#options.path)) !== undefined;
  }

  async #judge(file: OwnFile | undefined): Promise<Found> {
    if (file === undefined || file.text === "") return { ...NOTHING, file };
    const { path, request } = this.#options;
    const entry = parseAuthFile(file.text);
    if (entry === undefined || !isOurs(entry))
      throw aboutFile(path, "is there already and not by scm-auth", "auth_file_foreign");
    // Others could read the job's secret, or have written the file.
    if (!isPrivate(file))
      return { ...NOTHING, file, fault: aboutFile(path, "is open to other users", "auth_file_unsafe") };
    return belongsTo(entry, request) ? this.#reusable(file, entry) : this.#replaceable(file, entry);
  }

  /** A file of this identity: its token and its endpoint, as far as they can be proved. */
  async #reusable(file: OwnFile, entry: AuthFileEntry): Promise<Found> {
    const { path, job, verify, askEndpoint } = this.#options;
    const answer = await askEndpoint?.(entry);
    if (answer !== undefined && job !== undefined && answer.job !== job)
      throw aboutFile(path, "is in use by another job, which keeps it fresh", "auth_file_in_use");
    if (!verify) return { ...NOTHING, file };
    const served = answer && (await this.#prove(answer.token));
    if (served?.held !== undefined) {
      const { authUrl, clientSecret } = entry;
      return { file, held: served.held, endpoint: { authUrl, clientSecret } };
    }
    return { ...NOTHING, file, ...(await this.#prove(entry.jwt)) };
  }

  /** A file of another identity, which may go when nobody can be using it. */
  async #replaceable(file: OwnFile, entry: AuthFileEntry): Promise<Found> {
    const { path, clock, askEndpoint } = this.#options;
    const lives = entry.jwtExpiresAt > clock.wall() || (await askEndpoint?.(entry)) !== undefined;
    if (lives)
      throw aboutFile(
        path,
        "is in use for another identity (client id or scope), whose token lives",
        "auth_file_in_use",
      );
    return { ...NOTHING, file };
  }

  async #prove(raw: string): Promise<{ readonly held: ProvedToken } | { readonly held?: never; fault: AuthError }> {
    const { clock, prove } = this.#options;
    try {
      return { held: { token: await prove(raw), wall: clock.wall(), monotonic: clock.monotonic() } };
    } catch (error) {
      if (!AuthError.isAuthError(error) || error.kind === "aborted") throw error;
      // Ended, forged, or nobody can tell now: who can asks for a new one, and its failure says why.
      return { fault: error };
    }
  }
}

const isSame = (a: OwnFile | undefined, b: OwnFile | undefined): boolean =>
  a?.text === b?.text && a?.mode === b?.mode && a?.ino === b?.ino;

/** Nobody else may read or write it. Modes mean nothing on Windows. */
export const isPrivate = ({ mode }: Pick<OwnFile, "mode">): boolean =>
  process.getuid === undefined || (mode & 0o077) === 0;
