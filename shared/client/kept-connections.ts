import { Agent } from "node:https";
import type { Socket } from "node:net";
import type { Milliseconds } from "../clock.ts";

/** Firewalls forget idle connections without a word, and some servers close them after as little as this. */
const IDLE: Milliseconds = 4000;

/**
 * TLS connections that stay open for the calls that follow: a new one costs two round trips and a handshake. An idle
 * one ends after a few seconds, and keeps no process alive meanwhile (node unrefs it).
 */
export class KeptConnections extends Agent {
  readonly #idle: Milliseconds;

  /** @param idle - how long an idle connection stays open */
  constructor(idle: Milliseconds = IDLE) {
    super({ keepAlive: true, scheduling: "lifo" });
    this.#idle = idle;
  }

  /** Called by node when a call is over. The agent destroys free sockets whose time is out. */
  override keepSocketAlive(socket: Socket): boolean {
    // Node's types say that nothing comes back; the documentation and the code say otherwise.
    const kept = (super.keepSocketAlive as (socket: Socket) => boolean).call(this, socket);
    if (kept) socket.setTimeout(this.#idle);
    return kept;
  }
}
