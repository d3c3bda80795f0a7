import { runAction, type ActionRun } from "./runner.ts";
import { makeJobFolder, type JobFolder } from "./runner-environment.ts";
import { TOKEN_PATH } from "./scm-provider.ts";
import type { ScmNetwork } from "./scm-network.ts";

/** A job whose first step has made the auth file. */
export interface AuthFileJob {
  /** Where the steps that follow run. */
  readonly folder: string;
  /** What the steps that follow have in their environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly path: string;
  readonly token: string;
  /** Runs the post step. */
  readonly end: () => Promise<ActionRun>;
}

/** Runs jobs in a network, and cleans up after them. */
export class AuthFileJobs {
  readonly #network: ScmNetwork;
  readonly #folders: JobFolder[] = [];

  constructor(network: ScmNetwork) {
    this.#network = network;
  }

  /** Signs in with the action, as published, and an auth file. */
  async begin(inputs: Readonly<Record<string, string>> = {}): Promise<AuthFileJob> {
    const { server, env } = this.#network;
    const job = await makeJobFolder();
    this.#folders.push(job);
    const { clientId, clientSecret, tsgId } = server;
    const canaries = (): readonly string[] => [clientSecret, ...server.issued];
    const options = {
      inputs: { "client-id": clientId, "client-secret": clientSecret, "tsg-id": tsgId, "auth-file": "true", ...inputs },
      ...{ env, job, canaries },
    };
    const run = await runAction(options);
    if (run.exitCode !== 0) throw new Error(`The sign-in failed:\n${run.log}`);
    return {
      folder: job.workspace,
      env: { ...env, ...run.env },
      path: run.outputs["auth-file"] ?? "",
      token: run.token ?? "",
      end: () => runAction({ ...options, post: { state: run.state } }),
    };
  }

  /** Removes what the jobs had. */
  async remove(): Promise<void> {
    for (const folder of this.#folders) await folder.remove();
  }
}

/** How often the auth server was asked for a token by those who call themselves so, whatever it answered. */
export const tokenRequestsOf = ({ server }: ScmNetwork, agent: RegExp): number =>
  server.requests.filter(
    ({ method, path, headers }) => method === "POST" && path === TOKEN_PATH && agent.test(headers["user-agent"] ?? ""),
  ).length;
