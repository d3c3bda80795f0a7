import { randomBytes } from "node:crypto";
import type { RunningTokenServer } from "../../shared/auth-file/format.ts";
import { removeTokenServer } from "../../shared/auth-file/read-auth-file.ts";
import { TokenServer } from "../../shared/auth-file/token-server.ts";
import { backgroundClock, type Seconds } from "../../shared/clock.ts";
import type { Environment } from "../../shared/environment.ts";
import { PULUMI_JOB_ID, type AuthFileServers, type FileRefresher } from "../auth-files.ts";
import { createLimits, type ServiceAccount } from "../service-accounts.ts";

/**
 * The time limit for removing the addresses of servers. At the end of an operation, the engine waits 5 s for all
 * plugins together.
 */
const RELEASE_TIMEOUT: Seconds = 2;

/** A token server, and how to make its auth file independent of it. */
interface FileServer {
  readonly address: RunningTokenServer;
  /** Never rejects. */
  readonly detach: () => Promise<void>;
}

/**
 * The token servers of this process, one for each auth file whose credentials are arguments. An `scm` provider that was
 * idle while its token expired signs in there. With credentials in its environment, it signs in to SCM instead, which
 * also works without this process.
 */
export class TokenServers implements AuthFileServers {
  readonly #env: Environment;
  readonly #servers = new Map<string, Promise<FileServer | undefined>>();
  #isReleased = false;

  constructor(env: Environment = process.env) {
    this.#env = env;
  }

  async get(path: string, account: ServiceAccount, refresher: FileRefresher): Promise<RunningTokenServer | undefined> {
    const { clientSecret } = account.context.authRequest;
    if (this.#isReleased || clientSecret === this.#env["SCM_CLIENT_SECRET"]?.trim()) return undefined;
    // If no port is free, the file does not refer to a server.
    const server = this.#servers.get(path) ?? listen(path, account, refresher).catch(() => undefined);
    this.#servers.set(path, server);
    return (await server)?.address;
  }

  /**
   * Makes the files independent of this process, which is about to exit. The servers continue to run, because resource
   * operations in progress may need them. Never rejects.
   */
  async release(): Promise<void> {
    this.#isReleased = true;
    await Promise.all([...this.#servers.values()].map(async (server) => (await server)?.detach()));
  }
}

async function listen(path: string, { context }: ServiceAccount, refresher: FileRefresher): Promise<FileServer> {
  const { clientId, clientSecret, scope, tokenUrl } = context.authRequest;
  const jobSecret = randomBytes(32).toString("base64url");
  const jobId = PULUMI_JOB_ID;
  const detach = (): Promise<void> =>
    removeTokenServer(path, server.address, tokenUrl, createLimits(RELEASE_TIMEOUT)).catch(() => undefined);
  const onShutdown = async (): Promise<object> => {
    await detach();
    return {};
  };
  const account = { clientId, clientSecret, scope, jobSecret, jobId };
  const server = await TokenServer.listen({ ...account, refresher, onShutdown, clock: backgroundClock });
  return { address: { ...server.address, jobId }, detach };
}
