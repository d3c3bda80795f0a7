import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/**
 * What goes wrong on one connection. Bytes of the reply are counted as they pass, TLS records and headers
 * included. All may be combined; of the three that cut, the first one counts.
 */
export interface Faults {
  /** Takes the connection and resets it at once. */
  readonly refuse?: true;
  /** Resets the connection (RST) after so many bytes of the reply. */
  readonly resetAfter?: number;
  /** Ends it (FIN) after so many bytes. */
  readonly endAfter?: number;
  /** Says nothing more after so many bytes. */
  readonly silentAfter?: number;
  /** Milliseconds before the first byte of the reply. */
  readonly latencyMs?: number;
  /** Passes the reply on in pieces. */
  readonly drip?: { readonly bytes: number; readonly everyMs: number };
  /** Changes each piece of the reply as it comes from the server. */
  readonly corrupt?: (chunk: Buffer) => Buffer;
  /** Answers the first bytes of a request with this, and asks no server. */
  readonly reply?: string | Uint8Array;
}

/** What passed through one connection. */
export interface ChaosConnection {
  readonly faults: Faults;
  /** Bytes from the client. */
  readonly asked: number;
  /** Bytes to the client. */
  readonly replied: number;
}

/** A running proxy. */
export interface ChaosProxy {
  readonly port: number;
  /** In the order they came. */
  readonly connections: readonly ChaosConnection[];
  readonly close: () => Promise<void>;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

const LOOPBACK = "127.0.0.1";

/**
 * Starts a TCP proxy on loopback that breaks what passes through it as bad networks do. It knows nothing of
 * HTTP or TLS, so it can stand before any server.
 *
 * @param target - port of the server on loopback
 * @param plan - the faults of every connection, or of the n-th one, counted from 0
 */
export async function startChaosProxy(target: number, plan: Faults | ((n: number) => Faults)): Promise<ChaosProxy> {
  const connections: ChaosConnection[] = [];
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // Broken connections are what this is for.
    socket.on("error", () => socket.destroy());
    return socket;
  };

  const server = createServer({ allowHalfOpen: true }, (client) => {
    keep(client);
    const faults = typeof plan === "function" ? plan(connections.length) : plan;
    const connection: Mutable<ChaosConnection> = { faults, asked: 0, replied: 0 };
    connections.push(connection);
    client.on("data", (chunk: Buffer) => (connection.asked += chunk.length));
    if (faults.refuse) {
      client.resetAndDestroy();
      return;
    }
    const work =
      faults.reply === undefined
        ? relay(client, keep(connect({ port: target, host: LOOPBACK, allowHalfOpen: true })), connection)
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
  connection.replied = Buffer.byteLength(reply);
  client.end(reply);
}

async function relay(client: Socket, server: Socket, connection: Mutable<ChaosConnection>): Promise<void> {
  const { faults } = connection;
  const limit = faults.resetAfter ?? faults.endAfter ?? faults.silentAfter ?? Infinity;
  client.pipe(server);
  client.once("close", () => server.destroy());
  await delay(faults.latencyMs ?? 0);
  // What the reader leaves must stay open: after the cut the server may still be writing.
  for await (const chunk of server.iterator({ destroyOnReturn: false })) {
    const bytes = faults.corrupt?.(chunk as Buffer) ?? (chunk as Buffer);
    for (const piece of slice(bytes, faults.drip?.bytes ?? bytes.length)) {
      const passed = piece.subarray(0, limit - connection.replied);
      connection.replied += passed.length;
      await write(client, passed);
      if (connection.replied >= limit) {
        await cut(client, faults);
        return;
      }
      if (faults.drip) await delay(faults.drip.everyMs);
    }
  }
  client.end();
}

/** Breaks the connection off in the way asked for; silence is doing nothing. */
async function cut(client: Socket, faults: Faults): Promise<void> {
  if (faults.resetAfter !== undefined) {
    // A reset that overtakes the last bytes would make the client forget them.
    await delay(5);
    client.resetAndDestroy();
  } else if (faults.endAfter !== undefined) client.end();
}

/** Resolves when the bytes have gone out. */
const write = (socket: Socket, bytes: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.write(bytes, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });

/** `bytes` in pieces of at most `size`. */
function* slice(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
