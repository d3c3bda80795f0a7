import type { LookupAddress } from "node:dns";
import type { Socket } from "node:net";
import type { SecureContext } from "node:tls";
import type { Clock, Milliseconds } from "../../shared/clock.ts";
import { abortedError, AuthError } from "../../shared/report/errors.ts";

/** Finds all addresses of a host, as `dns.lookup` does. */
export type Lookup = (
  host: string,
  done: (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void,
) => void;

/** What the way to a server is tried with. */
export interface WayOptions {
  /** Whom to trust, when not as node does by itself. */
  readonly secureContext: SecureContext | undefined;
  /** When all must be over, on the monotonic clock. */
  readonly deadline: Milliseconds;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly lookup?: Lookup | undefined;
}

/** One step of the way that takes longer has failed: whole requests to a healthy server take a tenth of that. */
const LONGEST: Milliseconds = 15_000;

/** What every step has in common: an end in time, and sockets that are closed behind it. */
export class Way {
  readonly options: WayOptions;
  readonly #sockets: Socket[] = [];

  constructor(options: WayOptions) {
    this.options = options;
  }

  keep<S extends Socket>(socket: S): S {
    this.#sockets.push(socket);
    // Whoever waits for it hears of it; later there is nobody.
    socket.on("error", () => undefined);
    return socket;
  }

  /** The outermost first: TLS whose connection is taken away beneath it has been seen to end node (24.21). */
  close(): void {
    for (const socket of this.#sockets.toReversed()) socket.destroy();
  }

  /**
   * Waits for what `begin` starts.
   *
   * @param late - the error when the time is up
   * @param meaning - the error that a failure of node's stands for; what is one of ours already stays
   * @throws AuthError
   */
  async wait<T>(
    late: (limit: Milliseconds) => AuthError,
    meaning: (error: unknown) => AuthError,
    begin: (resolve: (value: T) => void, reject: (error: unknown) => void) => void,
  ): Promise<T> {
    const { clock, deadline, signal } = this.options;
    const limit = Math.max(1, Math.min(LONGEST, deadline - clock.monotonic()));
    let callOff = (): void => undefined;
    let onAbort = (): void => undefined;
    try {
      return await new Promise<T>((resolve, reject: (error: unknown) => void) => {
        onAbort = () => {
          reject(abortedError());
        };
        signal.addEventListener("abort", onAbort, { once: true });
        callOff = clock.after(limit, () => {
          reject(late(limit));
        });
        if (signal.aborted) onAbort();
        else begin(resolve, reject);
      });
    } catch (error) {
      throw AuthError.isAuthError(error) ? error : meaning(error);
    } finally {
      callOff();
      signal.removeEventListener("abort", onAbort);
    }
  }
}

/** The port that a URL means. */
export const portOf = ({ port, protocol }: URL): number =>
  port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);

/** Host and port, nothing else of a URL. */
export const addressOf = (url: URL): string => `${url.hostname}:${portOf(url)}`;
