import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A TCP proxy on the loopback interface that makes a server appear far away. */
export interface LatencyProxy {
  readonly port: number;
  readonly close: () => Promise<void>;
}

const LOOPBACK = "127.0.0.1";

/**
 * Starts a proxy that delays every chunk by half a round trip. It cannot delay the TCP handshake, so it delays the
 * first chunk from each client by another full round trip.
 *
 * @param target - the server's port on the loopback interface
 * @param roundTrip - the round-trip time in milliseconds
 */
export async function startLatencyProxy(target: number, roundTrip: number): Promise<LatencyProxy> {
  const sockets = new Set<Socket>();
  const track = (socket: Socket): Socket => {
    sockets.add(socket.setNoDelay());
    socket.once("close", () => sockets.delete(socket));
    return socket;
  };
  const proxy = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    track(client);
    const server = track(connect({ port: target, host: LOOPBACK, allowHalfOpen: true }));
    forward(client, server, roundTrip / 2, performance.now() + roundTrip);
    forward(server, client, roundTrip / 2, 0);
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

/** Forwards data in one direction. A queue preserves the order of chunks whose timers are due at the same time. */
function forward(from: Socket, to: Socket, delay: number, earliest: number): void {
  const queue: (() => void)[] = [];
  let lastAt = 0;
  const schedule = (work: () => void): void => {
    queue.push(work);
    const now = performance.now();
    lastAt = Math.max(lastAt, Math.max(now, earliest) + delay);
    setTimeout(() => queue.shift()?.(), lastAt - now);
  };
  from.on("data", (chunk: Buffer) => {
    schedule(() => to.write(chunk));
  });
  from.on("end", () => {
    schedule(() => to.end());
  });
  from.on("error", () => to.destroy());
}
