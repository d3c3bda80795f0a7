import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { keep, type Keeper } from "../../../action/keeper/keep.ts";
import { watchable } from "../../../action/keeper/job-watch.ts";
import type { KeeperOrder } from "../../../action/keeper/order.ts";
import { systemClock, type Clock, type Milliseconds } from "../../../shared/clock.ts";
import { entryOf, formatAuthFile, parseAuthFile } from "../../../shared/handoff/auth-file-format.ts";
import { endKeeper } from "../../../shared/handoff/found-endpoint.ts";
import { loopbackUrl } from "../../../shared/handoff/loopback-url.ts";
import { readOwnFile } from "../../../shared/handoff/own-file.ts";
import { replaceFile } from "../../../shared/handoff/replace-file.ts";
import { AuthError } from "../../../shared/report/errors.ts";
import { AccessToken } from "../../../shared/token/access-token.ts";
import { AuthRequest } from "../../../shared/token/auth-request.ts";
import { mint as signIn } from "../../../shared/token/prove-token.ts";
import { makeFastClock } from "../../support/fast-clock.ts";
import { startScriptedServer } from "../../support/scripted-server.ts";
import { spawn } from "../../support/searched-process.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const HOUR: Milliseconds = 3_600_000;
const LIFE: Milliseconds = 900_000;

const request = {
  clientId: "ci@1.iam.panserviceaccount.com",
  clientSecret: "s3cret-value",
  scope: "tsg_id:1",
  tokenUrl: "https://auth.scm.test/am/oauth2/access_token",
  jwksUrl: "https://auth.scm.test/am/oauth2/connect/jwk_uri",
  ca: undefined,
};
const jobSecret = "s".repeat(43);
const tokenNamed = (value: string): AccessToken =>
  new AccessToken(value, {
    expiresAt: new Date(Date.now() + LIFE),
    lifetime: LIFE,
    life: LIFE,
    scope: ["tsg_id:1"],
    tenants: ["1"],
  });
const unreachable = new AuthError("nobody there.", { kind: "network", code: "connection_refused" });

/** The machine's clock, which a test may set ahead. */
let ahead: Milliseconds = 0;
const clock: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() + ahead };

let folder = "";
let path = "";
const keepers: Keeper[] = [];
beforeEach(async () => {
  ahead = 0;
  folder = await mkdtemp(join(tmpdir(), "scm-auth-keep-"));
  path = join(folder, "auth.json");
});
afterEach(async () => {
  for (const keeper of keepers.splice(0)) await keeper.end();
  await rm(folder, { recursive: true });
});

/** A keeper whose file stands. */
async function start(
  change: Partial<KeeperOrder> = {},
  mint: typeof signIn = () => Promise.reject(unreachable),
  random = (): number => 0.5,
): Promise<Keeper> {
  const first = tokenNamed("first");
  const order: KeeperOrder = {
    request,
    roots: undefined,
    verify: true,
    token: { value: "first", expiresAt: first.expiresAt?.getTime(), lifetime: LIFE, life: LIFE, scope: "tsg_id:1" },
    path,
    jobSecret,
    job: "digest",
    watched: watchable(process.pid),
    ...change,
  };
  const keeper = await keep(order, { clock, random, mint });
  keepers.push(keeper);
  const endpoint = { authUrl: loopbackUrl(keeper.port), clientSecret: jobSecret };
  await replaceFile(path, formatAuthFile(entryOf(AuthRequest.parse(request), first, Date.now(), endpoint)));
  keeper.watch();
  return keeper;
}

const jwt = async (): Promise<string | undefined> => parseAuthFile((await readOwnFile(path))?.text ?? "")?.jwt;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const endsWithin = (keeper: Keeper, limit: number): Promise<boolean> =>
  Promise.race([keeper.ended.then(() => true), pause(limit).then(() => false)]);

test("a keeper that can't tell its job's end ends after six hours, and the file with it", async () => {
  const keeper = await start({ watched: undefined });
  ahead = 6 * HOUR - 60_000;
  assert.equal(await endsWithin(keeper, 700), false);
  ahead = 6 * HOUR;
  assert.equal(await endsWithin(keeper, 2000), true);
  assert.equal(await jwt(), undefined);
});

test("one that watches its job keeps on for as long as a job may last, and no longer", async () => {
  const keeper = await start();
  ahead = 120 * HOUR - 60_000;
  assert.equal(await endsWithin(keeper, 700), false);
  ahead = 120 * HOUR;
  assert.equal(await endsWithin(keeper, 2000), true);
  assert.equal(await jwt(), undefined);
});

test("it ends with the process that it watches", async () => {
  const job = spawn(process.execPath, ["-e", "process.stdin.resume()"], { stdio: ["pipe", "ignore", "ignore"] });
  const keeper = await start({ watched: watchable(job.pid ?? 0) });
  assert.equal(await endsWithin(keeper, 700), false);
  job.kill("SIGKILL");
  await once(job, "exit");
  assert.equal(await endsWithin(keeper, 2000), true);
  assert.equal(await jwt(), undefined);
});

test("it puts each new token into the file", async () => {
  const keeper = await start({}, () => Promise.resolve(tokenNamed("second")));
  ahead = LIFE / 2 + 1000;
  for (let look = 0; look < 100 && (await jwt()) !== "second"; look++) await pause(30);
  assert.equal(await jwt(), "second");
  assert.equal(await endsWithin(keeper, 500), false);
});

test("it asks no earlier than the server wants it", async (t) => {
  const asked: Milliseconds[] = [];
  const server = await startScriptedServer({
    token: () => {
      asked.push(systemClock.monotonic());
      return { status: 429, headers: { "retry-after": "2" } };
    },
    keys: { body: { keys: [] } },
  });
  t.after(server.close);
  const { tokenUrl, jwksUrl } = server;
  // By chance alone the next try would come within a quarter second.
  await start({ request: { ...request, tokenUrl, jwksUrl } }, signIn, () => 0);
  ahead = LIFE / 2;
  for (let look = 0; look < 300 && asked.length < 2; look++) await pause(30);
  const [first = 0, second = 0] = asked;
  assert.ok(second - first >= 2000 && second - first < 6000, asked.join());
});

test("asked for its end it takes the file away, tells what it did and is gone", async () => {
  let fails = true;
  const keeper = await start({}, () => (fails ? Promise.reject(unreachable) : Promise.resolve(tokenNamed("second"))));
  ahead = LIFE / 2 + 1000;
  await pause(1500);
  fails = false;
  ahead = LIFE - 60_000;
  for (let look = 0; look < 100 && (await jwt()) !== "second"; look++) await pause(30);
  const limits = { clock: systemClock, signal: new AbortController().signal };
  const endpoint = { authUrl: loopbackUrl(keeper.port), clientSecret: jobSecret };
  assert.equal(await endKeeper({ ...endpoint, clientSecret: request.clientSecret }, limits), undefined);
  assert.deepEqual(await endKeeper(endpoint, limits), { renewals: 1, outages: 1, refused: false });
  assert.equal(await endsWithin(keeper, 1000), true);
  assert.equal(await jwt(), undefined);
  assert.equal(await endKeeper(endpoint, limits), undefined);
});

test("a thousand renewals leave no timer, no file and no memory behind", async () => {
  const before = process.getActiveResourcesInfo().length;
  const life = 1000;
  let minted = 0;
  const first = tokenNamed("first");
  const order: KeeperOrder = {
    ...{ request, roots: undefined, verify: true, path, jobSecret, job: "digest", watched: watchable(process.pid) },
    token: { value: "first", expiresAt: first.expiresAt?.getTime(), lifetime: life, life, scope: "tsg_id:1" },
  };
  const keeper = await keep(order, {
    clock: makeFastClock(100),
    random: () => 0.5,
    mint: () =>
      Promise.resolve(
        new AccessToken(`token-${++minted}`, {
          ...{ expiresAt: new Date(Date.now() + LIFE), lifetime: life, life, scope: ["tsg_id:1"], tenants: ["1"] },
        }),
      ),
  });
  keepers.push(keeper);
  const endpoint = { authUrl: loopbackUrl(keeper.port), clientSecret: jobSecret };
  await replaceFile(path, formatAuthFile(entryOf(AuthRequest.parse(request), first, Date.now(), endpoint)));
  keeper.watch();
  const resources: number[] = [];
  const heaps: number[] = [];
  for (const wanted of [200, 1000]) {
    for (let looks = 0; looks < 6000 && minted < wanted; looks++) await pause(10);
    assert.ok(minted >= wanted);
    collectGarbage();
    resources.push(process.getActiveResourcesInfo().length);
    heaps.push(process.memoryUsage().heapUsed);
  }
  await keeper.end();
  assert.ok((heaps[1] ?? Infinity) - (heaps[0] ?? 0) < 2_000_000, heaps.join());
  assert.ok(Math.max(...resources) - before < 8, `${before}, ${resources.join()}`);
  assert.deepEqual(await readdir(folder), []);
});

test("an order that is none is refused before anything is opened", async () => {
  await assert.rejects(start({ request: { ...request, clientId: "" } }), (error) => AuthError.isAuthError(error));
});
