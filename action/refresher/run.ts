import { AccessToken } from "../../shared/access-token.ts";
import { serveAuthFile, type ServedAuthFile } from "../../shared/auth-file/served-auth-file.ts";
import { AuthRequest, type AuthRequestInput } from "../../shared/auth-request.ts";
import { systemClock, type Milliseconds } from "../../shared/clock.ts";
import type { AuthErrorOptions } from "../../shared/errors.ts";
import { createSecureContext } from "../../shared/http/tls.ts";
import type { ProcessId } from "../../shared/process-id.ts";
import { parseScope } from "../../shared/scope.ts";
import { createSeparateContext, createSignInContext, requestToken } from "../../shared/sign-in.ts";
import { TokenSource } from "../../shared/token-source.ts";
import { createJobMonitor } from "./job-monitor.ts";

/**
 * The configuration that the refresher receives from the main step. It is sent only over IPC, because other processes
 * can read command-line arguments and environment variables.
 */
export interface RefresherConfig {
  readonly authRequest: AuthRequestInput;
  /** If `ca` is set, the CA certificates that Node trusts in the main step, in PEM format. */
  readonly roots?: readonly string[] | undefined;
  readonly verify: boolean;
  /** The first token. Times are in milliseconds; `expiresAt` is the time since 1970-01-01 UTC. */
  readonly token: Pick<AccessToken, "value" | "scope" | "lifetime" | "signingKey"> & {
    readonly expiresAt?: Milliseconds | undefined;
    readonly remaining?: Milliseconds | undefined;
  };
  /** The absolute path of the auth file. */
  readonly path: string;
  /** The secret of the token server, which the auth file contains instead of the client secret. */
  readonly jobSecret: string;
  readonly jobId: string;
  /** The process that exits when the job ends; undefined if it cannot be determined. */
  readonly parent?: ProcessId | undefined;
}

/**
 * The only message that the refresher sends. Without an error, the file has been written and its token is being served.
 */
export interface RefresherReply {
  readonly error?: { readonly description: string } & Pick<AuthErrorOptions, "kind" | "code" | "hint">;
}

/** The time limit for one token request. The refresher schedules the next one. */
const REQUEST_TIMEOUT: Milliseconds = 30_000;

/**
 * Starts the token server, writes the file, and refreshes it until the job ends or the file is removed.
 *
 * @throws AuthError, for example if the file cannot be written; an error from Node if no port is free
 */
export async function startRefresher(config: RefresherConfig): Promise<ServedAuthFile> {
  const { path, jobSecret, jobId, verify, token: first } = config;
  const authRequest = AuthRequest.parse(config.authRequest);
  const times = { clock: systemClock, random: Math.random };
  const { clock } = times;
  const context = {
    ...createSignInContext(authRequest, { verify, policy: { maxRetries: 0 } }),
    secureContext: createSecureContext(authRequest.ca, config.roots),
  };
  const getToken = (signal: AbortSignal): Promise<AccessToken> =>
    requestToken(createSeparateContext(context), { deadline: clock.monotonic() + REQUEST_TIMEOUT, signal });
  const tokens = new TokenSource(getToken, times);
  const token = new AccessToken(first.value, {
    expiresAt: first.expiresAt === undefined ? undefined : new Date(first.expiresAt),
    deadline: first.remaining === undefined ? undefined : clock.elapsed() + first.remaining,
    lifetime: first.lifetime,
    scope: parseScope(first.scope),
    tsgIds: authRequest.tsgIds,
    signingKey: first.signingKey,
  });
  const hasEnded = createJobMonitor(config.parent, clock);
  return serveAuthFile(context, tokens, { token, path, jobSecret, jobId, hasEnded });
}
