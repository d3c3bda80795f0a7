import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { AuthRequest, OAuth2Client } from "../../shared/index.ts";
import { CALLERS, CALLS, type LibraryFigures } from "./library.ts";
import { inTurn, timed } from "./timings.ts";

/**
 * The library's part of `npm run bench`, forked with `--expose-gc`: the number of runs as argument, an SCM-shaped
 * server in the environment. Sends its figures to its parent.
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

const WARM_UP = 3;

process.send?.(await measure(Number(process.argv[2])));

async function measure(runs: number): Promise<LibraryFigures> {
  const request = AuthRequest.fromEnv();
  const ca = readFileSync(process.env["NODE_EXTRA_CA_CERTS"] ?? "", "utf8");
  const { clientId, clientSecret, tokenUrl, jwksUrl } = request;
  const account = { clientId, clientSecret, tsgId: request.tenants[0] ?? "", tokenUrl, jwksUrl };
  const withCa = AuthRequest.parse({ ...account, tokenUrl: tokenUrl.href, jwksUrl: jwksUrl.href, ca });

  const client = await OAuth2Client.connect(request);
  const token = await client.accessToken();
  // eslint-disable-next-line @typescript-eslint/require-await -- the floor is an async function that has nothing to do
  const nothing = async (): Promise<string> => token;
  const warm = await inTurn(
    { floor: () => perCall(nothing), ours: () => perCall(() => client.accessToken()) },
    runs,
    WARM_UP,
  );
  const { growth } = await inTurn({ growth: () => growthBy(() => client.accessToken()) }, 11, WARM_UP);

  let asked = 0;
  const herd = async (): Promise<unknown> => {
    const idle = new OAuth2Client(request, {
      onEvent: (event) => {
        if (event.type === "answer" && event.request === "token request") asked++;
      },
    });
    return Promise.all(Array.from({ length: CALLERS }, () => idle.accessToken()));
  };
  const rawHerd = async (): Promise<unknown> => {
    const one = rawSignIn(account);
    return Promise.all(Array.from({ length: CALLERS }, async () => (await one).token));
  };
  const cold = await inTurn({ floor: () => timed(rawHerd), ours: () => timed(herd) }, runs, WARM_UP);

  const signIn = await inTurn(
    {
      floor: () => timed(() => rawSignIn(account)),
      ours: () => timed(() => OAuth2Client.connect(request)),
      floorByField: () => timed(() => rawSignIn({ ...account, ca })),
      oursByField: () => timed(() => OAuth2Client.connect(withCa)),
    },
    runs,
    WARM_UP,
  );
  return { warm, growth, cold, askedByHerd: asked / (runs + WARM_UP), signIn };
}

/** Nothing here waits, so processor time is what it costs. */
async function perCall(call: () => Promise<string>): Promise<number> {
  const start = process.cpuUsage();
  for (let made = 0; made < CALLS; made++) await call();
  const { user, system } = process.cpuUsage(start);
  return ((user + system) / CALLS) * 1000;
}

/** What could be freed is. */
async function growthBy(call: () => Promise<string>): Promise<number> {
  gc?.();
  const before = process.memoryUsage().heapUsed;
  await perCall(call);
  gc?.();
  return process.memoryUsage().heapUsed - before;
}
