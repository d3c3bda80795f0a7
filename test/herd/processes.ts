import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as pause } from "node:timers/promises";
import { systemClock, type Milliseconds } from "../../shared/clock.ts";
import { answerWith, claims, giveKeys, SECRET, signer, TENANT, tls } from "../scenes/cast.ts";
import { bundle } from "../support/bundled.ts";
import { run as runProgram, spawn } from "../support/searched-process.ts";
import { startScriptedServer, type ScriptedAnswer } from "../support/scripted-server.ts";
import type { Policy } from "./policies.ts";
import type { Herd, JobRun } from "./simulate.ts";
import { makeSlots, type Surplus } from "./slots.ts";

/** Longer than any policy's patience. */
const LONGEST: Milliseconds = 300_000;

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The programs that jobs run, built from the sources as they are. */
export interface Programs {
  /** The action's bundle. */
  readonly action: string;
  /** A job under a policy of others. */
  readonly job: string;
  /** PEM file of the server's authority. */
  readonly ca: string;
  readonly folder: string;
  readonly remove: () => Promise<void>;
}

/** Builds the programs into a folder of their own. */
export async function buildPrograms(): Promise<Programs> {
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-herd-"));
  await runProgram(process.execPath, ["scripts/build.ts", join(folder, "action")], { cwd: root });
  const ca = join(folder, "ca.pem");
  await writeFile(ca, tls.ca);
  return {
    action: join(folder, "action", "main.cjs"),
    job: await bundle("test/herd/job.ts", folder),
    ca,
    folder,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

const clientIn = (body: string): string | null => new URLSearchParams(body).get("client_id");

/** What becomes of a herd of real processes against a real server over TLS, on the machine's clock. */
export async function runProcesses(
  { jobs, within }: Herd,
  surplus: Surplus,
  policy: Policy,
  programs: Programs,
): Promise<readonly JobRun[]> {
  const slots = makeSlots(systemClock, surplus);
  const server = await startScriptedServer({
    token: ({ body }) =>
      new Promise<ScriptedAnswer>((resolve) => {
        const clientId = clientIn(body);
        slots.take((status) => {
          resolve(status === 200 ? answerWith(signer.sign(claims({ aud: clientId }))) : { status });
        });
      }),
    keys: giveKeys,
    tls,
  });
  const began = performance.now();

  const run = async (n: number): Promise<JobRun> => {
    await pause(Math.random() * within);
    const output = join(programs.folder, `output-${n}`);
    const client = `job-${n}@${TENANT}.iam.panserviceaccount.com`;
    await writeFile(output, "");
    const env = policy.ours
      ? {
          GITHUB_OUTPUT: output,
          "INPUT_CLIENT-ID": client,
          "INPUT_CLIENT-SECRET": SECRET,
          "INPUT_TSG-ID": TENANT,
          "INPUT_TOKEN-URL": server.tokenUrl,
          "INPUT_CA-CERT": programs.ca,
        }
      : {
          HERD_POLICY: policy.name,
          HERD_CLIENT: client,
          HERD_TOKEN_URL: server.tokenUrl,
          HERD_CA: programs.ca,
        };
    const child = spawn(process.execPath, [policy.ours ? programs.action : programs.job], {
      env: { PATH: process.env["PATH"], ...env },
      stdio: "ignore",
      timeout: LONGEST,
    });
    const [code] = (await once(child, "close")) as [number | null];
    return {
      signedInAt: code === 0 ? performance.now() - began : undefined,
      requests: server.requestsTo("token").filter(({ body }) => clientIn(body) === client).length,
    };
  };

  try {
    return await Promise.all(Array.from({ length: jobs }, (_, n) => run(n)));
  } finally {
    await server.close();
  }
}
