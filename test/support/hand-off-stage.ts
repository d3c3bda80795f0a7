import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { lstat, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PLACEHOLDER } from "../../shared/handoff/auth-file-format.ts";
import { keepSecret } from "./canaries.ts";
import { parseFileCommands } from "./file-commands.ts";
import { canSeeProcesses, processesOf, type SeenProcess } from "./orphans.ts";
import {
  inputVariables,
  makeJobFolder,
  makeStepFolder,
  readInputDefaults,
  type JobFolder,
} from "./runner-environment.ts";
import { runAction, type ActionOptions, type ActionRun } from "./runner.ts";
import { startScmServer, type ScmServer, type ScmServerOptions } from "./scm-server.ts";
import { spawn } from "./searched-process.ts";

/** The fields of an auth file that tests look at. */
export interface WrittenFile {
  readonly client_id: string;
  readonly client_secret: string;
  readonly scope: string;
  readonly auth_url: string;
  readonly jwt: string;
}

/** A main step that runs just now, as a process of its own. */
export interface RunningStep {
  readonly child: ChildProcess;
  /** Settles when the process is gone. */
  readonly ended: Promise<unknown>;
  /** What it kept for post so far; nothing when its file is cut half-way, as the runner has it. */
  readonly state: () => Promise<Readonly<Record<string, string>>>;
}

type Inputs = Readonly<Record<string, string>>;

const inRepository = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** Waits for a moment. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until it is so. @throws Error when that takes longer than `limit` milliseconds */
export async function until(what: string, isSo: () => Promise<boolean> | boolean, limit = 5000): Promise<void> {
  const end = performance.now() + limit;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`${what}: not so within ${limit} ms`);
    await pause(20);
  }
}

/** One job at a time, whose steps are those of the published action, next to a server for all of them. */
export class HandOffStage {
  readonly server: ScmServer;
  job: JobFolder;

  private constructor(server: ScmServer, job: JobFolder) {
    this.server = server;
    this.job = job;
  }

  static async open(options?: ScmServerOptions): Promise<HandOffStage> {
    return new HandOffStage(await startScmServer(options), await makeJobFolder());
  }

  /** Ends the job, whatever is left of it, and begins another. */
  async nextJob(): Promise<void> {
    await this.#endJob();
    this.job = await makeJobFolder();
  }

  async close(): Promise<void> {
    await this.#endJob();
    await this.server.close();
  }

  async #endJob(): Promise<void> {
    for (const { pid } of await this.keepers()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended meanwhile.
      }
    }
    await this.job.remove();
  }

  inputs(more: Inputs = {}): Inputs {
    const { clientId, clientSecret, tsgId, tokenUrl, ca } = this.server;
    return {
      "client-id": clientId,
      "client-secret": clientSecret,
      "tsg-id": tsgId,
      "token-url": tokenUrl,
      "ca-cert": ca,
      "auth-file": "true",
      ...more,
    };
  }

  /** A main step, with a search for every secret that there was. */
  signIn(more?: Inputs, options: Partial<ActionOptions> = {}): Promise<ActionRun> {
    return runAction({ inputs: this.inputs(more), job: this.job, canaries: () => this.#canaries(), ...options });
  }

  /** The post step of one. */
  post({ state }: Pick<ActionRun, "state">, options: Partial<ActionOptions> = {}): Promise<ActionRun> {
    const canaries = (): readonly string[] => this.#canaries();
    return runAction({ inputs: this.inputs(), job: this.job, post: { state }, canaries, ...options });
  }

  #canaries(): readonly string[] {
    return [this.server.clientSecret, ...this.server.issued];
  }

  /** Begins a main step that the test ends as it likes. */
  async begin(more?: Inputs): Promise<RunningStep> {
    const step = await makeStepFolder(this.job);
    const defaults = await readInputDefaults(inRepository("action.yml"));
    const child = spawn(process.execPath, [inRepository("dist/action/main.cjs")], {
      cwd: this.job.workspace,
      env: { ...step.env, ...inputVariables({ ...defaults, ...this.inputs(more) }) },
      stdio: "ignore",
    });
    return {
      child,
      ended: once(child, "exit"),
      state: async () => {
        try {
          return Object.fromEntries(parseFileCommands(await step.read("STATE")));
        } catch {
          return {};
        }
      },
    };
  }

  /** The processes that the job has left running; none where they can't be seen. */
  async keepers(): Promise<readonly SeenProcess[]> {
    return canSeeProcesses ? processesOf(this.job.env["RUNNER_TRACKING_ID"] ?? "") : [];
  }

  /** The only one. @throws Error when there is none, or several */
  async keeper(): Promise<SeenProcess> {
    const [keeper, ...others] = await this.keepers();
    if (keeper === undefined || others.length > 0) throw new Error(`${others.length + (keeper ? 1 : 0)} keepers`);
    return keeper;
  }

  untilNoKeeper(limit = 3000): Promise<void> {
    return until("the keeper has ended", async () => (await this.keepers()).length === 0, limit);
  }

  /** What a folder holds that is ours: the file, its lock, its temporaries. */
  async left(folder = this.job.temp): Promise<readonly string[]> {
    return (await readdir(folder)).filter((name) => /scm-auth|\.tmp$|\.lock$/.test(name));
  }
}

/** What stands in an auth file. */
export async function readWritten(path: string): Promise<WrittenFile> {
  const file = JSON.parse(await readFile(path, "utf8")) as WrittenFile;
  if (file.client_secret !== PLACEHOLDER) keepSecret("job secret", file.client_secret);
  return file;
}

/** Whether there is anything at a path. */
export const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

/** What a provider does whose token ended: signs in at the file's address with the file's credentials. */
export function signInAsProvider({ auth_url, client_id, client_secret, scope }: WrittenFile): Promise<Response> {
  return fetch(auth_url, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString("base64")}` },
    body: new URLSearchParams({ grant_type: "client_credentials", scope }),
    signal: AbortSignal.timeout(30_000),
  });
}

/** A disk of so many KiB, where this user may mount one; `undefined` elsewhere. */
export async function makeSmallDisk(
  kibibytes: number,
): Promise<{ readonly path: string; readonly remove: () => Promise<void> } | undefined> {
  const path = join(tmpdir(), `scm-auth-disk-${process.pid}-${Date.now()}`);
  const run = async (command: string, ...args: readonly string[]): Promise<boolean> => {
    const child = spawn(command, args, { stdio: "ignore" });
    return new Promise((resolve) => {
      child.once("error", () => {
        resolve(false);
      });
      child.once("exit", (code) => {
        resolve(code === 0);
      });
    });
  };
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  await run("mkdir", "-m", "700", path);
  const remove = async (): Promise<void> => {
    await run("umount", "-l", path);
    await rm(path, { recursive: true, force: true });
  };
  if (await run("mount", "-t", "tmpfs", "-o", `size=${kibibytes}k,mode=700`, "tmpfs", path)) return { path, remove };
  await rm(path, { recursive: true, force: true });
  return undefined;
}
