import { OAuth2Client, AuthRequest } from "../../shared/index.ts";
import { startScmServer } from "../../test/support/scm-server.ts";

/**
 * `node scripts/bench/library.ts` measures what the library costs a program: a call of `accessToken()` with a valid
 * token, 10,000 callers that wait for the same token, and the heap after 100,000 calls. Each figure is a median.
 */

const ROUNDS = 20;
const CALLS = 100_000;
const CALLERS = 10_000;

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

/** Returns the median processor time of one call in nanoseconds. */
async function timeCalls(call: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.cpuUsage();
    for (let count = 0; count < CALLS; count++) await call();
    const { user, system } = process.cpuUsage(start);
    times.push(((user + system) * 1000) / CALLS);
  }
  return median(times);
}

const server = await startScmServer();
try {
  const { clientId, clientSecret, tsgId, tokenUrl, ca } = server;
  const request = AuthRequest.parse({ clientId, clientSecret, tsgId, tokenUrl, ca });
  const client = await OAuth2Client.connect(request);

  const empty = await timeCalls(() => Promise.resolve());
  const valid = await timeCalls(() => client.accessToken());
  console.log(`accessToken() with a valid token: ${valid.toFixed(0)} ns; a resolved promise: ${empty.toFixed(0)} ns`);

  /** Returns the median wall-clock time until all callers have the first token, in milliseconds. */
  const timeCallers = async (count: number): Promise<number> => {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const before = server.issued.length;
      const start = performance.now();
      const one = new OAuth2Client(request);
      await Promise.all(Array.from({ length: count }, () => one.accessToken()));
      times.push(performance.now() - start);
      if (server.issued.length !== before + 1) throw new Error("More than one token was requested.");
    }
    return median(times);
  };
  const one = await timeCallers(1);
  const many = await timeCallers(CALLERS);
  console.log(`${CALLERS} callers before the first token: ${many.toFixed(1)} ms; one caller: ${one.toFixed(1)} ms`);

  globalThis.gc?.();
  const { heapUsed } = process.memoryUsage();
  for (let count = 0; count < CALLS; count++) await client.accessToken();
  globalThis.gc?.();
  const growth = (process.memoryUsage().heapUsed - heapUsed) / 1024;
  console.log(`heap after ${CALLS} calls: ${growth.toFixed(1)} KiB more${globalThis.gc ? "" : " (use --expose-gc)"}`);
} finally {
  await server.close();
}
