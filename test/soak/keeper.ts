import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { watchable } from "../../action/keeper/job-watch.ts";
import { startKeeper } from "../../action/keeper/start.ts";
import { sleep, systemClock } from "../../shared/clock.ts";
import { entryOf, formatAuthFile, parseAuthFile } from "../../shared/handoff/auth-file-format.ts";
import { askEndpoint, endKeeper } from "../../shared/handoff/found-endpoint.ts";
import { loopbackUrl } from "../../shared/handoff/loopback-url.ts";
import { replaceFile } from "../../shared/handoff/replace-file.ts";
import { AccessToken } from "../../shared/token/access-token.ts";
import { AuthRequest } from "../../shared/token/auth-request.ts";
import { processesWith } from "../support/orphans.ts";
import { startScriptedServer } from "../support/scripted-server.ts";
import { honestClaims, makeSigner } from "../support/tokens.ts";
import { faultsOf, FootprintWatch, heapGrowth, weigh, type Weight } from "./footprint.ts";

/** What the server says of its tokens, in seconds: they are renewed when half a second old, so two in a second. */
const LIFE = 1;
/** How long they last, so that a busy machine's pauses end none. */
const REAL_LIFE = 60;
/** Renewals are late when what is served is older, in seconds. */
const LATE = LIFE + 4;
const LOOK = 100;
/** When the keeper is weighed, as shares of the time. */
const WEIGHED_AT = [0.1, 0.4, 0.7, 1];
const clientId = "ci@1234567890.iam.panserviceaccount.com";
const inRepository = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/**
 * The real background process for `seconds`, with tokens that are renewed twice in a second: its file and its endpoint
 * never hold an old one, and neither its memory nor its open files grow. Both are seen on Linux alone.
 */
export async function run(seconds: number, signal: AbortSignal): Promise<object> {
  const faults: string[] = [];
  const signer = await makeSigner();
  const begun = new Map<string, number>();
  const issue = (): string => {
    const token = signer.sign(honestClaims({ clientId, tsgId: "1234567890", ttl: REAL_LIFE }));
    begun.set(token, systemClock.monotonic());
    return token;
  };
  const server = await startScriptedServer({
    token: () => ({ body: { access_token: issue(), token_type: "Bearer", expires_in: LIFE } }),
    keys: { body: { keys: [signer.jwk] } },
  });
  const work = await mkdtemp(join(tmpdir(), "scm-auth-soak-"));
  const folder = join(work, "place");
  await mkdir(folder);
  const path = join(folder, "auth.json");
  const { tokenUrl, jwksUrl } = server;
  const request = AuthRequest.parse({ clientId, clientSecret: "not-a-secret-of-anyone", tokenUrl, jwksUrl });
  const { clientSecret, scope } = request;
  const life = LIFE * 1000;
  const expiresAt = Date.now() + REAL_LIFE * 1000;
  const first = new AccessToken(issue(), {
    ...{ expiresAt: new Date(expiresAt), lifetime: life, life, tenants: [] },
    scope: scope.split(" "),
  });
  const jobSecret = "x".repeat(43);
  const mark = `github_soak_${process.pid}`;
  const isLinux = process.platform === "linux";
  const keeper = await startKeeper(
    inRepository(isLinux ? "test/soak/weighed-keeper.cjs" : "dist/action/keeper.cjs"),
    {
      request: { clientId, clientSecret, scope, tokenUrl, jwksUrl, ca: undefined },
      roots: undefined,
      verify: true,
      token: { value: first.value, expiresAt, lifetime: life, life, scope },
      ...{ path, jobSecret, job: "soak" },
      watched: watchable(process.pid),
    },
    { PATH: process.env["PATH"], RUNNER_TRACKING_ID: mark, RUNNER_TEMP: work },
  );
  const endpoint = { authUrl: loopbackUrl(keeper.port), clientSecret: jobSecret };
  await replaceFile(path, formatAuthFile(entryOf(request, first, Date.now(), endpoint)));
  await keeper.release();
  const [seen] = isLinux ? await processesWith(({ environment }) => environment.includes(mark)) : [];
  const watch = seen && new FootprintWatch(seen.pid);

  const start = systemClock.monotonic();
  const count = { looks: 0, answers: 0, oldest: 0 };
  const weights: Weight[] = [];
  const ageOf = (token: string): number => systemClock.monotonic() - (begun.get(token) ?? -Infinity);
  const look = async (): Promise<void> => {
    count.looks++;
    const entry = parseAuthFile(await readFile(path, "utf8"));
    if (entry === undefined) {
      faults.push(`look ${count.looks}: no token`);
      return;
    }
    count.oldest = Math.max(count.oldest, ageOf(entry.jwt));
    const served = count.looks % 5 === 0 ? await askEndpoint(entry, { clock: systemClock, signal }) : undefined;
    if (served !== undefined) {
      count.answers++;
      count.oldest = Math.max(count.oldest, ageOf(served.token));
    }
    if (count.looks % 10 === 0) await watch?.look();
    const next = WEIGHED_AT[weights.length] ?? Infinity;
    if (seen && systemClock.monotonic() - start >= next * seconds * 1000 - LOOK)
      weights.push({ ...(await weigh(seen.pid, join(work, "held.json"))), renewals: begun.size - 1 });
  };
  const end = start + seconds * 1000;
  while ((systemClock.monotonic() < end || (seen && weights.length < WEIGHED_AT.length)) && !signal.aborted) {
    await look();
    await sleep(systemClock, LOOK, signal);
  }
  const counts = await endKeeper(endpoint, { clock: systemClock, signal: new AbortController().signal });
  if (counts === undefined) faults.push("the keeper was gone");
  else if (counts.renewals < seconds / LIFE || counts.outages > 0) faults.push("renewals were missing");
  if (count.oldest > LATE * 1000) faults.push(`a token was ${Math.round(count.oldest)} ms old`);
  await sleep(systemClock, 500, new AbortController().signal);
  if ((await readdir(folder)).length > 0) faults.push("something was left");
  await rm(work, { recursive: true, force: true });
  await server.close();
  const footprint = watch?.footprint;
  faults.push(...faultsOf(footprint, weights));
  return { seconds, ...count, counts, footprint, weights, heapGrowth: heapGrowth(weights), faults };
}
