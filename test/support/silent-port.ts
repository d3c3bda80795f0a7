import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { Worker } from "node:worker_threads";

/** Listens, tells its port, and never takes a connection: it sleeps in a call that nothing ends. */
const LISTENER = `
  const { parentPort } = require("node:worker_threads");
  const server = require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
  });`;

/** More than the system keeps waiting for a listener with a backlog of one. */
const CROWD = 8;

/** A port on loopback whose queue is full, so that a connection to it never comes about, as behind a firewall. */
export async function startSilentPort(t: Pick<TestContext, "after">): Promise<number> {
  const listener = new Worker(LISTENER, { eval: true });
  const crowd: Socket[] = [];
  t.after(async () => {
    for (const socket of crowd) socket.destroy();
    await listener.terminate();
  });
  const [port] = (await once(listener, "message")) as [number];
  for (let n = 0; n < CROWD; n++) crowd.push(connect(port, "127.0.0.1").on("error", () => undefined));
  // Those that find room have it by then.
  await new Promise((resolve) => setTimeout(resolve, 200));
  return port;
}
