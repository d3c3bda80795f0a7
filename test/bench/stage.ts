import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeJobFolder, readInputDefaults, type JobFolder } from "../support/runner-environment.ts";
import { startScmServer, type ScmServer } from "../support/scm-server.ts";
import { inTurn, type Timings } from "./timings.ts";
import { timeStep, type Step } from "./step.ts";

/** Where it all is measured: an SCM-shaped server over TLS on loopback, and a job. */
export interface Stage {
  readonly server: ScmServer;
  /** File with that server's authority. */
  readonly caFile: string;
  readonly job: JobFolder;
  /** For what the parts make. */
  readonly folder: string;
  /** How often each work is done. */
  readonly runs: number;
  /** Whoever waits or repeats stops when it is aborted. */
  readonly signal: AbortSignal;
  /** What the runner gives a step that signs in at the server, defaults included. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Steps by their names, in turn; one round warms the machine's caches. */
  readonly timeSteps: <Name extends string>(steps: Readonly<Record<Name, Step>>) => Promise<Timings<Name>>;
  readonly close: () => Promise<void>;
}

/** Opens one. */
export async function openStage(runs: number, signal: AbortSignal): Promise<Stage> {
  const server = await startScmServer();
  const job = await makeJobFolder();
  const folder = await mkdtemp(join(tmpdir(), "scm-auth-bench-"));
  const caFile = join(folder, "ca.pem");
  await writeFile(caFile, server.ca);
  return {
    ...{ server, caFile, job, folder, runs, signal },
    inputs: {
      ...(await readInputDefaults("action.yml")),
      "client-id": server.clientId,
      "client-secret": server.clientSecret,
      "tsg-id": server.tsgId,
      "token-url": server.tokenUrl,
      "jwks-url": server.jwksUrl,
    },
    timeSteps: <Name extends string>(steps: Readonly<Record<Name, Step>>) => {
      const entries = Object.entries<Step>(steps).map(([name, step]) => [name, () => timeStep(job, step)]);
      return inTurn(Object.fromEntries(entries) as Record<Name, () => Promise<number>>, runs, 1, signal);
    },
    close: async () => {
      await server.close();
      await job.remove();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
