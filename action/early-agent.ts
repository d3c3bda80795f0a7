import type { Duplex } from "node:stream";
import { Agent, type AgentOptions } from "node:https";
import type { EarlySocket } from "./early-sockets.ts";

/** Gives each request a connection that was opened early to its server while there is one, then new ones as ever. */
export class EarlyAgent extends Agent {
  readonly #sockets: Set<EarlySocket>;

  constructor(sockets: readonly EarlySocket[]) {
    super();
    this.#sockets = new Set(sockets);
  }

  override createConnection(
    options: AgentOptions & { readonly host?: string; readonly port?: number },
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const socket = this.#take(options.host, Number(options.port));
    socket?.ref();
    return super.createConnection(socket ? Object.assign(options, { socket }) : options, callback);
  }

  #take(host: string | undefined, port: number) {
    for (const early of this.#sockets) {
      if (early.host !== host || early.port !== port) continue;
      this.#sockets.delete(early);
      if (!early.socket.destroyed) return early.socket;
    }
    return undefined;
  }
}
