import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makeCertificates, type Certificates } from "../support/certificate.ts";
import { canSeeProcesses, processesOf } from "../support/orphans.ts";
import { runAction } from "../support/runner.ts";
import { makeJobFolder } from "../support/runner-environment.ts";
import { startScriptedServer } from "../support/scripted-server.ts";
import { honestClaims, makeSigner } from "../support/tokens.ts";
import type { LeftOut, Row } from "./row.ts";
import type { Stage } from "./stage.ts";

const KEEPERS = 5;
/** Of each keeper. A thousand take ten minutes: that is what the soak is for. */
const RENEWALS = Number(process.env["BENCH_RENEWALS"] ?? 60);
/** What the server says of its tokens, in seconds: they are renewed when half a second old. */
const LIFE = 1;
/** How long they last, so that a busy machine's pauses end none. */
const REAL_LIFE = 60;
/** Milliseconds between two looks. */
const LOOK = 50;
/** Renewals that take longer than so many milliseconds each are none. */
const PATIENCE = 2000;

/** Memory of a process that has begun, and after some renewals, in MiB. */
type Memory = readonly [begun: number, renewed: number];

/** Memory of the background process that keeps an auth file fresh. */
export async function measureKeeper(stage: Stage): Promise<readonly (Row | LeftOut)[]> {
  if (!canSeeProcesses) return [{ what: "the keeper's memory", because: "this system does not tell it by /proc" }];
  const tls = await makeCertificates();
  const seen = await Promise.all(Array.from({ length: KEEPERS }, () => memoryOfKeeper(stage, tls)));
  const begun = seen.map(([first]) => first);
  const renewed = seen.map(([, last]) => last);
  return [
    { what: "before its first renewal", unit: "MiB", value: begun },
    {
      ...{ what: `after ${RENEWALS} renewals`, unit: "MiB", value: renewed },
      against: { what: "before its first renewal", value: begun },
    },
  ];
}

/** A job whose step starts a keeper, and that ends after some renewals. */
async function memoryOfKeeper({ inputs, signal }: Stage, tls: Certificates): Promise<Memory> {
  const signer = await makeSigner();
  const { "client-id": clientId = "", "tsg-id": tsgId = "" } = inputs;
  const issue = (): string => signer.sign(honestClaims({ clientId, tsgId, ttl: REAL_LIFE }));
  const server = await startScriptedServer({
    token: () => ({ body: { access_token: issue(), token_type: "Bearer", expires_in: LIFE } }),
    keys: { body: { keys: [signer.jwk] } },
    tls,
  });
  const job = await makeJobFolder();
  const caFile = join(job.temp, "ca.pem");
  await writeFile(caFile, tls.ca);
  const step = {
    job,
    inputs: { ...inputs, "token-url": server.tokenUrl, "jwks-url": server.jwksUrl, "auth-file": "true" },
    env: { NODE_EXTRA_CA_CERTS: caFile },
  };
  try {
    const main = await runAction(step);
    const [keeper] = await processesOf(job.env["RUNNER_TRACKING_ID"] ?? "");
    if (main.exitCode !== 0 || keeper === undefined) throw new Error(`no keeper was started:\n${main.log}`);
    const begun = await memoryOf(keeper.pid);
    const end = performance.now() + RENEWALS * PATIENCE;
    while (server.requestsTo("token").length <= RENEWALS && performance.now() < end)
      await delay(LOOK, undefined, { signal });
    const renewed = await memoryOf(keeper.pid);
    const post = await runAction({ ...step, post: { state: main.state } });
    const renewals = Number(/renewed it (\d+) times/.exec(post.log)?.[1] ?? 0);
    if (renewals < RENEWALS) throw new Error(`${renewals} of ${RENEWALS} renewals were made:\n${post.log}`);
    return [begun, renewed];
  } finally {
    await server.close();
    await job.remove();
  }
}

/** What a process holds of the machine's memory, in MiB. @throws Error when there is no such process */
async function memoryOf(pid: number): Promise<number> {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kibibytes) / 1024;
}
