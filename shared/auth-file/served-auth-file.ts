import type { AccessToken } from "../access-token.ts";
import { sleep, type Milliseconds } from "../clock.ts";
import type { SignInContext } from "../sign-in.ts";
import type { TokenSource } from "../token-source.ts";
import { createAuthFileContent, serializeAuthFile, type AuthFileContent, type TokenServerAddress } from "./format.ts";
import { getFingerprint, ManagedAuthFile } from "./managed-file.ts";
import { TokenRefresher, type RefreshStats } from "./refresher.ts";
import { TokenServer } from "./token-server.ts";

/** Options of {@link serveAuthFile}. */
export interface ServedAuthFileOptions {
  /** The first token. */
  readonly token: AccessToken;
  /** The absolute path. */
  readonly path: string;
  /** The secret of the token server, which the auth file contains instead of the client secret. */
  readonly jobSecret: string;
  /** Identifies the job, so that another job that finds the file does not use it. */
  readonly jobId: string;
  /** Called several times a second; true ends everything. Default: never. */
  readonly hasEnded?: () => boolean;
}

/** An auth file that is kept valid. */
export interface ServedAuthFile {
  readonly server: TokenServerAddress;
  /** Resolves to statistics when the file has been removed and nothing is running. */
  readonly ended: Promise<RefreshStats>;
  /** Ends everything. `ended` resolves shortly afterward. */
  readonly stop: () => Promise<void>;
}

/** How often the file and the job are checked. */
const POLL_INTERVAL: Milliseconds = 250;

/**
 * Starts a token server, writes the auth file, and keeps its token valid until stopped, until a shutdown request, until
 * `hasEnded()`, or until the file is removed. Then removes the file.
 *
 * @throws AuthError, for example if the file cannot be written; an error from Node if no port is free
 */
export async function serveAuthFile(
  { authRequest, clock, random }: SignInContext,
  tokens: TokenSource,
  { token, path, jobSecret, jobId, hasEnded = () => false }: ServedAuthFileOptions,
): Promise<ServedAuthFile> {
  const { clientId, clientSecret, scope } = authRequest;
  const file = new ManagedAuthFile(path, getFingerprint({ clientId, scope, clientSecret: jobSecret }), clock);
  const createContent = (current: AccessToken): AuthFileContent =>
    createAuthFileContent(authRequest, current, clock, server.address);
  const write = (renewed: AccessToken): Promise<void> => file.update(serializeAuthFile(createContent(renewed)));
  tokens.adopt(token);
  const refresher = new TokenRefresher(tokens, { write, clock, random });
  const end = async (): Promise<RefreshStats> => {
    const { stats } = refresher;
    refresher.stop();
    await file.remove();
    return stats;
  };
  const identity = { clientId, clientSecret, scope, jobSecret, jobId };
  const server = await TokenServer.listen({ ...identity, refresher, onShutdown: end, clock });
  try {
    await file.create(createContent(token));
  } catch (error) {
    await server.close();
    throw error;
  }
  refresher.start();

  const watch = async (): Promise<RefreshStats> => {
    // After a shutdown request, the server closes once it has responded.
    while (server.isOpen && !hasEnded() && !(await file.isGone())) await sleep(clock, POLL_INTERVAL);
    const stats = await end();
    await server.close();
    return stats;
  };
  return { server: server.address, ended: watch(), stop: () => server.close() };
}
