import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";

/** Listens on a port and reports it, but never accepts a connection because the thread blocks in Atomics.wait. */
const LISTENER = `
  const { parentPort, workerData } = require("node:worker_threads");
  const server = require("node:net").createServer().listen({ ...workerData, backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
  });`;

/** More connections than the operating system queues for a listener with a backlog of one. */
const CONNECTIONS = 8;

/** Opens a loopback port with a full queue. Connections to it never succeed, as with a firewall that drops packets. */
export async function startSilentPort(
  t: { readonly after: (callback: () => Promise<void>) => void },
  { host = "127.0.0.1", port: wanted = 0 } = {},
): Promise<number> {
  const listener = new Worker(LISTENER, { eval: true, workerData: { host, port: wanted } });
  const sockets: Socket[] = [];
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await listener.terminate();
  });
  const [port] = (await once(listener, "message")) as [number];
  for (let n = 0; n < CONNECTIONS; n++) sockets.push(connect(port, host).on("error", () => undefined));
  // After this delay, the queue is full.
  await delay(200);
  return port;
}
