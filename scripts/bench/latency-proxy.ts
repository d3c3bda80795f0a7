import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A TCP proxy on loopback that makes a server appear far away. */
export interface LatencyProxy {
  readonly port: number;
  readonly close: () => Promise<void>;
}

const LOOPBACK = "127.0.0.1";

/**
 * Starts a proxy that delays every chunk by half the round trip in its direction. It cannot delay the TCP handshake, so
 * the first chunk of each client waits for one more round trip.
 *
 * @param target - the port of the server on loopback
 * @param roundTrip - in milliseconds
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

/** Forwards one direction in order. A queue keeps the order of timers that are due at the same time. */
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
