import { sleep, type Clock, type Milliseconds } from "../../shared/clock.ts";
import { AccessToken } from "../../shared/access-token.ts";
import { abortedError, AuthError } from "../../shared/errors.ts";

/** What the server does: issues tokens, responds 503, does not respond, or rejects the client. */
export type ServerMode = "ok" | "unavailable" | "hang" | "reject";

/** An auth server on a simulated clock. */
export interface SimulatedAuthServer {
  mode: ServerMode;
  /** The delay in `Retry-After` while the server is unavailable. Default: none. */
  retryAfterMs?: Milliseconds;
  /** Sends one token request. The signature is the one that TokenSource expects. */
  readonly requestToken: (signal: AbortSignal) => Promise<AccessToken>;
  /** The time of `clock.monotonic()` at which each request arrived. */
  readonly requests: readonly Milliseconds[];
  readonly concurrent: { current: number; max: number };
}

/**
 * Creates a server.
 *
 * @param lifetime - the token lifetime
 * @param getLatency - returns the delay of the next response
 */
export function createSimulatedAuthServer(
  clock: Clock,
  lifetime: Milliseconds,
  getLatency: () => Milliseconds,
): SimulatedAuthServer {
  const requests: Milliseconds[] = [];
  const concurrent = { current: 0, max: 0 };
  const respond = async (signal: AbortSignal): Promise<AccessToken> => {
    const sentAt = clock.elapsed();
    const issuedAt = clock.now();
    // The response depends on the mode when the request arrives.
    const { mode, retryAfterMs } = server;
    await sleep(clock, mode === "hang" ? 30_000 : getLatency(), signal);
    if (signal.aborted) throw abortedError();
    switch (mode) {
      case "ok":
        return new AccessToken(`token-${requests.length}`, {
          ...{ lifetime, deadline: sentAt + lifetime, expiresAt: new Date(issuedAt + lifetime) },
          ...{ scope: ["tsg_id:1234567890"], tsgIds: ["1234567890"] },
        });
      case "unavailable":
        throw new AuthError("HTTP 503.", { kind: "server", code: "server_error", status: 503, retryAfterMs });
      case "hang":
        throw new AuthError("no response.", { kind: "timeout", code: "response_timeout" });
      case "reject":
        throw new AuthError("unknown client.", {
          ...{ kind: "rejected", code: "invalid_client", status: 401, oauthError: "invalid_client" },
        });
    }
  };
  const server: SimulatedAuthServer = {
    mode: "ok",
    requests,
    concurrent,
    requestToken: async (signal) => {
      requests.push(clock.monotonic());
      concurrent.max = Math.max(concurrent.max, ++concurrent.current);
      try {
        return await respond(signal);
      } finally {
        concurrent.current--;
      }
    },
  };
  return server;
}
