import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/**
 * Faults on one connection. Byte counts apply to the data from the server, including TLS records and HTTP headers. All
 * faults can be combined. If several of `resetAfter`, `endAfter`, and `stallAfter` are set, only the first applies.
 */
export interface Faults {
  /** Accepts the connection and resets it immediately. */
  readonly refuse?: true;
  /** Resets the connection (RST) after this many bytes of the response. */
  readonly resetAfter?: number;
  /** Closes the connection (FIN) after this many bytes of the response. */
  readonly endAfter?: number;
  /** Stops sending after this many bytes of the response. */
  readonly stallAfter?: number;
  /** Delay before the first byte of the response, in milliseconds. */
  readonly latencyMs?: number;
  /** Forwards the response in pieces. */
  readonly drip?: { readonly bytes: number; readonly everyMs: number };
  /** Forwards nothing if the first packet from the client, a TLS ClientHello, is larger than this many bytes. */
  readonly maxHello?: number;
  /** Changes each chunk of the response. */
  readonly corrupt?: (chunk: Buffer) => Buffer;
  /** A reply to the first bytes of a request, sent instead of the server's response. */
  readonly reply?: string | Uint8Array;
}

/** One connection. */
export interface ChaosConnection {
  readonly faults: Faults;
  /** The number of bytes received from the client. */
  readonly bytesSent: number;
  /** The number of bytes sent to the client. */
  readonly bytesReceived: number;
}

/** A running proxy. */
export interface ChaosProxy {
  readonly port: number;
  /** The connections in order of arrival. */
  readonly connections: readonly ChaosConnection[];
  readonly close: () => Promise<void>;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

const LOOPBACK = "127.0.0.1";

/**
 * Starts a TCP proxy on loopback that breaks connections like an unreliable network, regardless of the protocol.
 *
 * @param target - the server's port on loopback
 * @param plan - the faults of every connection, or a function that returns those of connection `n`, counted from 0
 */
export async function startChaosProxy(target: number, plan: Faults | ((n: number) => Faults)): Promise<ChaosProxy> {
  const connections: ChaosConnection[] = [];
  const sockets = new Set<Socket>();
  const track = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // Connections are expected to break.
    socket.on("error", () => socket.destroy());
    return socket;
  };

  const server = createServer({ allowHalfOpen: true }, (client) => {
    track(client);
    const faults = typeof plan === "function" ? plan(connections.length) : plan;
    const connection: Mutable<ChaosConnection> = { faults, bytesSent: 0, bytesReceived: 0 };
    connections.push(connection);
    client.on("data", (chunk: Buffer) => (connection.bytesSent += chunk.length));
    if (faults.refuse) {
      client.resetAndDestroy();
      return;
    }
    const work =
      faults.reply === undefined
        ? relay(client, track(connect({ port: target, host: LOOPBACK, allowHalfOpen: true })), connection)
        : replyWith(faults.reply, client, connection);
    work.catch(() => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));

  return {
    port: (server.address() as AddressInfo).port,
    connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      }),
  };
}

async function replyWith(
  reply: string | Uint8Array,
  client: Socket,
  connection: Mutable<ChaosConnection>,
): Promise<void> {
  await new Promise((resolve) => client.once("data", resolve));
  await delay(connection.faults.latencyMs ?? 0);
  connection.bytesReceived = Buffer.byteLength(reply);
  client.end(reply);
}

async function relay(client: Socket, server: Socket, connection: Mutable<ChaosConnection>): Promise<void> {
  const { faults } = connection;
  const limit = faults.resetAfter ?? faults.endAfter ?? faults.stallAfter ?? Infinity;
  if (faults.maxHello !== undefined) {
    const [hello] = (await once(client, "data")) as [Buffer];
    if (hello.length > faults.maxHello) {
      server.destroy();
      return;
    }
    server.write(hello);
  }
  client.pipe(server);
  client.once("close", () => server.destroy());
  await delay(faults.latencyMs ?? 0);
  // The server may still be writing when the client has disconnected.
  for await (const chunk of server.iterator({ destroyOnReturn: false })) {
    const bytes = faults.corrupt?.(chunk as Buffer) ?? (chunk as Buffer);
    for (const piece of slice(bytes, faults.drip?.bytes ?? bytes.length)) {
      const passed = piece.subarray(0, limit - connection.bytesReceived);
      connection.bytesReceived += passed.length;
      await write(client, passed);
      if (connection.bytesReceived >= limit) {
        await breakOff(client, faults);
        return;
      }
      if (faults.drip) await delay(faults.drip.everyMs);
    }
  }
  client.end();
}

async function breakOff(client: Socket, faults: Faults): Promise<void> {
  if (faults.resetAfter !== undefined) {
    // A reset discards bytes that the client has not read yet.
    await delay(5);
    client.resetAndDestroy();
  } else if (faults.endAfter !== undefined) client.end();
}

/** Resolves when the bytes have been written. */
const write = (socket: Socket, bytes: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.write(bytes, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });

/** Splits `bytes` into pieces of at most `size` bytes. */
function* slice(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
