import { AccessToken } from "../../shared/access-token.ts";
import { createAuthFileContent, serializeAuthFile } from "../../shared/auth-file/format.ts";
import { TokenRefresher, type RefreshStats } from "../../shared/auth-file/refresher.ts";
import { TokenServer } from "../../shared/auth-file/token-server.ts";
import { AuthRequest } from "../../shared/auth-request.ts";
import { sleep, type Clock, type Milliseconds, type RandomSource } from "../../shared/clock.ts";
import type { AuthErrorOptions } from "../../shared/errors.ts";
import { createSecureContext } from "../../shared/http/tls.ts";
import { parseScope } from "../../shared/scope.ts";
import { createSignInContext, requestToken } from "../../shared/sign-in.ts";
import { TokenSource } from "../../shared/token-source.ts";
import { createJobMonitor, type ProcessId } from "./job-monitor.ts";
import { getFingerprint, ManagedAuthFile } from "./managed-file.ts";

/** What the refresher gets from the main step, by IPC only: other processes can read arguments and environment. */
export interface RefresherConfig {
  readonly authRequest: {
    readonly clientId: string;
    readonly clientSecret: string;
    readonly scope: string;
    readonly tokenUrl: string;
    readonly jwksUrl: string;
    readonly issuer?: string | undefined;
    readonly ca?: string | undefined;
  };
  /** With `ca`: Node's CA certificates in the main step, PEM. */
  readonly roots?: readonly string[] | undefined;
  readonly verify: boolean;
  /** The first token. Times in milliseconds. */
  readonly token: {
    readonly value: string;
    /** Since 1970 UTC. */
    readonly expiresAt?: Milliseconds | undefined;
    readonly remaining?: Milliseconds | undefined;
    readonly lifetime?: Milliseconds | undefined;
    readonly scope: string;
  };
  /** The absolute path of the auth file. */
  readonly path: string;
  /** The secret of the token server, which the auth file contains instead of the client secret. */
  readonly jobSecret: string;
  readonly jobId: string;
  /** The process whose end is the end of the job; undefined if it cannot be recognized. */
  readonly parent?: ProcessId | undefined;
}

/** What the refresher sends once: the file is written and its token served, or why not. */
export type RefresherReply =
  | { readonly path: string; readonly port: number; readonly error?: undefined }
  | { readonly error: { readonly description: string } & Pick<AuthErrorOptions, "kind" | "code" | "hint"> };

/** How often the file and the job are checked. */
const POLL_INTERVAL: Milliseconds = 250;
/** For one token request. The refresher decides about the next one. */
const REQUEST_TIMEOUT: Milliseconds = 30_000;
/** How long a client may take to read the response to its shutdown request. */
const CLOSE_DELAY: Milliseconds = 1000;

/** Injected by tests. */
interface RefresherDeps {
  readonly clock: Clock;
  readonly random: RandomSource;
}

/** Writes and refreshes one auth file and serves its token until the job ends or the file is removed. */
export class AuthFileRefresher {
  /** Resolves when the file is removed and nothing is left running. */
  readonly ended: Promise<void>;
  readonly #clock: Clock;
  readonly #file: ManagedAuthFile;
  readonly #tokens: TokenSource;
  readonly #refresher: TokenRefresher;
  readonly #config: RefresherConfig;
  readonly #authRequest: AuthRequest;
  #server: TokenServer | undefined;
  #stopping: Promise<RefreshStats> | undefined;
  #onEnded = (): void => undefined;

  private constructor(config: RefresherConfig, { clock, random }: RefresherDeps) {
    const authRequest = AuthRequest.parse(config.authRequest);
    const context = {
      ...createSignInContext(authRequest, { verify: config.verify, policy: { maxRetries: 0 }, clock, random }),
      secureContext: createSecureContext(authRequest.ca, config.roots),
    };
    const { clientId, scope } = authRequest;
    this.#config = config;
    this.#clock = clock;
    this.#authRequest = authRequest;
    this.#file = new ManagedAuthFile(
      config.path,
      getFingerprint({ clientId, scope, clientSecret: config.jobSecret }),
      clock,
    );
    this.#tokens = new TokenSource(
      (signal) => requestToken(context, { deadline: clock.monotonic() + REQUEST_TIMEOUT, signal }),
      { clock, random },
    );
    const write = (token: AccessToken): Promise<void> => this.#file.update(this.#serialize(token));
    this.#refresher = new TokenRefresher(this.#tokens, { write, clock, random });
    this.ended = new Promise((resolve) => {
      this.#onEnded = resolve;
    });
  }

  /**
   * Starts the token server, writes the file and starts to refresh.
   *
   * @throws AuthError, for example if the file cannot be written; Error of Node if no port is free
   */
  static async start(config: RefresherConfig, deps: RefresherDeps): Promise<AuthFileRefresher> {
    const refresher = new AuthFileRefresher(config, deps);
    try {
      await refresher.#start();
    } catch (error) {
      await refresher.stop();
      throw error;
    }
    return refresher;
  }

  /** The port of the token server. */
  get port(): number {
    return this.#server?.port ?? 0;
  }

  /** Stops everything and removes the file, unless another one has taken its place. */
  async stop(): Promise<RefreshStats> {
    const stats = await this.#stop();
    await this.#server?.close();
    this.#onEnded();
    return stats;
  }

  async #start(): Promise<void> {
    const { token, jobSecret, jobId } = this.#config;
    const { clientId, scope, clientSecret } = this.#authRequest;
    const first = toAccessToken(token, this.#authRequest, this.#clock);
    this.#tokens.adopt(first);
    this.#server = await TokenServer.listen({
      clientId,
      scope,
      clientSecret,
      jobSecret,
      jobId,
      refresher: this.#refresher,
      onShutdown: () => this.#onShutdown(),
      clock: this.#clock,
    });
    await this.#file.create(this.#serialize(first));
    this.#refresher.start();
    void this.#watch();
  }

  async #onShutdown(): Promise<RefreshStats> {
    const stats = await this.#stop();
    // The server closes itself once the response is sent, or the client has left.
    void Promise.race([this.#server?.closed, sleep(this.#clock, CLOSE_DELAY)]).then(() => this.stop());
    return stats;
  }

  /** All but the server, which may have to respond. */
  #stop(): Promise<RefreshStats> {
    return (this.#stopping ??= (async () => {
      const { stats } = this.#refresher;
      this.#refresher.stop();
      await this.#file.remove();
      return stats;
    })());
  }

  async #watch(): Promise<void> {
    const hasJobEnded = createJobMonitor(this.#config.parent, this.#clock);
    while (this.#stopping === undefined) {
      await sleep(this.#clock, POLL_INTERVAL);
      if (hasJobEnded() || (await this.#file.isGone())) await this.stop();
    }
  }

  #serialize(token: AccessToken): string {
    const content = createAuthFileContent(this.#authRequest, token, this.#clock, this.#server?.address);
    return serializeAuthFile(content);
  }
}

const toAccessToken = (
  { value, expiresAt, remaining, lifetime, scope }: RefresherConfig["token"],
  { tsgIds }: AuthRequest,
  clock: Clock,
): AccessToken =>
  new AccessToken(value, {
    expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt),
    deadline: remaining === undefined ? undefined : clock.elapsed() + remaining,
    lifetime,
    scope: parseScope(scope),
    tsgIds,
  });
