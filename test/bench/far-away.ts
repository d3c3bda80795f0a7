import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import type { Milliseconds } from "../../shared/clock.ts";

/** A way to a server that is long. */
export interface LongWay {
  readonly port: number;
  readonly close: () => Promise<void>;
}

const LOOPBACK = "127.0.0.1";

/**
 * Starts a TCP proxy on loopback behind which a server seems to be far away: every piece of a connection takes half
 * the round trip in its direction, and the first ones of the client wait for one more, which TCP's handshake would
 * have taken.
 *
 * @param target - port of the server on loopback
 */
export async function startLongWay(target: number, roundTrip: Milliseconds): Promise<LongWay> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket.setNoDelay());
    socket.once("close", () => sockets.delete(socket));
    return socket;
  };
  const proxy = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    keep(client);
    const server = keep(connect({ port: target, host: LOOPBACK, allowHalfOpen: true }));
    carry(client, server, { delay: roundTrip / 2, openAt: performance.now() + roundTrip });
    carry(server, client, { delay: roundTrip / 2, openAt: 0 });
  });
  await new Promise<void>((resolve) => proxy.listen(0, LOOPBACK, resolve));
  return {
    port: (proxy.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        proxy.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** One direction: pieces, and the end after them, come out late and in their order. */
function carry(
  from: Socket,
  to: Socket,
  { delay, openAt }: { readonly delay: Milliseconds; readonly openAt: Milliseconds },
): void {
  // A queue, since of two timers that end together the later one may come first.
  const waiting: (() => void)[] = [];
  let lastAt = 0;
  const later = (work: () => void): void => {
    waiting.push(work);
    const now = performance.now();
    lastAt = Math.max(lastAt, Math.max(now, openAt) + delay);
    setTimeout(() => waiting.shift()?.(), lastAt - now);
  };
  from.on("data", (piece: Buffer) => {
    later(() => to.write(piece));
  });
  from.on("end", () => {
    later(() => to.end());
  });
  from.on("error", () => to.destroy());
}
