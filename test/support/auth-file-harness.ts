import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cp, lstat, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { waitUntil } from "./poll.ts";
import { canListProcesses, findJobProcesses, type RunningProcess } from "./processes.ts";
import { runAction, type ActionOptions, type ActionRun } from "./run-action.ts";
import {
  createJob,
  createStepFiles,
  inRepository,
  parseFileCommands,
  readInputDefaults,
  toInputVariables,
  type Job,
} from "./runner-job.ts";
import { startScmServer, type ScmServer, type ScmServerOptions } from "./scm-server.ts";

/** The fields of an auth file that tests read. */
export interface AuthFileJson {
  readonly client_id: string;
  readonly client_secret: string;
  readonly scope: string;
  readonly auth_url: string;
  readonly jwt: string;
  readonly jwt_expires_at: string;
  readonly jwt_lifetime: number;
}

/** A main step that is still running. */
export interface RunningStep {
  readonly child: ChildProcess;
  /** Settles when the process has exited. */
  readonly exited: Promise<unknown>;
  /** Returns the state saved for the post step. As in the runner, it is empty if the state file is truncated. */
  readonly readState: () => Promise<Readonly<Record<string, string>>>;
}

type Inputs = Readonly<Record<string, string>>;

/** Runs steps with an auth file in one job at a time, and provides a server for all jobs. */
export class AuthFileHarness {
  readonly server: ScmServer;
  job: Job;

  private constructor(server: ScmServer, job: Job) {
    this.server = server;
    this.job = job;
  }

  static async start(options?: ScmServerOptions): Promise<AuthFileHarness> {
    return new AuthFileHarness(await startScmServer(options), await createJob());
  }

  /** Ends the job and starts another one. */
  async nextJob(): Promise<void> {
    await this.#endJob();
    this.job = await createJob();
  }

  async close(): Promise<void> {
    await this.#endJob();
    await this.server.close();
  }

  async #endJob(): Promise<void> {
    for (const { pid } of await this.findRefreshers()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // The process has already exited.
      }
    }
    await this.job.remove();
  }

  getInputs(more: Inputs = {}): Inputs {
    const { clientId, clientSecret, tsgId, tokenUrl, ca } = this.server;
    const account = { "client-id": clientId, "client-secret": clientSecret, "tsg-id": tsgId };
    return { ...account, "token-url": tokenUrl, "ca-cert": ca, "auth-file": "true", ...more };
  }

  /** Runs a main step. */
  signIn(more?: Inputs, options: Partial<ActionOptions> = {}): Promise<ActionRun> {
    return runAction({ inputs: this.getInputs(more), job: this.job, secrets: () => this.secrets, ...options });
  }

  /** Runs the post step of a main step. */
  post({ state }: Pick<ActionRun, "state">, options: Partial<ActionOptions> = {}): Promise<ActionRun> {
    const { job } = this;
    return runAction({ inputs: this.getInputs(), job, post: { state }, secrets: () => this.secrets, ...options });
  }

  get secrets(): readonly string[] {
    return [this.server.clientSecret, ...this.server.issued];
  }

  /** Starts a main step that the test ends. */
  async begin(more?: Inputs): Promise<RunningStep> {
    const files = await createStepFiles(this.job);
    const inputs = toInputVariables({ ...(await readInputDefaults()), ...this.getInputs(more) });
    const child = spawn(process.execPath, [inRepository("dist/action/main.cjs")], {
      cwd: this.job.workspace,
      env: { ...this.job.env, ...files.env, ...inputs },
      stdio: "ignore",
      timeout: 60_000,
      killSignal: "SIGKILL",
    });
    return {
      child,
      exited: once(child, "exit"),
      readState: async () => {
        try {
          return parseFileCommands(await files.read("STATE"));
        } catch {
          return {};
        }
      },
    };
  }

  /** Returns the job's processes that are still running, or none if this platform cannot list processes. */
  async findRefreshers(): Promise<readonly RunningProcess[]> {
    return canListProcesses ? findJobProcesses(this.job.env["RUNNER_TRACKING_ID"] ?? "") : [];
  }

  /** @throws Error unless exactly one refresher is running */
  async findRefresher(): Promise<RunningProcess> {
    const [refresher, ...others] = await this.findRefreshers();
    if (refresher === undefined || others.length > 0) throw new Error(`${others.length} other refreshers`);
    return refresher;
  }

  waitForRefresherExit(timeoutMs?: number): Promise<void> {
    return waitUntil("the refresher has exited", async () => (await this.findRefreshers()).length === 0, timeoutMs);
  }

  /** Returns the names of the action's files in a directory: auth files, lock files, and temporary files. */
  async listFiles(directory = this.job.temp): Promise<readonly string[]> {
    return (await readdir(directory)).filter((name) => /scm-auth|\.tmp$|\.lock$/.test(name));
  }

  /** Copies dist/action with changed files. @returns the path of main.cjs */
  async copyDist(directory: string, changes: Readonly<Record<string, (source: string) => string>>): Promise<string> {
    await cp(inRepository("dist/action"), directory, { recursive: true });
    for (const [name, change] of Object.entries(changes)) {
      const path = join(directory, name);
      await writeFile(path, change(await readFile(path, "utf8")));
    }
    return join(directory, "main.cjs");
  }
}

export const readAuthFileJson = async (path = ""): Promise<AuthFileJson> =>
  JSON.parse(await readFile(path, "utf8")) as AuthFileJson;

/** Returns whether a path exists. Does not follow symbolic links. */
export const exists = (path = ""): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

/** Requests a token from `auth_url` with the credentials in the file, as a provider whose token has expired does. */
export function requestTokenAsProvider({ auth_url, client_id, client_secret, scope }: AuthFileJson): Promise<Response> {
  return fetch(auth_url, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString("base64")}` },
    body: new URLSearchParams({ grant_type: "client_credentials", scope }),
    signal: AbortSignal.timeout(30_000),
  });
}
