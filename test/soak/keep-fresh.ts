import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sleep, systemClock, type Clock } from "../../shared/clock.ts";
import { entryOf, formatAuthFile, parseAuthFile, type Endpoint } from "../../shared/handoff/auth-file-format.ts";
import { askEndpoint } from "../../shared/handoff/found-endpoint.ts";
import { Renewals } from "../../shared/handoff/keep-fresh.ts";
import { openLoopbackEndpoint } from "../../shared/handoff/loopback-endpoint.ts";
import { replaceFile } from "../../shared/handoff/replace-file.ts";
import { AuthRequest } from "../../shared/token/auth-request.ts";
import { KeyCache } from "../../shared/token/key-cache.ts";
import { mint } from "../../shared/token/prove-token.ts";
import { startScriptedServer } from "../support/scripted-server.ts";
import { honestClaims, makeSigner } from "../support/tokens.ts";

/** Tokens so short that five minutes hold some thirty renewals; in seconds. */
const LIFE = 20;
const LOOK = 100;
const clientId = "ci@1234567890.iam.panserviceaccount.com";

/** What the auth server does for a while. */
const WEATHERS = ["fair", "storm", "silence", "broken"] as const;
type Weather = (typeof WEATHERS)[number];

/**
 * Keeps a real file fresh and serves its token for `seconds` of real time, with an auth server that breaks down
 * again and again, never for longer than the token at hand has left, and a wall clock that jumps. In the end the server
 * refuses. Looks at file and endpoint ten times a second.
 */
export async function run(seconds: number, signal: AbortSignal): Promise<object> {
  const faults: string[] = [];
  const fault = (what: string): void => void faults.push(`${Math.round(systemClock.monotonic())}: ${what}`);
  const sky = { weather: "fair" as Weather | "refusal", clears: 0, outages: 0, ahead: 0, jumps: 0 };
  const clock: Clock = { ...systemClock, wall: () => systemClock.wall() + sky.ahead };
  const signer = await makeSigner();
  const ends = new Map<string, number>();
  const server = await startScriptedServer({
    token: () => {
      switch (sky.weather) {
        case "storm":
          return { status: 503 };
        case "silence":
          return { hang: true };
        case "broken":
          return { body: { access_token: "a" }, destroyAfterBytes: 5 };
        case "refusal":
          return { status: 401, body: { error: "invalid_client" } };
        case "fair": {
          // The server's clock is ours: what jumps is not the hour, but how this machine tells it.
          const now = clock.wall() / 1000;
          const access_token = signer.sign(honestClaims({ clientId, tsgId: "1234567890", ttl: LIFE, now }));
          ends.set(access_token, systemClock.monotonic() + LIFE * 1000);
          return { body: { access_token, token_type: "Bearer", expires_in: LIFE }, delayMs: 200 * Math.random() };
        }
      }
    },
    keys: { body: { keys: [signer.jwk] } },
  });
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-soak-"));
  const path = join(folder, "auth.json");
  const request = AuthRequest.parse({
    clientId,
    clientSecret: "not-a-secret-of-anyone",
    tokenUrl: server.tokenUrl,
    jwksUrl: server.jwksUrl,
  });
  const keys = new KeyCache(clock);
  const mintOnce = (stop: AbortSignal): ReturnType<typeof mint> =>
    mint(request, {
      policy: { maxRetries: 0, backoff: 0, spreadOverload: false },
      timeout: 30,
      userAgent: "scm-auth-soak",
      verify: true,
      signal: stop,
      clock,
      keys,
    });
  const first = await mintOnce(signal);
  const file = { writes: 0, endpoint: undefined as Endpoint | undefined };
  const renewals = new Renewals(first, {
    mint: mintOnce,
    onRenewed: async (token) => {
      await replaceFile(path, formatAuthFile(entryOf(request, token, clock.wall(), file.endpoint)), { clock });
      file.writes++;
    },
    clock,
    random: Math.random,
  });
  const opened = await openLoopbackEndpoint({
    clientId,
    clientSecret: request.clientSecret,
    jobSecret: "x".repeat(43),
    scope: request.scope,
    job: "soak",
    renewals,
    onEnd: () => Promise.resolve(renewals.counts),
    clock,
  });
  file.endpoint = opened.endpoint;
  await replaceFile(path, formatAuthFile(entryOf(request, first, clock.wall(), opened.endpoint)), { clock });

  let looks = 0;
  let answers = 0;
  let shortest = Infinity;
  const leftOf = (token: string): number => (ends.get(token) ?? -Infinity) - systemClock.monotonic();
  const look = async (): Promise<void> => {
    looks++;
    const entry = parseAuthFile(await readFile(path, "utf8"));
    if (entry === undefined) {
      fault("the file is none");
      return;
    }
    const left = leftOf(entry.jwt);
    shortest = Math.min(shortest, left);
    if (left <= 0) fault(`the file's token has ended ${-left} ms ago (${sky.weather})`);
    const served = await askEndpoint(entry, { clock, signal, timeLimit: 300 });
    if (served === undefined) return;
    answers++;
    if (leftOf(served.token) <= 0) fault("a dead token was served");
  };
  const change = (): void => {
    const now = systemClock.monotonic();
    if (sky.weather !== "fair") {
      if (now >= sky.clears) sky.weather = "fair";
      return;
    }
    if (Math.random() < 1 / 150) {
      sky.jumps++;
      sky.ahead = sky.ahead === 0 ? -3_600_000 : 0;
    }
    if (Math.random() > 1 / 40) return;
    // A request that hangs is given up after half of what is left; then there must be time for another.
    const longest = leftOf(renewals.current.token.value) - 5000;
    if (longest <= 0) return;
    sky.weather = WEATHERS[Math.floor(Math.random() * WEATHERS.length)] ?? "fair";
    sky.clears = now + Math.random() * longest;
    if (sky.weather !== "fair") sky.outages++;
  };
  const end = systemClock.monotonic() + Math.max(0, seconds - LIFE) * 1000;
  while (systemClock.monotonic() < end && !signal.aborted) {
    change();
    await look();
    await sleep(systemClock, LOOK, signal);
  }
  const requests = server.requestsTo("token").length;
  // Half a life each on average without outages; in them the tries come closer together as the end comes closer.
  const most = ((seconds - LIFE) / LIFE) * 3 + sky.outages * 12 + sky.jumps + 3;
  if (requests > most) fault(`${requests} requests, ${Math.round(most)} at most were planned`);

  sky.weather = "refusal";
  await sleep(systemClock, (LIFE * 1000 * 2) / 3 + 2000, signal);
  if (renewals.refusal?.code !== "invalid_client" && !signal.aborted) fault("a refusal did not end the renewals");
  const refused = server.requestsTo("token").length;
  await sleep(systemClock, 4000, signal);
  if (server.requestsTo("token").length !== refused) fault("it went on asking after a refusal");

  renewals.stop();
  await opened.close();
  await server.close();
  await rm(folder, { recursive: true, force: true });
  const { counts } = renewals;
  const { outages, jumps } = sky;
  return {
    looks,
    answers,
    shortestRest: Math.round(shortest),
    outages,
    jumps,
    requests,
    writes: file.writes,
    counts,
    faults,
  };
}
