import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
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

/** In seconds: about one renewal a second. */
const LIFE = 2;
const LOOK = 100;
/** How much the process may grow after its first quarter, in MiB; what V8 leaves lying about for a while is less. */
const MOST_GROWTH = 24;
const MOST_FILES = 8;
const PAGE = 4096;
const clientId = "ci@1234567890.iam.panserviceaccount.com";

/**
 * The real background process for `seconds`, with tokens that live for two of them: its file and its endpoint never
 * hold a dead one, and neither its memory nor its open files grow. Memory is seen on Linux alone.
 */
export async function run(seconds: number, signal: AbortSignal): Promise<object> {
  const faults: string[] = [];
  const signer = await makeSigner();
  const issue = (): string => signer.sign(honestClaims({ clientId, tsgId: "1234567890", ttl: LIFE + 1 }));
  const server = await startScriptedServer({
    token: () => ({ body: { access_token: issue(), token_type: "Bearer", expires_in: LIFE } }),
    keys: { body: { keys: [signer.jwk] } },
  });
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-soak-"));
  const path = join(folder, "auth.json");
  const { tokenUrl, jwksUrl } = server;
  const request = AuthRequest.parse({ clientId, clientSecret: "not-a-secret-of-anyone", tokenUrl, jwksUrl });
  const { clientSecret, scope } = request;
  const life = LIFE * 1000;
  const first = new AccessToken(issue(), {
    ...{ expiresAt: new Date(Date.now() + life), lifetime: life, life, tenants: [] },
    scope: scope.split(" "),
  });
  const jobSecret = "x".repeat(43);
  const mark = `github_soak_${process.pid}`;
  const keeper = await startKeeper(
    fileURLToPath(new URL("../../dist/action/keeper.cjs", import.meta.url)),
    {
      request: { clientId, clientSecret, scope, tokenUrl, jwksUrl, ca: undefined },
      roots: undefined,
      verify: true,
      token: { value: first.value, expiresAt: Date.now() + life, lifetime: life, life, scope },
      ...{ path, jobSecret, job: "soak" },
      watched: watchable(process.pid),
    },
    { PATH: process.env["PATH"], RUNNER_TRACKING_ID: mark },
  );
  const endpoint = { authUrl: loopbackUrl(keeper.port), clientSecret: jobSecret };
  await replaceFile(path, formatAuthFile(entryOf(request, first, Date.now(), endpoint)));
  await keeper.release();
  const [seen] = await processesWith(({ environment }) => environment.includes(mark));

  const memory: number[] = [];
  const files: number[] = [];
  let looks = 0;
  let answers = 0;
  const look = async (): Promise<void> => {
    looks++;
    const entry = parseAuthFile(await readFile(path, "utf8"));
    if (entry === undefined || entry.jwtExpiresAt <= Date.now()) faults.push(`look ${looks}: no living token`);
    if (entry && looks % 5 === 0 && (await askEndpoint(entry, { clock: systemClock, signal })) !== undefined) answers++;
    if (seen === undefined || looks % 10 !== 0) return;
    const pages = Number((await readFile(`/proc/${seen.pid}/statm`, "utf8")).split(" ")[1]);
    memory.push((pages * PAGE) / 1024 / 1024);
    files.push((await readdir(`/proc/${seen.pid}/fd`)).length);
  };
  const end = systemClock.monotonic() + seconds * 1000;
  while (systemClock.monotonic() < end && !signal.aborted) {
    await look();
    await sleep(systemClock, LOOK, signal);
  }
  const counts = await endKeeper(endpoint, { clock: systemClock, signal: new AbortController().signal });
  if (counts === undefined) faults.push("the keeper was gone");
  else if (counts.renewals < seconds / LIFE / 2 || counts.outages > 0) faults.push("renewals were missing");
  await sleep(systemClock, 500, new AbortController().signal);
  if ((await readdir(folder)).length > 0) faults.push("something was left");
  await rm(folder, { recursive: true, force: true });
  await server.close();
  const quarter = Math.ceil(memory.length / 4);
  const growth = Math.min(...memory.slice(-quarter)) - Math.max(...memory.slice(0, quarter));
  if (growth > MOST_GROWTH) faults.push(`it grew by ${growth} MiB`);
  const opened = Math.max(...files) - Math.min(...files);
  if (opened > MOST_FILES) faults.push(`${opened} files were left open`);
  const mebibytes = memory.length === 0 ? undefined : { first: memory[0], last: memory.at(-1), growth };
  return { looks, answers, counts, mebibytes, openFiles: files.at(-1), faults };
}
