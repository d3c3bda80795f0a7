import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { startLongWay, type LongWay } from "./far-away.ts";

const ROUND_TRIP = 80;
/** Timers of node round down to whole milliseconds. */
const ROUNDING = 2;

const server = createServer({ allowHalfOpen: true }, (socket) => {
  socket.pipe(socket);
});
let way: LongWay;
before(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  way = await startLongWay((server.address() as AddressInfo).port, ROUND_TRIP);
});
after(async () => {
  await way.close();
  server.close();
});

const open = async (): Promise<Socket> => {
  const socket = connect({ port: way.port, host: "127.0.0.1" });
  await once(socket, "connect");
  return socket;
};

/** Milliseconds from a word to its echo. */
async function echoTime(socket: Socket): Promise<number> {
  const start = performance.now();
  socket.write("word");
  await once(socket, "data");
  return performance.now() - start;
}

test("the first answer takes the handshake's round trip and its own, the second its own alone", async () => {
  const socket = await open();
  const first = await echoTime(socket);
  const second = await echoTime(socket);
  socket.destroy();
  assert.ok(first >= 2 * ROUND_TRIP - ROUNDING, `${first} ms`);
  assert.ok(second >= ROUND_TRIP - ROUNDING, `${second} ms`);
  // The handshake is over: what is more is a busy machine's.
  assert.ok(second < first + ROUND_TRIP, `${second} ms after ${first} ms`);
});

test("pieces arrive whole and in their order, and the end after them", async () => {
  const socket = await open();
  const echo = text(socket);
  const pieces = Array.from({ length: 200 }, (_, n) => `${n};`);
  for (const [n, piece] of pieces.entries()) {
    socket.write(piece);
    if (n % 20 === 0) await new Promise((resolve) => setTimeout(resolve, n % 7));
  }
  socket.end();
  assert.equal(await echo, pieces.join(""));
});
