import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { AuthRequest, OAuth2Client } from "../../shared/index.ts";
import { inTurn, median, printTimings, timed } from "./timings.ts";

/**
 * The library's part of `npm run bench`: run with `--expose-gc`, the number of runs as argument, and an SCM-shaped
 * server in the environment.
 */

/** What the raw sign-in takes; without `ca` whom node trusts. */
type RawSignIn = (account: {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly tsgId: string;
  readonly tokenUrl: URL;
  readonly jwksUrl: URL;
  readonly ca?: string | undefined;
}) => Promise<{ readonly token: string }>;
const { rawSignIn } = createRequire(import.meta.url)("./raw-sign-in.cjs") as { readonly rawSignIn: RawSignIn };

const RUNS = Number(process.argv[2]);
const CALLS = 100_000;
const CALLERS = 10_000;

const request = AuthRequest.fromEnv();
const ca = readFileSync(process.env["NODE_EXTRA_CA_CERTS"] ?? "", "utf8");
const { clientId, clientSecret, tokenUrl, jwksUrl } = request;
const account = { clientId, clientSecret, tsgId: request.tenants[0] ?? "", tokenUrl, jwksUrl };
const withCa = AuthRequest.parse({ ...account, tokenUrl: tokenUrl.href, jwksUrl: jwksUrl.href, ca });

/** Nanoseconds of processor time for one call, of many made one after another: nothing here waits. */
async function perCall(call: () => Promise<string>): Promise<number> {
  const start = process.cpuUsage();
  for (let made = 0; made < CALLS; made++) await call();
  const { user, system } = process.cpuUsage(start);
  return ((user + system) / CALLS) * 1000;
}

const client = await OAuth2Client.connect(request);
const token = await client.accessToken();
// eslint-disable-next-line @typescript-eslint/require-await -- the floor is an async function that has nothing to do
const floor = async (): Promise<string> => token;
printTimings(
  "accessToken() of a token that lives, in ns of processor time a call",
  await inTurn({ floor: () => perCall(floor), "accessToken()": () => perCall(() => client.accessToken()) }, RUNS, 5),
);

/** Bytes that the heap grew by over many calls, what could be freed being freed. */
async function growth(): Promise<number> {
  gc?.();
  const before = process.memoryUsage().heapUsed;
  await perCall(() => client.accessToken());
  gc?.();
  return process.memoryUsage().heapUsed - before;
}
const grown = await inTurn({ growth }, 11, 3);
console.log(`Heap after ${CALLS} calls: ${median(grown["growth"] ?? []).toFixed(0)} bytes more (median of 11).`);

let asked = 0;
const cold = async (): Promise<unknown> => {
  const idle = new OAuth2Client(request, {
    onEvent: (event) => {
      if (event.type === "answer" && event.request === "token request") asked++;
    },
  });
  return Promise.all(Array.from({ length: CALLERS }, () => idle.accessToken()));
};
const rawCold = async (): Promise<unknown> => {
  const one = rawSignIn(account);
  return Promise.all(Array.from({ length: CALLERS }, async () => (await one).token));
};
printTimings(
  `${CALLERS} callers at once before the first token, in ms`,
  await inTurn({ "floor, one raw sign-in": () => timed(rawCold), "accessToken()": () => timed(cold) }, RUNS, 3),
);
console.log(`Token requests: ${asked} in ${RUNS + 3} runs.`);

printTimings(
  "A whole sign-in over TLS, in ms",
  await inTurn(
    {
      "floor, raw sign-in": () => timed(() => rawSignIn(account)),
      "connect()": () => timed(() => OAuth2Client.connect(request)),
      "floor with a CA": () => timed(() => rawSignIn({ ...account, ca })),
      "connect() with a CA": () => timed(() => OAuth2Client.connect(withCa)),
    },
    RUNS,
    5,
  ),
);
