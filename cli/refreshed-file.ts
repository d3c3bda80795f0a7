import { randomBytes, randomUUID } from "node:crypto";
import type { AccessToken } from "../shared/access-token.ts";
import type { TokenServerAddress } from "../shared/auth-file/format.ts";
import { ensurePrivateDirectory } from "../shared/auth-file/private-directory.ts";
import { readAuthFile } from "../shared/auth-file/read-auth-file.ts";
import type { RefreshStats } from "../shared/auth-file/refresher.ts";
import { serveAuthFile } from "../shared/auth-file/served-auth-file.ts";
import type { Milliseconds } from "../shared/clock.ts";
import { formatDuration } from "../shared/duration.ts";
import { AuthError } from "../shared/errors.ts";
import type { RequestLimits } from "../shared/http/request-context.ts";
import { createSeparateContext, requestToken, type SignInContext } from "../shared/sign-in.ts";
import { isPermanentRejection, TokenSource } from "../shared/token-source.ts";
import type { Terminal } from "./terminal.ts";

/** The time limit for one token request. The refresher schedules the next one. */
const REQUEST_TIMEOUT: Milliseconds = 30_000;

/** Options of {@link startServing}. */
export interface ServingOptions {
  /** The absolute path of the auth file. */
  readonly path: string;
  /** Limits for the start. */
  readonly limits: RequestLimits;
  readonly terminal: Terminal;
  /** Receives each new token before it is verified. */
  readonly onToken?: SignInContext["onToken"];
}

/** An auth file that this process keeps valid. */
export interface Serving {
  readonly server: TokenServerAddress;
  /** Resolves when the file is gone, for example because it was removed by hand. */
  readonly ended: Promise<unknown>;
  /** Removes the file, stops everything, and warns if there was a time without a valid token. */
  readonly end: () => Promise<void>;
}

/**
 * Writes the auth file, serves its token on 127.0.0.1, and renews it. Failures to renew are reported on stderr.
 *
 * @param token - the first token
 * @throws AuthError, for example if another process keeps the file valid
 */
export async function startServing(
  signInContext: SignInContext,
  token: AccessToken,
  { path, limits, terminal, onToken }: ServingOptions,
): Promise<Serving> {
  const jobId = randomUUID();
  const jobSecret = randomBytes(32).toString("base64url");
  for (const warning of await ensurePrivateDirectory(path, limits)) terminal.warn(warning);
  // Fails if the token server of another process serves the file.
  await readAuthFile(signInContext, path, limits, { jobId });
  const context = { ...signInContext, policy: { ...signInContext.policy, maxRetries: 0 }, onEvent: () => undefined };
  const { clock, random } = context;
  let isEnding = false;
  let isFailing = false;
  const renew = async (signal: AbortSignal): Promise<AccessToken> => {
    try {
      const deadline = clock.monotonic() + REQUEST_TIMEOUT;
      const renewed = await requestToken(createSeparateContext(context, onToken), { deadline, signal });
      if (isFailing) terminal.note("note: the token was renewed.");
      isFailing = false;
      return renewed;
    } catch (error) {
      // Report only the first failure of an outage.
      if (!isEnding && !isFailing) reportFailure(error, terminal);
      isFailing = true;
      throw error;
    }
  };
  const tokens = new TokenSource(renew, { clock, random });
  const served = await serveAuthFile(context, tokens, { token, path, jobSecret, jobId });
  const end = async (): Promise<void> => {
    isEnding = true;
    await served.stop();
    reportGap(await served.ended, terminal);
  };
  return { server: served.server, ended: served.ended, end };
}

function reportFailure(error: unknown, terminal: Terminal): void {
  if (!AuthError.isAuthError(error))
    terminal.note("note: the token was not renewed, and the request is being retried.");
  else if (isPermanentRejection(error))
    terminal.warn(`The token cannot be renewed. ${error.message} ${error.hint} See ${error.docs}`);
  else
    terminal.note(
      `note: the token was not renewed, and the request is being retried: ${error.kind === "aborted" ? "no response in time." : error.message}`,
    );
}

function reportGap({ gap, rejection }: RefreshStats, terminal: Terminal): void {
  if (gap === undefined) return;
  const until = gap.until ?? Date.now();
  const error = rejection ?? gap.error;
  const reason = error === undefined ? "" : ` ${error.message} ${error.hint} See ${error.docs}`;
  terminal.warn(
    `There was no valid token for ${formatDuration(until - gap.since)} from ${new Date(gap.since).toISOString()}.${reason}`,
  );
}
