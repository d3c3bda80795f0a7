import { runAction, type ActionRun } from "./run-action.ts";
import { createJob, type Job } from "./runner-job.ts";
import { startScmNetwork, type ScmNetwork } from "./scm-network.ts";

/** A job whose first step has written the auth file. */
export interface AuthFileJob {
  readonly directory: string;
  /** The environment for later steps. */
  readonly env: Readonly<Record<string, string>>;
  readonly path: string;
  readonly token: string;
  /** Runs the post step. */
  readonly end: () => Promise<ActionRun>;
}

/** A network in which jobs run the action as published. */
export class NetworkJobs {
  readonly network: ScmNetwork;
  readonly #jobs: Job[] = [];

  private constructor(network: ScmNetwork) {
    this.network = network;
  }

  static async start(ttl?: number): Promise<NetworkJobs> {
    return new NetworkJobs(await startScmNetwork(ttl === undefined ? {} : { ttl }));
  }

  /** Starts a job and signs in with an auth file. */
  async begin(inputs: Readonly<Record<string, string>> = {}): Promise<AuthFileJob> {
    const { server, env } = this.network;
    const job = await createJob();
    this.#jobs.push(job);
    const account = { "client-id": server.clientId, "client-secret": server.clientSecret, "tsg-id": server.tsgId };
    const options = { inputs: { ...account, "auth-file": "true", ...inputs }, env, job, secrets: () => server.issued };
    const run = await runAction(options);
    if (run.exitCode !== 0) throw new Error(`the sign-in failed:\n${run.log}`);
    return {
      directory: job.workspace,
      env: { ...env, ...run.env },
      path: run.outputs["auth-file"] ?? "",
      token: run.token ?? "",
      end: () => runAction({ ...options, post: { state: run.state } }),
    };
  }

  /** The requests to the API. */
  get apiRequests() {
    return this.network.server.requests.filter(({ path }) => path.startsWith("/config/"));
  }

  /** Returns the number of successful API requests with a method to a path or a path below it. */
  countApiRequests(method: string, path: string): number {
    return this.apiRequests.filter((one) => one.method === method && one.path.startsWith(path) && one.status < 300)
      .length;
  }

  async close(): Promise<void> {
    for (const job of this.#jobs) await job.remove();
    await this.network.close();
  }
}
